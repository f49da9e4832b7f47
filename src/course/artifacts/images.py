"""The images the course uses, and where each comes from.

In this order: what Docker has, a bundle that was loaded, a pull of the official image, or the
recipe in `airgap/images/`, which needs package registries only.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from course.artifacts import debian, fetch, node_image, packages, pulls, unbundle
from course.artifacts.docker_build import BUILD_WAIT, build, place, scratch
from course.core import files, paths
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import Runner, default_runner
from course.core.report import Report

RECIPES = paths.ROOT / "airgap" / "images"
KEY = "course.recipe"
"""The label that says which recipe an assembled image was made from; a pulled one has none."""
_EDITION = "2"
"""Of how recipes are built; another one makes all images anew."""


@dataclass(frozen=True)
class Image:
    """One entry of `airgap/images/images.toml`."""

    ref: str
    upstream: str
    recipe: str
    from_: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    source: str = ""
    cost: float = 0.0


@cache
def catalogue() -> dict[str, Image]:
    """All images, by the reference that lessons use."""
    entries = tomllib.loads((RECIPES / "images.toml").read_text())
    return {
        ref: Image(
            ref,
            entry["upstream"],
            entry["recipe"],
            tuple(entry.get("from", ())),
            {**entry.get("files", {}), **entry.get(f"files_{arch()}", {})},
            entry.get("args", {}),
            entry.get("digest", {}).get("index", ""),
            entry["source"],
            entry["cost"],
        )
        for ref, entry in entries.items()
    }


def key(ref: str) -> str:
    """A short hash over everything that an assembled image is made from."""
    image = catalogue()[ref]
    sha = hashlib.sha256()
    for file in sorted((RECIPES / image.recipe).rglob("*")):
        if file.is_file():
            sha.update(file.relative_to(RECIPES).as_posix().encode() + b"\0" + file.read_bytes())
    described = [
        _EDITION,
        arch(),
        *map(packages.fill, image.files.values()),
        *image.args.values(),
    ]
    described += [key(base) for base in image.from_]
    # What is compiled is named by all that it is compiled from.
    described += [packages.entry(s).name for s in image.files.values() if s.startswith("go:")]
    if image.recipe == "kind-node":
        described.append(node_image.key())
    sha.update(json.dumps(described).encode())
    return sha.hexdigest()[:16]


def ensure(ref: str, report: Report, *, runner: Runner | None = None) -> str:
    """Make sure that Docker has an image.

    Args:
        ref: a key of `catalogue()`.
        report: told what is being done.
        runner: runs docker and the rest.

    Returns:
        Where it came from: `present`, `bundle`, `pulled` or `assembled`.

    Raises:
        CourseError: it can be had from none of its sources.
    """
    if ref not in catalogue():
        raise CourseError(f"no image {ref} in airgap/images/images.toml", "a listed image", "")
    runner = runner or default_runner()
    if _present(ref, runner):
        return "present"
    if archive(ref).exists():
        load(archive(ref), ref, report, runner)
        if not assembled(ref, runner=runner):
            _note_pulled(ref)
        return "bundle"
    tried = _pull(catalogue()[ref], report, runner)
    if not tried:
        return "pulled"
    try:
        _assemble(catalogue()[ref], report, runner)
    except CourseError as error:
        error.saw += f"\n      assembled because it could not be pulled: {tried}"
        raise
    return "assembled"


def lacking(
    refs: Iterable[str], *, runner: Runner | None = None, env: Mapping[str, str] | None = None
) -> set[str]:
    """Return the images that would have to be made, and those that they are built on.

    Args:
        refs: keys of `catalogue()`.
        runner: runs docker.
        env: variables for it.
    """
    runner = runner or default_runner()
    found: set[str] = set()
    for ref in refs:
        if _label(ref, runner, env) not in ("", key(ref)) and not archive(ref).exists():
            found |= {ref} | lacking(catalogue()[ref].from_, runner=runner, env=env)
    return found


def can_assemble() -> bool:
    """Whether the recipes can run on this machine: Linux, with mmdebstrap or a way to get it."""
    has = debian.is_root_on_debian() or shutil.which("mmdebstrap") is not None
    return platform.system() == "Linux" and has


def assembled(ref: str, *, runner: Runner | None = None) -> bool:
    """Whether the image that Docker has was made here and not pulled."""
    return bool(_label(ref, runner or default_runner()))


def _label(ref: str, runner: Runner, env: Mapping[str, str] | None = None) -> str | None:
    """The recipe's label of an image: empty if it has none, `None` if there is no such image."""
    facts = _inspected(ref, runner, env)
    return facts[0] if facts else None


