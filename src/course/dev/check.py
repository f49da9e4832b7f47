"""Check the sources of the course without an engine: what a reader would trip over."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from course.artifacts import tools
from course.core import manifest
from course.core.errors import CourseError
from course.dev import build, messages, proofs
from course.dev.uses import plain

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_PUBLIC = re.compile(r"\b(github\.com|docs\.docker\.com|hub\.docker\.com|pypi\.org)/\S+")
FACES = ("course", "course.measure", "course.views")
"""The modules that lessons import."""
FEWEST_WRONG = 4
FEWEST_OTHERS = 3
"""Right answers beside the solution."""
FEWEST_HINTS = 2


def problems(root: Path, *, bank: str = "tests.bank") -> list[str]:
    """What is wrong, a line each; empty if all is well.

    Args:
        root: the folder with `course.toml`.
        bank: the package with the modules of wrong and alternative answers.
    """
    try:
        course = manifest.load(root / "course.toml")
        made = build.build(root)
        found = [*_drift(root, made | build.others(root)), *_unlisted(root, course)]
    except CourseError as error:
        return [error.saw]
    found += [*proofs.problems(root), *messages.problems(root)]
    for lesson in course.lessons:
        if not (lesson.test_seconds.lesson and lesson.test_seconds.solution):
            found.append(f"course.toml, {lesson.stem}: no test_seconds of its lesson and solution")
        name = f"{lesson.stem}.ipynb"
        notebooks = {
            k: json.loads(made[Path(k) / name]) for k in ("notebooks", "labs", "solutions")
        }
        for kind, notebook in notebooks.items():
            found += _commands(f"{kind}/{name}", notebook)
            found += _imports(f"{kind}/{name}", notebook)
        found += _predictions(f"notebooks/{name}", notebooks["notebooks"])
        found += _exercises(lesson, notebooks["labs"], notebooks["solutions"])
        found += _bank(lesson, bank)
    if (root / "airgap").exists():
        found += _catalogue(root / "airgap")
    return found + list(_links(root))


def seconds(root: Path) -> str:
    """Say how long all lessons and all solutions take in the tests, by what course.toml states.

    Args:
        root: the folder with `course.toml`.
    """
    stated = [lesson.test_seconds for lesson in manifest.load(root / "course.toml").lessons]
    lessons, solutions = sum(s.lesson for s in stated), sum(s.solution for s in stated)
    return f"test_seconds: {lessons} s of lessons, {solutions} s of solutions"


def _catalogue(folder: Path) -> Iterator[str]:
    """What is pulled and downloaded is public, its digests too, and of one version everywhere."""
    read = {
        name: tomllib.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("images/images.toml", "releases.toml", "go/tools.toml")
    }
    for ref, image in read["images/images.toml"].items():
        where, digest = f"airgap/images/images.toml, {ref}", image.get("digest", {})
        if not _PUBLIC.search(image.get("source", "")):
            yield f"{where}: no public source"
        if digest and not _PUBLIC.search(digest.get("source", "")):
            yield f"{where}: a digest without a public source"
        if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest.get("index", "")):
            yield f"{where}: its digest is none"
        if not image.get("cost"):
            yield f"{where}: no cost, the seconds that assembling it takes"
        if not image["upstream"].endswith(f"/{ref}"):
            yield f"{where}: upstream is {image['upstream']}"
    for name, release in read["releases.toml"].items():
        where, sums = f"airgap/releases.toml, {name}", dict(release.get("sha256", {}))
        source, version = sums.pop("read", ""), tools.RELEASES[name].version
        if not _PUBLIC.search(release.get("source", "")):
            yield f"{where}: no public source"
        if sums and not re.search(r"github\.com/|sigs\.k8s\.io/", source):
            yield f"{where}: checksums without a public source"
        for platform, value in sums.items():
            if platform not in (*tools.PLATFORMS, "any") or not re.fullmatch("[0-9a-f]{64}", value):
                yield f"{where}: {platform} = {value} is no sha256 of a platform"
        if not version or version not in release.get("checksum", version):
            yield f"{where}: its addresses are not of one version"
    yield from _versions(folder, read["images/images.toml"], read["go/tools.toml"])


def _versions(folder: Path, images: dict[str, Any], built: dict[str, Any]) -> Iterator[str]:
    """Both roads give the same: what is released, pulled, and built."""
    kubernetes = tools.KUBERNETES
    staging = kubernetes.replace("v1.", "v0.")
    module = (folder / "go" / "kubernetes" / "go.mod").read_text(encoding="utf-8")
    others = set(re.findall(r"^\s*k8s\.io/kubernetes (v\S+)", module, re.MULTILINE))
    others |= {f"v1.{v[3:]}" for v in re.findall(r"=> k8s\.io/\S+ (v0\.\S+)", module)}
    others |= {ref.partition(":")[2] for ref in images if ref.startswith("kindest/node:")}
    stamps = built["kubernetes"]["stamps"]
    others |= {value for name, value in stamps.items() if name.endswith("gitVersion")}
    for other in sorted(others - {kubernetes}):
        yield f"Kubernetes is {kubernetes} (or {staging}) in releases.toml and {other} elsewhere"
    kind = re.findall(r"^\s*sigs\.k8s\.io/kind (v\S+)", module, re.MULTILINE)
    for name, seen, want in (
        ("kind", kind[0] if kind else "", tools.KIND),
        ("docker", _stamp(built, "cli", "version.Version"), tools.DOCKER),
        ("dockerd", _stamp(built, "moby", "dockerversion.Version"), tools.DOCKER),
        ("buildx", _stamp(built, "buildx", "version.Version"), tools.BUILDX),
    ):
        if seen != want:
            yield f"{name} is {want} in releases.toml and {seen} in airgap/go"


def _stamp(built: dict[str, Any], module: str, variable: str) -> str:
    stamps = built[module]["stamps"].items()
    return next((str(value) for name, value in stamps if name.endswith(variable)), "")


def _drift(root: Path, made: dict[Path, bytes]) -> Iterator[str]:
    for path, content in made.items():
        target = root / path
        if not target.exists():
            yield f"{path} is missing: course dev build"
        elif target.read_bytes() != content:
            yield f"{path} is not what its source makes: course dev build"


def _unlisted(root: Path, course: manifest.Manifest) -> Iterator[str]:
    stems = {lesson.stem for lesson in course.lessons}
    for path in sorted((root / "content").iterdir()):
        stem = path.name.removesuffix(".md").removesuffix(".lab")
        if path.suffix != ".md" or stem not in stems:
            yield f"content/{path.name} is not listed in course.toml"
    for folder in ("notebooks", "labs", "solutions"):
        for path in sorted((root / folder).glob("*")):
            if path.stem not in stems:
                yield f"{folder}/{path.name} is not listed in course.toml"


def _code(notebook: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            source = cell["source"]
            text = source if isinstance(source, str) else "".join(source)
            yield cell["id"], text, cell["metadata"].get("tags", [])


def _commands(where: str, notebook: dict[str, Any]) -> Iterator[str]:
    for id_, source, _ in _code(notebook):
        first = source.lstrip().split("\n", 1)[0]
        if first.startswith("%%bash") and first.strip() != "%%bash -euo pipefail":
            yield f"{where}, cell {id_}: `{first}` hides errors; want `%%bash -euo pipefail`"
        elif first.startswith("%%") and not first.startswith("%%bash"):
            yield f"{where}, cell {id_}: `{first.split()[0]}`: want `%%bash -euo pipefail`"
        if first.startswith("%%"):
            continue
        for line in source.splitlines():
            if line.lstrip().startswith("!"):
                yield f"{where}, cell {id_}: `{line.strip()}` hides its exit code; use %%bash"


def _imports(where: str, notebook: dict[str, Any]) -> Iterator[str]:
    """A lesson imports of ours the three faces alone: what is behind them may move."""
    for id_, source, _ in _code(notebook):
        try:
            tree = ast.parse(plain(source))
        except SyntaxError:
            continue  # another language
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("course.") and name not in FACES and not _is_public(name):
                    faces = ", ".join(f"`{face}`" for face in FACES)
                    yield f"{where}, cell {id_}: imports `{name}`; a lesson imports {faces} alone"


def _is_public(name: str) -> bool:
    """Say whether a dotted name is one of a face's public ones."""
    face, _, public = name.rpartition(".")
    return face in FACES and public in importlib.import_module(face).__all__


