"""Build and rebuild from a copy of the learner's folder, and say what is wrong in their terms.

A check never builds in the learner's own folder: it edits a copy. What a machine has made there
(`node_modules`, `dist`) is not copied, as it is in no fresh clone.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from course import abandoned, builds, duplicate
from course.exercises import ENVIRONMENT, Wrong
from course.text import cut, printable

if TYPE_CHECKING:
    from course.world import Served, World

MADE_BY_MACHINE = ("node_modules", "dist", ".git")
_NOT_UTF8 = "invalid UTF-8"
_DOCKERFILES = ("Dockerfile", "dockerfile")
_NOT_COPIED = re.compile(r'failed to calculate checksum of ref \S+ "?/?(.+?)"?: not found')
_ERROR = re.compile(r"error|not found|cannot|denied", re.I)
_BUILD_WAIT = 120.0
_LINE = 160


class Copy:
    """A copy of an exercise's folder, to build from and to edit.

    Args:
        world: of the exercise.
        without: names of files and folders that are left out, wherever they are.
    """

    def __init__(self, world: World, without: tuple[str, ...] = MADE_BY_MACHINE) -> None:
        self._world = world
        self.nonce = secrets.token_hex(6)
        self.tag = abandoned.tag(f"{world.id}-{self.nonce}")
        source = world.folder()
        if not source.is_dir():
            raise Wrong(
                "no-folder",
                saw=f"the folder {world.id}/ is not there",
                want="the exercise's folder",
                try_=f"course reset {world.id}",
            )
        self.folder = abandoned.folder()
        try:
            duplicate.duplicate(source, self.folder, without=without)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the folder and the image; the build's cache stays."""
        duplicate.remove(self.folder)
        self._remove_image()

    def _remove_image(self) -> None:
        with contextlib.suppress(Exception):  # what cannot be removed now is so later
            self._world.docker.api.remove_image(self.tag, force=True)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the copy; a link out of the copy gives way, what it names is theirs.

        So does what is no folder where one is needed, and what is no file in the file's place.
        """
        file = self.folder / name
        for place in (*reversed(file.parents), file):
            if not place.is_relative_to(self.folder) or place == self.folder:
                continue
            real = Path(os.path.realpath(place))
            inside = real.is_relative_to(self.folder)
            fits = real.is_dir() if place != file else real.is_file() or not os.path.lexists(real)
            if os.path.lexists(place) and not (inside and fits):
                if place.is_dir() and not place.is_symlink():
                    duplicate.remove(place)
                else:
                    place.unlink()
            elif inside and os.path.lexists(real):
                real.chmod(real.stat().st_mode | stat.S_IWUSR)  # theirs may be read-only
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def build(self, *options: object, wait: float = _BUILD_WAIT) -> builds.Build:
        """Build the copy's `Dockerfile` to an image named `tag`.

        Args:
            options: more of `docker build`.
            wait: deadline in seconds.

        Raises:
            Wrong: there is no Dockerfile, or it does not parse, or a step fails or does not end.
            CourseError: no Docker answers.
        """
        build = self.attempt("--tag", self.tag, *options, wait=wait)
        if build.error:
            raise wrong_build(build, self._world.id, wait)
        return build

    def attempt(self, *options: object, wait: float = _BUILD_WAIT) -> builds.Build:
        """Build the copy's `Dockerfile`; that it fails is a result too.

        Args:
            options: of `docker build`.
            wait: deadline in seconds.

        Raises:
            Wrong: there is no Dockerfile, or it is not UTF-8.
            CourseError: no Docker answers.
        """
        dockerfile = self._find_dockerfile()
        if self.tag in options:
            self._remove_image()  # else a rebuild would leave it behind without a name
        build = builds.run(self.folder, *options, wait=wait, env=self._world.env())
        if build.error and not build.failed:
            # Docker bears another encoding, say in a comment, as long as it need not read it.
            decode(dockerfile, f"{self._world.id}/{dockerfile.name}", self._world.id)
            if _NOT_UTF8 in build.error:
                self._named_in_utf8()
        return build

    def _named_in_utf8(self) -> None:
        for path in self.folder.rglob("*"):
            try:
                path.name.encode()
            except UnicodeEncodeError as error:
                name = printable(str(path.relative_to(self.folder)))
                raise Wrong(
                    "name-not-utf8",
                    saw=f"the name of {self._world.id}/{name} is not UTF-8, and Docker does not "
                    "send a folder with such a name",
                    want="names in UTF-8",
                    try_=f"ls -lb {self._world.id}   then rename it, or move it out of the folder",
                ) from error

    def rebuild(
        self, edits: Mapping[str, str], *options: object, wait: float = _BUILD_WAIT
    ) -> builds.Build:
        """Edit files of the copy and build it again.

        Args:
            edits: file name → its new text; put `nonce` or another fresh one into it.
            options: more of `docker build`.
            wait: deadline in seconds.

        Raises:
            Wrong: no step took the edit in (`edit-missing`); or as in `build`.
        """
        for name, text in edits.items():
            self.write(name, text)
        build = self.build(*options, wait=wait)
        if not build.ran:
            names = ", ".join(edits)
            raise Wrong(
                "edit-missing",
                saw=f"after an edit of {names} every step came from the cache",
                want="an image made from the edited file",
                try_="which COPY brings that file in? and what does .dockerignore hold back?",
            )
        return build

    def container(
        self, *, port: int, env: dict[str, str] | None = None
    ) -> AbstractContextManager[Served]:
        """Run the built image as a service; see `World.container`."""
        return self._world.container(self.tag, port=port, env=env)

    def _find_dockerfile(self) -> Path:
        """The copy's Dockerfile, under one of the names by which Docker finds it."""
        id_ = self._world.id
        for name in _DOCKERFILES:
            file = self.folder / name
            inside = Path(os.path.realpath(file)).is_relative_to(self.folder)
            if file.is_file() and inside:
                return file
        saw = f"no file `Dockerfile` in {id_}/"
        link = next((n for n in _DOCKERFILES if (self.folder / n).is_symlink()), "")
        if link:
            to = printable(str((self.folder / link).readlink()))
            saw = f"`{link}` in {id_}/ is a link to {to}: no file of this folder"
        else:
            near = [p.name for p in self.folder.iterdir() if "docker" in p.name.lower()]
            near = sorted(printable(name) for name in near if name != ".dockerignore")
            saw += f"; there is `{near[0]}`" if near else ""
        raise Wrong(
            "no-dockerfile",
            saw=saw,
            want=f"{id_}/Dockerfile, by that name",
            try_=f"ls -l {id_}",
        )


