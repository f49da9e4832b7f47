"""The verdicts that the kit gives to exercises of all lessons."""

from __future__ import annotations

from course.exercises.kit import bases, run_errors
from course.exercises.kit.reply import Ended, Running
from course.exercises.kit.verdict import Wrong

RUNC = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    'runc create failed: unable to start container process: exec: "noode": executable file not '
    "found in $PATH: unknown"
)
SERVICE = "the service of slug.mjs, listening on 3000"
ENDED = Ended(127, "sh: 1: noode: not found")

NO_TAG = "stops-base:lab: not found"

MESSAGES: dict[str, dict[str, Wrong]] = {
    "kit.bases": {
        "an image of this machine": bases.only_here("stops-base:lab", NO_TAG),
    },
    "kit.run_errors": {
        "nothing is called like it": run_errors.no_image("slug:lab", "", "containers-1"),
        "another tag": run_errors.no_image("slug:lab", "slug:latest", "containers-1"),
        "its command is no program": run_errors.cannot_start("slug:lab", RUNC),
        "built for another processor": run_errors.other_processor("slug:lab", "arm64", "amd64"),
        "no first line with #!": run_errors.other_processor("slug:lab", "amd64", "amd64"),
        "a byte at a time": run_errors.endless("GET /?text=a", "/?text=a", "7 bytes in 5 s"),
        "an option takes the command's place": run_errors.arguments_lost(
            "slug:lab", ["--joint=_"], RUNC.replace("noode", "--joint=_")
        ),
        "another port": run_errors.no_reply(Running(), "slug:lab", 3000, SERVICE),
        "it has ended": run_errors.no_reply(ENDED, "slug:lab", 3000, SERVICE),
        "it ends at its second start": run_errors.no_reply(ENDED, "slug:lab", 3000, SERVICE).at(
            "at its second start"
        ),
    },
}
