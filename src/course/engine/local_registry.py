"""The course's own image registry: a container on loopback, from which the cluster pulls."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from course.artifacts import images
from course.core import waiting
from course.core.errors import CourseError
from course.core.names import OWNER_LABEL, REGISTRY_NAME, VERSION_HEADER
from course.core.process import Runner
from course.core.report import Report

SPEAKS = "registry/2.0"
"""What every registry answers in that header."""
_WAIT = 30.0


@dataclass(frozen=True)
class Registry:
    """A registry at `localhost:PORT`."""

    port: int
    runner: Runner

    @property
    def address(self) -> str:
        """What `$REGISTRY` holds."""
        return f"localhost:{self.port}"

    def answers(self) -> bool:
        """Whether it speaks the registry protocol."""
        return self._speaks() == SPEAKS

    def _speaks(self) -> str:
        """What answers at the port says that it speaks; an empty string if nobody answers."""
        # 127.0.0.1 is dialled directly, whatever proxy the environment names.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().headers.get(VERSION_HEADER, "something else")
        except http.client.HTTPException:
            return "something else"
        except OSError:
            return ""
        finally:
            connection.close()

    def ensure(self, report: Report) -> None:
        """Make it run.

        Raises:
            CourseError: its name or its port is somebody else's, or it does not answer in time.
        """
        images.ensure("registry:2", report, runner=self.runner)
        state = self.runner.run(
            ["docker", "container", "inspect", REGISTRY_NAME, "--format"]
            + ['{{.State.Running}} {{index .Config.Labels "course.owner"}}'],
            timeout=30,
            check=False,
        )
        running, _, owner = state.stdout.strip().partition(" ")
        if state.code == 0 and owner != "course":
            raise CourseError(
                f"Docker has a container {REGISTRY_NAME} that this course did not make",
                "that name for the course's own registry",
                f"docker rename {REGISTRY_NAME} {REGISTRY_NAME}-mine; then: course up",
            )
        if running != "true" and self._speaks():
            raise CourseError(
                f"port {self.port} is taken: somebody else answers there",
                "it for the course's registry",
                "course doctor   names who; end it; then: course up",
            )
        if state.code != 0:
            self.runner.run(
                ["docker", "volume", "create", "--label", OWNER_LABEL, REGISTRY_NAME], timeout=30
            )
            self.runner.run(
                ["docker", "run", "--detach", "--restart=unless-stopped", "--name", REGISTRY_NAME]
                + ["--label", OWNER_LABEL, "--publish", f"127.0.0.1:{self.port}:5000"]
                # Named, so that what was pushed outlives `course down`.
                + ["--volume", f"{REGISTRY_NAME}:/var/lib/registry", "registry:2"],
                timeout=60,
                try_=f"is port {self.port} taken? course doctor",
            )
        elif running != "true":
            self.runner.run(["docker", "start", REGISTRY_NAME], timeout=60)
        if not waiting.eventually(self.answers, wait=_WAIT, pause=0.2):
            silent = "is no registry" if self._speaks() else "does not answer"
            raise CourseError(
                f"what should be the course's registry at {self.address} {silent}",
                f"an answer within {_WAIT:.0f} s",
                f"docker logs {REGISTRY_NAME}; then: course up",
            )

    def mirror(self, ref: str) -> None:
        """Push an image of Docker Hub's name, so that the cluster finds it here first."""
        name = ref if "/" in ref else f"library/{ref}"
        here = f"{self.address}/{name}"
        self.runner.run(["docker", "tag", ref, here], timeout=30)
        self.runner.run(["docker", "push", "--quiet", here], timeout=300)
        self.runner.run(["docker", "image", "rm", here], timeout=30, check=False)