def decode(file: Path, name: str, id_: str) -> str:
    """The text of a learner's file.

    Args:
        file: where it is.
        name: how it is told.
        id_: the exercise that it belongs to.

    Raises:
        Wrong: it is not there (`no-file`), not UTF-8 (`not-utf8`), or no file (`unreadable`).
    """
    reset = f"course reset {id_}   brings it back, and saves what you have first"
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Wrong(
            "no-file", saw=f"{name} is not there", want="the file that came with it", try_=reset
        ) from error
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise Wrong(
            "not-utf8",
            saw=f"{name} is not UTF-8: {byte}",
            want="a file in UTF-8",
            try_=f"save it as UTF-8 in your editor; or: {reset}",
        ) from error
    except OSError as error:
        raise Wrong(
            "unreadable",
            saw=f"{name} cannot be read: {error.strerror}",
            want="a file",
            try_=reset,
        ) from error


def wrong_build(build: builds.Build, id_: str, wait: float) -> Wrong:
    """Why a build made no image, in the learner's terms.

    Args:
        build: one with an error.
        id_: the exercise whose folder was built.
        wait: the deadline that it had, in seconds.
    """
    if build.parse_error:
        return Wrong(
            "dockerfile-syntax",
            saw=f"{id_}/Dockerfile does not parse: {build.parse_error}",
            want="a Dockerfile that parses",
            try_=f"docker build --check {id_}",
        )
    at = f"{id_}/Dockerfile, {build.where}: " if build.where else ""
    away = _of_the_machine(build) or _not_to_be_had(build, at)
    if away:
        return away
    if build.failed:
        return _wrong_step(build.failed, id_)
    if build.pending:
        last = next((line for line in reversed(build.pending.log) if line.strip()), "nothing")
        return Wrong(
            "build-hangs",
            saw=f"{named(build.pending)} has not ended after {wait:.0f} s; "
            f"it said last: {last[:_LINE]}",
            want="a step that ends",
            try_="RUN is for what ends while the image is built; what goes on is for CMD",
        )
    warned = "".join(f"; {text}" for text in build.warnings) if "lint" in build.error else ""
    return Wrong(
        "build-fails",
        saw=f"{at}the build stopped: {(build.error + warned)[: 2 * _LINE]}",
        want="a build that ends well",
        try_=f"docker build {id_}",
    )