def _predictions(where: str, notebook: dict[str, Any]) -> Iterator[str]:
    """What is compared has been asked for in a cell above, in the same unit."""
    asked: dict[str, str] = {}
    for id_, source, _ in _code(notebook):
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue  # another language, or IPython's own
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = ast.unparse(node.func).removeprefix("course.")
            name = ast.unparse(node.args[0])
            unit = next((ast.unparse(k.value) for k in node.keywords if k.arg == "unit"), "")
            if called == "predict":
                asked[name] = unit
            elif called == "compare" and asked.get(name) != unit:
                yield (
                    f"{where}, cell {id_}: compare({name}, unit={unit}) "
                    f"without predict({name}, unit={unit}) above"
                )


def _exercises(
    lesson: manifest.Lesson, lab: dict[str, Any], solution: dict[str, Any]
) -> Iterator[str]:
    stubs, solved = list(_code(lab)), list(_code(solution))
    for exercise in lesson.exercises:
        if len(exercise.hints) < FEWEST_HINTS:
            yield f"{exercise.id} has {len(exercise.hints)} hints; want {FEWEST_HINTS} or more"
        for kind, cells in (("lab", stubs), ("solution", solved)):
            if not _span(cells, exercise.id):
                yield f"{exercise.id}: the {kind} has no begin(…) cell with its check(…) after it"
        if _span(stubs, exercise.id) and _span(stubs, exercise.id) == _span(solved, exercise.id):
            yield f"{exercise.id}: its stub is its own solution"
    for id_, source, tags in solved:
        if "check" in tags and "nbval-check-output" not in tags:
            yield f"solutions/{lesson.stem}.ipynb, cell {id_}: the check is not armed"
        if build.CHECK.fullmatch(source.strip()) and "check" not in tags:
            yield f"content/{lesson.stem}.lab.md, cell {id_}: a check without the tag `check`"


