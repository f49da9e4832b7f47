"""Build and rebuild from a copy of the learner's folder, and say what is wrong in their terms.

A check never builds in the learner's own folder: it edits a copy. What a machine has made there
(`node_modules`, `dist`) is not copied, as it is in no fresh clone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from course.core import duplicate
from course.core.text import printable
from course.exercises.kit import bases, clients
from course.exercises.kit.build_errors import decode, wrong_build
from course.exercises.kit.verdict import EDIT_MISSING, Wrong
from course.measure import builds, leftovers

GENERATED = ("node_modules", "dist", ".git")
_NOT_UTF8 = "invalid UTF-8"
_DOCKERFILES = ("Dockerfile", "dockerfile")
_BUILD_WAIT = 120.0


class Copy:
    """A copy of an exercise's folder, to build from and to edit.

    Args:
        id_: the exercise.
        source: its folder.
        without: names of files and folders that are left out, wherever they are.
        any_base: why a build may stand on an image that only this machine has, if it may.
    """

    def __init__(
        self, id_: str, source: Path, without: tuple[str, ...] = GENERATED, any_base: str = ""
    ) -> None:
        self._id = id_
        self._any_base = any_base
        self._bases: set[str] = set()  # that another machine can have too
        self.nonce = secrets.token_hex(6)
        self.tag = leftovers.tag(f"{id_}-{self.nonce}")
        self.called = f"$(docker build -q {id_})"
        """How messages name what was built: as the learner makes it."""
        if not source.is_dir():
            raise Wrong(
                "no-folder",
                saw=f"the folder {id_}/ is not there",
                want="the exercise's folder",
                try_=f"course reset {id_}",
            )
        self.folder = leftovers.folder()
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
            clients.docker().api.remove_image(self.tag, force=True)

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
        self.accept(build, wait=wait)
        return build

    def attempt(self, *options: object, wait: float = _BUILD_WAIT) -> builds.Build:
        """Build the copy's `Dockerfile`; that it fails is a result too.

        Args:
            options: of `docker build`.
            wait: deadline in seconds.

        Raises:
            Wrong: there is no Dockerfile, or it is not UTF-8; or the build stands on an image that
                only this machine has (`base-only-here`).
            CourseError: no Docker answers.
        """
        dockerfile = self._find_dockerfile()
        if self.tag in options:
            self._remove_image()  # else a rebuild would leave it behind without a name
        build = builds.run(self.folder, *options, wait=wait, env=clients.env())
        if build.error and not build.failed:
            # Docker bears another encoding, say in a comment, as long as it need not read it.
            decode(dockerfile, f"{self._id}/{dockerfile.name}", self._id)
            if _NOT_UTF8 in build.error:
                self._named_in_utf8()
        if not build.error and not self._any_base:
            self._judge_bases(build)
        return build

    def _judge_bases(self, build: builds.Build) -> None:
        for ref in build.images:
            if ref in self._bases:
                continue
            if why := bases.why_only_here(ref, clients.variable("REGISTRY"), clients.env()):
                raise bases.only_here(ref, why)
            self._bases.add(ref)

    def _named_in_utf8(self) -> None:
        for path in self.folder.rglob("*"):
            try:
                path.name.encode()
            except UnicodeEncodeError as error:
                name = printable(str(path.relative_to(self.folder)))
                raise Wrong(
                    "name-not-utf8",
                    saw=f"the name of {self._id}/{name} is not UTF-8, and Docker does not "
                    "send a folder with such a name",
                    want="names in UTF-8",
                    try_=f"ls -lb {self._id}   then rename it, or move it out of the folder",
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
        build = self.edit(edits, *options, wait=wait)
        self.accept(build, edits, wait=wait)
        return build

    def edit(
        self, edits: Mapping[str, str], *options: object, wait: float = _BUILD_WAIT
    ) -> builds.Build:
        """Edit files of the copy and build it again; that it fails is a result too.

        The arguments are those of `rebuild`.

        Raises:
            Wrong, CourseError: as in `attempt`.
        """
        for name, text in edits.items():
            self.write(name, text)
        return self.attempt("--tag", self.tag, *options, wait=wait)

    def accept(
        self, build: builds.Build, edits: Collection[str] = (), *, wait: float = _BUILD_WAIT
    ) -> None:
        """Go on with a build only if it made an image, and of what was edited.

        Args:
            build: what `attempt` or `edit` returned.
            edits: the names of the files that were edited before it.
            wait: the deadline that it had, in seconds.

        Raises:
            Wrong: as in `build`; no step took the edit in (`edit-missing`).
        """
        if build.error:
            raise wrong_build(build, self._id, wait)
        if edits and not build.ran:
            raise Wrong(
                EDIT_MISSING,
                saw=f"after an edit of {', '.join(edits)} every step came from the cache",
                want="an image made from the edited file",
                try_="which COPY brings that file in? and what does .dockerignore hold back?",
            )

    def _find_dockerfile(self) -> Path:
        """The copy's Dockerfile, under one of the names by which Docker finds it."""
        id_ = self._id
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
