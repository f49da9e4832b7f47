"""Where the docker command finds its Docker."""

from __future__ import annotations

from course.core.process import Runner


def address(runner: Runner) -> str:
    """Where the docker command finds its Docker; empty if it does not say.

    Args:
        runner: runs docker.

    Raises:
        CommandError: docker cannot be started, or does not answer within 20 s.
    """
    argv = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    done = runner.run(argv, timeout=20, check=False)
    return "" if done.code else done.stdout.strip()
