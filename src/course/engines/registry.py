"""The course's own image registry: a container on loopback, from which the cluster pulls."""

from __future__ import annotations

import contextlib
import time
import urllib.request
from dataclasses import dataclass

from course import images
from course.errors import CourseError
from course.run import Runner
from course.steps import Report

NAME = "course-registry"
_WAIT = 30.0


@dataclass(frozen=True)
class Registry:
    """A registry at `localhost:PORT`."""

    port: int
    using: Runner

    @property
    def address(self) -> str:
        """What `$REGISTRY` holds."""
        return f"localhost:{self.port}"

    def answers(self) -> bool:
        """Whether it speaks the registry protocol."""
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.port}/v2/"
            with urllib.request.urlopen(url, timeout=3) as answer:
                return bool(answer.status == 200)
        return False

    def ensure(self, report: Report) -> None:
        """Make it run.

        Raises:
            CourseError: it does not answer in time.
        """
        images.ensure("registry:2", report, using=self.using)
        state = self.using.run(
            ["docker", "container", "inspect", NAME, "--format", "{{.State.Running}}"],
            timeout=30,
            check=False,
        )
        if state.code != 0:
            self.using.run(
                ["docker", "run", "--detach", "--restart=unless-stopped", "--name", NAME]
                + ["--label", images.OWNER, "--publish", f"127.0.0.1:{self.port}:5000"]
                # Named, so that what was pushed outlives `course down`.
                + ["--volume", f"{NAME}:/var/lib/registry", "registry:2"],
                timeout=60,
                try_=f"is port {self.port} taken? course doctor",
            )
        elif state.stdout.strip() != "true":
            self.using.run(["docker", "start", NAME], timeout=60)
        deadline = time.monotonic() + _WAIT
        while not self.answers():
            if time.monotonic() > deadline:
                raise CourseError(
                    f"the registry at {self.address} does not answer",
                    f"an answer within {_WAIT:.0f} s",
                    f"docker logs {NAME}; then: course up",
                )
            time.sleep(0.2)

    def mirror(self, ref: str) -> None:
        """Push an image of Docker Hub's name, so that the cluster finds it here first."""
        name = ref if "/" in ref else f"library/{ref}"
        here = f"{self.address}/{name}"
        self.using.run(["docker", "tag", ref, here], timeout=30)
        self.using.run(["docker", "push", "--quiet", here], timeout=300)
        self.using.run(["docker", "image", "rm", here], timeout=30, check=False)
