"""What the parts of the clone are made of: a graph whose nodes are files and entries of files.

A node is named as a reader would: a path in the clone (`src/course/exercises/kit/lab.py`,
`apps/orders`), an entry (`course.toml: containers-1`, `airgap/images/images.toml: node:24-slim`,
`solutions/01-containers.ipynb: containers-1`, the cells that solve it) or a command
(`course goto`). Each has a hash of its content and leads to the nodes that it uses:

* a module to the modules behind the names that it imports, the packages around them, the files
  that it names by its own place, `-m` modules and `course` commands that it starts. A name of a
  face leads to the module that it is loaded from, not to the face's other modules;
* a notebook, or a file of tests, also to what its strings reach: an exercise's id to its entry, its
  module, its start files; a lesson's stem to its entry and the add-ons of what it needs;
* each of them to the images of the catalogue that it names, and to the service `orders` where it
  names that (a module: its folder);
* an image to its recipe, the images below it, and the Go modules that it is compiled from; a
  release to the Go modules that stand in for it.

Of an entry only what runs is hashed: no minutes, no hints, no costs, no citations.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from course.artifacts.node_image import MODULES
from course.core.errors import CourseError
from course.core.names import CAPABILITIES
from course.dev.solutions import tasks
from course.dev.things import BANK, FOLDERS, Kind, module_of
from course.dev.uses import Uses, commands, imported_in, plain, uses

_CLI = "course.cli"
_EXERCISES = "course.exercises"
_ADDONS = "course.engine.addons"
_ORDERS, _CLUSTER = "orders", "cluster"
"""Needs of a lesson, as in `names.CAPABILITIES`."""
SERVICE = f"apps/{_ORDERS}"
_SERVICE_NAMED = re.compile(r"\b(orders|ORDERS_URL)\b")
_COURSE = "course.toml"
_IMAGES = "airgap/images/images.toml"
_RELEASES = "airgap/releases.toml"
_GO = "airgap/go/tools.toml"
_FIRST_LESSON = "lessons[0]"
"""How a file of tests names the lesson that it runs, whichever that is."""
_COMMAND = re.compile(r"(?<![\w./$-])course((?:[ \t]+[a-z][a-z-]*){1,2})")
_NOT_SOURCE = {"node_modules", "dist", "__pycache__"}
_NOT_RUN = ("minutes", "test_seconds", "hints")
"""What an entry of course.toml says to readers and to the suite, not to what runs."""
_ARMED_TAG, _ARMED_LINE = "nbval-check-output", "NBVAL_CHECK_OUTPUT"


def lesson(stem: str) -> str:
    """The node of a lesson's entry."""
    return f"{_COURSE}: {stem}"


def exercise(id_: str) -> str:
    """The node of an exercise's entry."""
    return f"{_COURSE}: {id_}"