def _of_the_machine(build: builds.Build) -> Wrong | None:
    """That the machine ran out of something, or the registry gives no more for now."""
    # The error of a step quotes its command, which may say anything.
    said = [build.error.rpartition('"')[2] if build.failed else build.error]
    log = build.failed.log if build.failed else ()
    at = f"{named(build.failed)}: " if build.failed else ""
    for known, where, saw, want, try_ in (
        (
            r"no space left on device|disk quota exceeded",
            [*said, *log],
            "the disk that Docker builds on is full",
            "some GB free",
            "docker system df; docker builder prune; df -h; then run the check again",
        ),
        (
            r"toomanyrequests|429 too many requests",
            [] if build.failed else said,
            "Docker Hub's limit of pulls for this address is reached",
            "a pull within the limit, which is counted over six hours",
            "docker login   (a free account has more); or wait; then run the check again",
        ),
    ):
        line = next((line for line in where if re.search(known, line, re.I)), "")
        if line:
            told = f"{saw}: {at}{cut(line.strip(), _LINE)}"
            return Wrong(ENVIRONMENT, saw=told, want=want, try_=try_)
    return None


def _not_to_be_had(build: builds.Build, at: str) -> Wrong | None:
    """That a front end or a base image is not here and cannot be pulled."""
    if build.no_front_end:
        return Wrong(
            "no-front-end",
            saw=f"{at}the front end {build.no_front_end} cannot be had: {_end(build.error)}",
            want="a Dockerfile whose first line names a front end that is here, or none",
            try_="leave that line out: Docker has a front end of its own, and the lessons need no "
            "other",
        )
    if build.no_base:
        return Wrong(
            "no-base",
            saw=f"{at or 'FROM: '}{build.no_base}: {build.error[:_LINE]}",
            want="a base image that is here or can be pulled",
            try_="docker images   shows those that are here",
        )
    return None


def _end(error: str) -> str:
    """Who was asked in vain, and the end of a chain of errors: its cause."""
    asked = re.search(r"https?://([^/\"]+)", error)
    cause = cut(error.rsplit(": ", 1)[-1], _LINE)
    return f"{asked[1]}: {cause}" if asked else cause


def _wrong_step(step: builds.Step, id_: str) -> Wrong:
    missing = _NOT_COPIED.search(step.error)
    if missing and step.takes:
        return Wrong(
            "copy-missing",
            saw=f"{named(step)} failed: what it takes from has no /{missing[1]}",
            want="files that are there",
            try_="which step makes that file, in which stage, and in which folder?",
        )
    if missing:
        return Wrong(
            "copy-missing",
            saw=f"{named(step)} failed: {missing[1]} is not in {id_}/, "
            "or .dockerignore holds it back",
            want="files that are there",
            try_=f"ls -A {id_}; cat {id_}/.dockerignore",
        )
    if any("exec format error" in line for line in step.log):
        return Wrong(
            "architecture",
            saw=f"{named(step)} failed: exec format error, its program is for another processor",
            want="a base image for the processor of this machine",
            try_="build it without --platform, and from a FROM without it",
        )
    return Wrong(
        "build-fails",
        saw=f"{named(step)} failed: {reason(step)}",
        want="a build that ends well",
        try_=f"docker build {id_}   shows all that it said",
    )


def reason(step: builds.Step) -> str:
    """Why a step failed: in its own words rather than the builder's."""
    code = step.error.rsplit("did not complete successfully: ", 1)[-1]
    lines = [line.strip() for line in step.log if line.strip()]
    lines = [line for line in lines if not line.startswith(("npm notice", "npm warn"))]
    npm = [line.removeprefix("npm error ") for line in lines if line.startswith("npm error ")]
    said = "; ".join(npm[:3]) or next((ln for ln in lines if _ERROR.search(ln)), "")
    return f"{code}: {said or lines[-1]}"[:_LINE] if lines else code[:_LINE]


def named(step: builds.Step) -> str:
    """A step as a message names it."""
    stage = f" of stage {step.stage}" if step.stage else ""
    return f"step {step.number}{stage} `{step.short[:80]}`"