def _inspected(
    ref: str, runner: Runner, env: Mapping[str, str] | None = None
) -> tuple[str, str, list[str]] | None:
    """Of an image: its recipe's label, its processor, its digests; `None` if there is none."""
    form = f'{{{{index .Config.Labels "{KEY}"}}}}|{{{{.Architecture}}}}|{{{{json .RepoDigests}}}}'
    argv = ["docker", "image", "inspect", ref, "--format", form]
    done = runner.run(argv, timeout=30, check=False, env=env)
    if done.code != 0:
        return None
    label, processor, digests = (*done.stdout.strip().split("|", 2), "", "")[:3]
    return label, processor or arch(), json.loads(digests or "null") or []


def foreign(
    *, runner: Runner | None = None, env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The images of the catalogue that Docker has for another processor, and for which.

    Args:
        runner: runs docker.
        env: variables for it.
    """
    argv = ["docker", "image", "inspect", *catalogue(), "--format"]
    argv += ["{{.Architecture}} {{json .RepoTags}}"]
    # Those that are not there are told on standard error; those that are, in their order.
    done = (runner or default_runner()).run(argv, timeout=30, env=env, check=False)
    facts = [line.partition(" ") for line in done.stdout.splitlines() if line.strip()]
    return {
        tag: processor
        for processor, _, tags in facts
        if processor != arch()
        for tag in json.loads(tags or "[]")
        if tag in catalogue()
    }


def _present(ref: str, runner: Runner) -> bool:
    facts = _inspected(ref, runner)
    if facts is None:
        return False
    label, processor, digests = facts
    if processor != arch():
        raise CourseError(
            f"Docker has an image {ref} for another processor: {processor}",
            f"one for {arch()}",
            f"docker image rm {ref}   (or docker tag it to keep it); then: course up",
        )
    if not label:
        # Pulled, and good; another one than we pulled is the learner's own choice.
        pulls.accept(catalogue()[ref].upstream, digests)
    return label in ("", key(ref))  # one of ours is good if its recipe is today's


def remove(*, runner: Runner | None = None) -> None:
    """Remove the images that the course assembled or pulled itself; others of a name stay."""
    runner = runner or default_runner()
    for ref in [*catalogue(), "course/rootfs:bookworm", "course/kind-base:latest"]:
        facts = _inspected(ref, runner)
        label, _, digests = facts or (None, "", [])
        if label or ref.startswith("course/") or (label is not None and ref in _pulled()):
            runner.run(["docker", "image", "rm", "--force", ref], timeout=120, check=False)
            # With containerd's store the name by which it was pulled stays otherwise.
            name = ref.rpartition(":")[0]
            for entry in (d for d in digests if d.startswith(f"{name}@") and not label):
                runner.run(["docker", "image", "rm", entry], timeout=120, check=False)


def _note_pulled(ref: str) -> None:
    files.atomic_write(paths.cache() / "pulled.json", json.dumps(sorted({*_pulled(), ref})))


def _pulled() -> list[str]:
    file = paths.cache() / "pulled.json"
    return list(json.loads(file.read_text())) if file.exists() else []


def _pull(image: Image, report: Report, runner: Runner) -> str:
    """Pull an image; what is in the way, if it can be assembled instead.

    Raises:
        CourseError: the network or the registry is in the way, and assembling does not help.
    """
    if fetch.offline():
        if not can_assemble():
            raise CourseError(
                f"{fetch.OFFLINE}=1 is set, and images are assembled on Debian and Ubuntu only",
                f"the image {image.ref}",
                f"unset {fetch.OFFLINE}; or a bundle: course bundle load FILE",
            )
        return f"{fetch.OFFLINE}=1 is set"
    try:
        pulls.pull(pulls.Wanted(image.upstream, image.ref, image.digest), report, runner)
    except fetch.UnreachableError as error:
        if not can_assemble():
            raise
        report(f"{error.saw}; assembling {image.ref}", None)
        return error.saw
    except CourseError as error:
        if can_assemble():
            instead = f"or: {fetch.OFFLINE}=1 course up   assembles it from package registries"
            error.try_ = f"{error.try_}; {instead}"
        raise
    _note_pulled(image.ref)
    return ""


def _assemble(image: Image, report: Report, runner: Runner) -> None:
    for base in image.from_:
        ensure(base, report, runner=runner)
    with tempfile.TemporaryDirectory(prefix="course-", dir=scratch()) as temporary:
        context = Path(temporary)
        shutil.copytree(RECIPES / image.recipe, context, dirs_exist_ok=True)
        for name, source in image.files.items():
            place(packages.resolve(source, report, runner=runner), context / name)
        special: dict[str, Callable[[Path, Report, Runner], None]] = {
            "debian": _rootfs,
            "kind-node": node_image.prepare,
        }
        if image.recipe in special:
            special[image.recipe](context, report, runner)
        tag = "course/kind-base:latest" if image.recipe == "kind-node" else image.ref
        labels = {KEY: key(image.ref)}
        build(context, tag, report, runner, labels=labels, args=image.args)
        if image.recipe == "kind-node":
            node_image.finish(image.ref, context, report, runner)


def archive(ref: str) -> Path:
    """Where a bundle's copy of an image lies; another recipe has another name."""
    name = ref.replace("/", "_").replace(":", "_")
    return paths.cache() / "images" / f"{name}-{key(ref)}.tar"


def load(file: Path, ref: str, report: Report, runner: Runner) -> None:
    """Load an image from a bundle's copy of it, if that is what it was.

    Args:
        file: the archive; its checksum is beside it.
        ref: the name it gets.
        report: told what is being done.
        runner: runs docker.

    Raises:
        CourseError: the archive is damaged; it is removed, so that the bundle gives it anew.
    """
    report(f"loading {ref} from the bundle", None)
    sums = unbundle.checksum(file)
    if not sums.exists() or fetch.digest(file) != sums.read_text().strip():
        file.unlink()
        raise CourseError(
            f"the bundle's copy of {ref} in the cache, {file.name}, is damaged",
            "what its checksum says",
            "course bundle load FILE   again; then: course up",
        )
    loaded = runner.run(["docker", "load", "--quiet", "--input", file], timeout=BUILD_WAIT).stdout
    named = loaded.strip().removeprefix("Loaded image: ")
    if named != ref:
        runner.run(["docker", "tag", named, ref], timeout=30)


def _rootfs(context: Path, report: Report, runner: Runner) -> None:
    """Debian's minimal root with this machine's certificates and package sources."""
    debian.assemble(report, runner=runner)
    archive = context / "rootfs.tar"
    report("Debian packages into a root folder", None)
    suite = "bookworm"
    runner.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", suite, archive],
        timeout=600,
        try_="apt-get install mmdebstrap, then course up",
    )
    runner.run(["docker", "import", archive, "course/rootfs:bookworm"], timeout=300)
    archive.unlink()
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", context / "ca-certificates.crt")
    for name in ("sources.list", "sources.list.d", "apt.conf.d"):
        source = Path("/etc/apt") / name
        if source.exists():
            place(source, context / "apt" / name)