def hashed(value: object) -> str:
    """A hash over a text, or over anything that JSON can hold."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.lru_cache(maxsize=2)
def graph_of(root: Path) -> Dependencies:
    """The graph of a clone, read once in a process.

    Args:
        root: the clone's folder, resolved.
    """
    return Dependencies(root)


class Dependencies:
    """The graph of one clone.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, str] = {}
        self._hashes: dict[str, str] = {}
        self._edges: dict[str, frozenset[str]] = {}
        self._modules = {**self._named("src/course", "src"), **self._named("tests", "")}
        course = self._toml(_COURSE)
        self._lessons: dict[str, Any] = {e["stem"]: e for e in course.get("lessons", [])}
        self._exercises = {
            entry["id"]: (stem, entry)
            for stem, one in self._lessons.items()
            for entry in one.get("exercises", [])
        }
        self._images = self._toml(_IMAGES)
        self._releases = self._toml(_RELEASES)
        self._go = self._toml(_GO)
        self._ids, self._stems = _any_of(self._exercises), _any_of(self._lessons)
        self._image_names = {f"{ref.rpartition(':')[0]}:" for ref in self._images}
        self._refs = re.compile(
            r"(?<![\w./-])(?:docker\.io/)?(?:library/)?"
            rf"((?:{_either(self._images)})(?![\w.-])|(?:{_either(self._image_names)})(?=[{{$]))"
        )
        self._commands = commands(self._text(self._modules[_CLI])) if _CLI in self._modules else {}

    def reached(self, nodes: Iterable[str]) -> set[str]:
        """These nodes and all that they are made of.

        Raises:
            CourseError: a file is missing, or cannot be read.
        """
        found: set[str] = set()
        left = list(nodes)
        while left:
            node = left.pop()
            if node not in found:
                found.add(node)
                left += self._next(node)
        return found

    def hash(self, node: str) -> str:
        """The hash of a node's own content.

        Raises:
            CourseError: a file is missing, or cannot be read.
        """
        if node not in self._hashes:
            self._hashes[node] = self._hash(node)
        return self._hashes[node]

    def tools(self) -> list[str]:
        """The nodes of the releases that an engine is made of."""
        return [f"{_RELEASES}: {name}" for name, e in self._releases.items() if "commands" in e]

    # -- the clone

    def _named(self, folder: str, below: str) -> dict[str, str]:
        """Dotted name → path of every module in a folder."""
        found = {}
        for file in sorted((self._root / folder).rglob("*.py")):
            path = PurePosixPath(file.relative_to(self._root).as_posix())
            words = path.relative_to(below).with_suffix("").parts
            found[".".join(words[:-1] if words[-1] == "__init__" else words)] = str(path)
        return found

    def _text(self, path: str) -> str:
        if path not in self._texts:
            try:
                self._texts[path] = (self._root / path).read_text(encoding="utf-8")
            except FileNotFoundError as error:
                raise CourseError(
                    f"{path} is missing",
                    "every file that a proof is about",
                    "course dev build   writes what is generated; git status   shows what is gone",
                ) from error
            except UnicodeDecodeError as error:
                raise CourseError(f"{path}: {error}", "UTF-8", "") from error
        return self._texts[path]

    def _toml(self, path: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text(path))
        except tomllib.TOMLDecodeError as error:
            raise CourseError(f"{path}: {error}", "TOML", "") from error

    def _files(self, path: str) -> list[str]:
        """The files of a folder, at any depth; of a file itself; none if there is no such thing."""
        place = self._root / path
        if not place.is_dir():
            return [path] if place.exists() else []
        return sorted(
            file.relative_to(self._root).as_posix()
            for file in place.rglob("*")
            if file.is_file() and not _NOT_SOURCE & set(file.relative_to(place).parts)
        )

    def _cells(self, path: str) -> list[dict[str, Any]]:
        """The code cells of a notebook; their sources as one text each."""
        try:
            cells = json.loads(self._text(path))["cells"]
            code = [cell for cell in cells if cell["cell_type"] == "code"]
            return [{**cell, "source": "".join(cell["source"])} for cell in code]
        except (ValueError, KeyError, TypeError) as error:
            raise CourseError(
                f"{path} is no notebook: {error}", "a notebook", "course dev build"
            ) from error

    # -- hashes

    def _hash(self, node: str) -> str:
        file, _, entry = node.partition(": ")
        command = node.removeprefix("course ")
        if entry:
            return hashed(self._entry(file, entry))
        if command in self._commands:
            return hashed(self._commands[command])
        if node.endswith(".ipynb"):
            return hashed([_what_runs(cell) for cell in self._cells(node)])
        if node.endswith(".py"):
            return hashed(self._uses(node).text)
        files = self._files(node)
        if not files:
            self._text(node)  # says that it is missing
        hashes = [hashlib.sha256((self._root / name).read_bytes()).hexdigest() for name in files]
        return hashes[0] if files == [node] else hashed([files, hashes])

    def _entry(self, file: str, entry: str) -> object:
        """What of an entry of a file changes a run."""
        if file.endswith(".ipynb"):
            return tasks(self._cells(file), entry)
        if file == _GO:
            return _without(self._go[entry], ("cost",))
        if file == _IMAGES:
            image = self._images[entry]
            digest = image.get("digest", {}).get("index", "")
            return [_without(image, ("source", "digest", "cost")), digest]
        if file == _RELEASES:
            # Its address holds the version; checksums are added for another platform's sake.
            release = self._releases[entry]
            return [release["url"], release.get("commands", {}), release.get("darwin", [])]
        return _without(self._listed(entry), (*_NOT_RUN, "exercises"))

    def _listed(self, name: str) -> Mapping[str, Any]:
        """The entry of a lesson or an exercise in course.toml."""
        if name in self._exercises:
            return dict(self._exercises[name][1])
        if name in self._lessons:
            return dict(self._lessons[name])
        raise CourseError(
            f"no lesson or exercise {name} in {_COURSE}", "a listed one", "course list"
        )

    # -- edges

    def _next(self, node: str) -> frozenset[str]:
        if node not in self._edges:
            self._edges[node] = frozenset(self._leads_to(node))
        return self._edges[node]

    def _leads_to(self, node: str) -> Iterator[str]:
        file, _, entry = node.partition(": ")
        if entry:
            yield from self._of_entry(file, entry)
        elif node.endswith(".ipynb"):
            yield from self._of_notebook(node)
        elif node.endswith(".py") or node.removeprefix("course ") in self._commands:
            yield from self._of_module(node)
        elif node == SERVICE:
            for name in self._files(node):
                yield from self._images_in(self._text(name))

    def _of_entry(self, file: str, entry: str) -> Iterator[str]:
        if file.endswith(".ipynb"):
            yield from self._images_in("\n".join(tasks(self._cells(file), entry)))
        elif file == _COURSE:
            yield from self._of_listed(entry)
        elif file == _IMAGES:
            image = self._images[entry]
            yield f"airgap/images/{image['recipe']}"
            yield from (f"{_IMAGES}: {ref}" for ref in image.get("from", ()))
            for name, sources in image.items():
                if name.startswith("files"):
                    yield from self._compiled(sources.values())
            if image["recipe"] == "kind-node":
                # Put together by kind, of images that are built beside it.
                yield "airgap/images/kind-components"
                yield from (f"{_GO}: {module}" for module in MODULES)
        elif file == _RELEASES:
            yield from self._compiled(self._releases[entry].get("commands", {}).values())
        elif file == _GO:
            yield f"airgap/go/{entry}"

    def _compiled(self, sources: Iterable[str]) -> Iterator[str]:
        """The Go modules behind sources like `go:kubernetes/kubectl`."""
        found = (re.match("go:([^/]+)", source) for source in sources)
        yield from (f"{_GO}: {match[1]}" for match in found if match)

    def _of_listed(self, name: str) -> Iterator[str]:
        """What an exercise or a lesson is made of beside its entry."""
        needs = self._listed(name).get("needs", ())
        if _ORDERS in needs:
            yield SERVICE
        for module in self._modules:
            package, _, addon = module.rpartition(".")
            # An add-on that is called like a need goes with it; others belong to any cluster.
            need = addon if addon in CAPABILITIES else _CLUSTER
            if package == _ADDONS and addon != "addon" and need in needs:
                yield from self._behind(module)
        if name in self._exercises:
            module = f"{_EXERCISES}.{module_of(self._exercises[name][0])}"
            if module not in self._modules:
                raise CourseError(
                    f"{name} has no start state and no check",
                    f"a module {module}",
                    "course dev new",
                )
            yield from self._behind(module)
            files = PurePosixPath(self._modules[_EXERCISES]).with_name("files")
            # What is only for its start state or its check is beside them, in `NAME.what`.
            for folder in sorted((self._root / files).glob(f"{name}*")):
                if folder.name.partition(".")[0] == name:
                    yield str(files / folder.name)

    def _of_notebook(self, path: str) -> Iterator[str]:
        cells = self._cells(path)
        code = "\n".join(cell["source"] for cell in cells)
        python = [plain(cell["source"]) for cell in cells]
        yield from self._of_uses(self._read("\n".join(python), path))
        for cell, text in zip(cells, python, strict=True):
            for dotted in imported_in(cell["source"]) if not text else ():
                yield from self._behind(dotted)
        said = [" ".join(words.split()) for words in _COMMAND.findall(code)]
        for name in self._commands:
            if any(f"{words} ".startswith(f"{name} ") for words in said):
                yield f"course {name}"
        yield from map(exercise, self._ids.findall(code))
        yield from map(lesson, self._stems.findall(code))
        yield from self._images_in(code)
        if _SERVICE_NAMED.search(code):
            yield SERVICE

    def _of_module(self, node: str) -> Iterator[str]:
        used = self._uses(node)
        yield from self._of_uses(used)
        yield from (str(place) for place in used.data if self._files(str(place)))
        yield from self._images_in(used.text)
        yield from (f"{_RELEASES}: {name}" for name in used.words & set(self._releases))
        if ("apps", _ORDERS) in used.pairs:
            yield SERVICE
        if node.startswith("tests/"):
            if _SERVICE_NAMED.search(used.text):
                yield SERVICE
            # A bank names all exercises of its lesson; an answer is about its own.
            if not node.startswith(f"{BANK}/"):
                yield from self._of_tests(used.text)

    def _of_tests(self, text: str) -> Iterator[str]:
        """What the strings of a file of tests reach: it may run lessons and labs."""
        yield from map(exercise, self._ids.findall(text))
        stems = set(self._stems.findall(text))
        if _FIRST_LESSON in text:
            stems |= set(list(self._lessons)[:1])
        for stem in stems:
            yield lesson(stem)
            yield from (f"{FOLDERS[kind]}/{stem}.ipynb" for kind in (Kind.LESSON, Kind.LAB))

    def _images_in(self, text: str) -> Iterator[str]:
        """The images that a text names; all of a name whose tag is filled in there."""
        if not any(name in text for name in self._image_names):
            return  # most texts, and told faster than by the pattern
        for named in set(self._refs.findall(text)):
            refs = [ref for ref in self._images if ref == named or ref.startswith(named)]
            yield from (f"{_IMAGES}: {ref}" for ref in refs if ref == named or named[-1] == ":")

    # -- modules

    def _uses(self, node: str) -> Uses:
        """What a module uses, or a command."""
        command = self._commands.get(node.removeprefix("course "))
        if command is not None:
            return self._read(command, self._modules[_CLI])
        return self._read(self._text(node), node)

    def _read(self, text: str, path: str) -> Uses:
        package = path.removeprefix("src/").rpartition("/")[0].replace("/", ".")
        code = path.startswith("tests/")
        try:
            return uses(text, PurePosixPath(path), package=package, code=code)
        except SyntaxError as error:
            raise CourseError(f"{path}: {error.msg}: {error.text}", "Python", "") from error

    def _of_uses(self, used: Uses) -> Iterator[str]:
        """The modules behind the names that are used, and the commands that are started."""
        for dotted in used.imports:
            yield from self._behind(dotted)
        for dotted in used.started & set(self._modules) - {_CLI}:
            yield from self._behind(dotted)
        said = {two for one, two in used.pairs if one == "course"}
        if _CLI in used.started:
            # `-m course.cli …`: the command stands in the same file as a word of its own.
            said |= used.words
        named = {name for name in self._commands if name.split()[0] in said}
        if _CLI in used.started and not named:
            named = set(self._commands)
        yield from (f"course {name}" for name in named)

    def _behind(self, dotted: str) -> Iterator[str]:
        """The modules behind a dotted name: its own, the packages around it, a face's home.

        The package of the add-ons is a list of all of them: who uses one does not use the others.
        """
        words = dotted.split(".")
        for count in range(len(words), 0, -1):
            name = ".".join(words[:count])
            if name not in self._modules:
                continue
            around = {".".join(words[:i]) for i in range(1, count)} & set(self._modules)
            yield from (self._modules[package] for package in around - {_ADDONS})
            yield self._modules[name]
            home = self._uses(self._modules[name]).homes.get((*words, "")[count])
            yield from self._behind(home) if home else ()
            return


def _what_runs(cell: Mapping[str, Any]) -> list[object]:
    """Of a code cell what changes a run: its source, its tags, and outputs that are compared."""
    tags = sorted(cell.get("metadata", {}).get("tags", []))
    armed = _ARMED_TAG in tags or _ARMED_LINE in cell["source"]
    outputs = [_without(output, ("execution_count",)) for output in cell.get("outputs", [])]
    return [cell["source"], tags, outputs if armed else []]


def _without(entry: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in set(names)}


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of these as a word of its own."""
    return re.compile(rf"(?<![\w-])(?:{_either(words)})(?![\w-])")


def _either(words: Iterable[str]) -> str:
    """A pattern of any of these, the longest first; of none it never matches."""
    listed = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(map(re.escape, listed)) or "(?!)"