def _span(cells: list[tuple[str, str, list[str]]], id_: str) -> list[str]:
    """The sources from an exercise's start state to its check."""
    sources = [source.strip() for _, source, _ in cells]
    begin = next((i for i, s in enumerate(sources) if s == f'begin("{id_}")'), None)
    end = next((i for i, s in enumerate(sources) if s == f'check("{id_}")'), None)
    return sources[begin : end + 1] if begin is not None and end is not None and begin < end else []


def _bank(lesson: manifest.Lesson, package: str) -> Iterator[str]:
    name = f"{package}.{lesson.module}"
    try:
        module = _import(name)
    except ModuleNotFoundError:
        yield f"{lesson.stem} has no bank: {name.replace('.', '/')}.py"
        return
    for exercise in lesson.exercises:
        answers = module.BANK.get(exercise.id, [])
        wrong = [answer.cause for answer in answers if answer.cause]
        kinds = {answer.kind for answer in answers if answer.cause}
        others = sum(answer.kind == "alternative" for answer in answers if not answer.cause)
        if len(wrong) < FEWEST_WRONG:
            yield f"{exercise.id} has {len(wrong)} wrong answers; want {FEWEST_WRONG} or more"
        if others < FEWEST_OTHERS:
            said = f"{others} right answers beside the solution; want {FEWEST_OTHERS}"
            yield f"{exercise.id} has {said}"
        cannot = module.CANNOT.get(exercise.id, {})
        for kind in _import(package).WAYS:
            if (kind in kinds) == (kind in cannot):
                yield (
                    f"{exercise.id}: want either a wrong answer of the kind `{kind}`, or in "
                    "CANNOT why there is none"
                )


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _links(root: Path) -> Iterator[str]:
    """Relative links of sources and pages; a notebook's copy in `work/` has the same neighbours."""
    pages = [*root.glob("*.md"), *root.glob("content/*.md"), *root.glob("docs/**/*.md")]
    for page in sorted([*pages, *root.glob("a*/**/README.md")]):
        if "node_modules" in page.parts:
            continue
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for match in _LINK.finditer(line):
                target = (match[1] or match[2]).split("#")[0]
                if not target or re.match(r"[a-z]+:", target):
                    continue
                if not (page.parent / target).exists():
                    yield f"{page.relative_to(root)}, line {number}: {target} is not there"
