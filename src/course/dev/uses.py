"""What a Python text uses, read and never run: imports, words, files that lie beside it.

A kept library draws the graph of imports (grimp, under import-linter), but between modules only:
here single names of a face matter, imports that only a type checker sees do not, and strings and
files count too. So the text is read once, by `ast`.
"""

from __future__ import annotations

import ast
import functools
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

OURS = ("course", "tests")
"""The packages whose modules are followed; any other library is a line of `uv.lock`."""
_HOMES = "_HOMES"
"""In a face: the table of its names and the modules that these are loaded from."""
_NOT_RUN = {_HOMES, "__all__"}
_IMPORTED = re.compile(rf"\bimport\s+((?:{'|'.join(OURS)})(?:\.\w+)*)")
_TAKEN = re.compile(
    rf"\bfrom\s+((?:{'|'.join(OURS)})(?:\.\w+)*)\s+import\s+(?:\(([^)]*)\)|([\w, \t]+))"
)
_CALLED = re.compile(r"\b(course\.\w+)\(")
_AS_MODULE = re.compile(r"-m\s+(course(?:\.\w+)*)")
_MAGIC = re.compile(r"^([ \t]*)(?:[%!]|\w[\w, \t]*=[ \t]*[%!]).*$", re.MULTILINE)
_PYTHON_TOO = re.compile(r"%%(?:capture|prun|time|timeit)\b.*")
"""Cell magics below which Python follows."""


@dataclass(frozen=True)
class Uses:
    """What one text uses.

    Args:
        imports: dotted names: `course.measure.traffic`, `course.measure.Rollout`, `course.setup`.
        started: dotted names in its strings: modules that it loads or starts by name.
        words: its strings, without docstrings.
        pairs: words that follow each other in a list, a call or a path.
        data: files and folders that it names by its own place, relative to the clone.
        homes: of a face: name → the module that it is loaded from.
        text: what of it runs: of a face neither its tables of names nor what a type checker sees.
    """

    imports: frozenset[str]
    started: frozenset[str]
    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    data: frozenset[PurePosixPath]
    homes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@functools.lru_cache(maxsize=1024)
def uses(text: str, path: PurePosixPath, *, package: str = "", code: bool = False) -> Uses:
    """Read a text.

    Args:
        text: Python.
        path: its file, relative to the clone.
        package: the package that relative imports begin at.
        code: whether its strings may be Python too, as those of a test that starts a process.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = ast.parse(text)
    homes = _homes(tree)
    left_out = list(_left_out(tree)) if homes else []
    reader = _Reader(path, package, left_out)
    reader.visit(tree)
    imports = reader.imports()
    started = {word for word in reader.words if word.startswith("course.")}
    started |= {name for word in reader.words for name in _AS_MODULE.findall(word)}
    if code:
        imports |= {name for word in reader.words for name in imported_in(word)}
    return Uses(
        frozenset(imports),
        frozenset(started),
        frozenset(reader.words),
        frozenset(reader.pairs),
        frozenset(reader.data),
        homes,
        _without(text, left_out),
    )


def imported_in(text: str) -> Iterator[str]:
    """Dotted names that a text imports which need not be Python, or not whole."""
    yield from _IMPORTED.findall(text)
    yield from _CALLED.findall(text)
    for module, *names in _TAKEN.findall(text):
        yield from (f"{module}.{name}" for name in re.findall(r"\w+", " ".join(names)))


def plain(cell: str) -> str:
    """A cell of a notebook as Python, its magics and shell lines left out.

    Args:
        cell: its source.

    Returns:
        The text; empty if the cell is no Python.
    """
    text = _PYTHON_TOO.sub("", cell.lstrip(), count=1)
    for tried in () if text.startswith("%%") else (text, _MAGIC.sub(r"\1pass", text)):
        try:
            ast.parse(tried)
        except SyntaxError:
            continue
        return tried
    return ""


class _Reader(ast.NodeVisitor):
    """Collects from one module.

    Args:
        path: its file.
        package: the package that relative imports begin at.
        left_out: statements that are not read.
    """

    def __init__(self, path: PurePosixPath, package: str, left_out: Sequence[ast.stmt]) -> None:
        self.words: set[str] = set()
        self.pairs: set[tuple[str, str]] = set()
        self.data: set[PurePosixPath] = set()
        self._path, self._package = path, package
        self._skipped: set[ast.AST] = set(left_out)
        self._imports: set[str] = set()
        self._names: dict[str, str] = {}
        self._chains: set[str] = set()
        self._places: dict[str, PurePosixPath] = {}

    def imports(self) -> set[str]:
        """Dotted names of ours that are imported, or reached through what is."""
        chains = (chain.partition(".") for chain in self._chains)
        reached = {f"{self._names[at]}.{rest}" for at, _, rest in chains if at in self._names}
        return {name for name in self._imports | reached if name.partition(".")[0] in OURS}

    def visit(self, node: ast.AST) -> None:
        """Read a node and what is in it."""
        if node in self._skipped:
            return
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                self._skipped.add(first)
        place = self._place(node)
        if place is None:
            super().visit(node)
        else:
            self._found(place)

    def visit_If(self, node: ast.If) -> None:
        """What only a type checker sees is not run."""
        if _for_types(node):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """`import course.rollout as …`."""
        for alias in node.names:
            self._imports.add(alias.name)
            top = alias.name.partition(".")[0]
            self._names[alias.asname or top] = alias.name if alias.asname else top

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from course import check`, `from . import base`."""
        parts = self._package.split(".")
        base = parts[: len(parts) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            self._imports.add(f"{module}.{alias.name}")
            self._names[alias.asname or alias.name] = f"{module}.{alias.name}"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """`course.setup`."""
        chain = _dotted(node)
        if chain:
            self._chains.add(chain)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """A string."""
        if isinstance(node.value, str):
            self.words.add(node.value)

    def visit_List(self, node: ast.List) -> None:
        """An argv."""
        self._pair(node.elts)
        self.generic_visit(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        """An argv."""
        self._pair(node.elts)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """A call with a command's words."""
        self._pair(node.args)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """A path: `ROOT / "apps" / "orders"`."""
        if isinstance(node.left, ast.BinOp) and isinstance(node.op, ast.Div):
            self._pair([node.left.right, node.right])
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """A name for a place: what counts is where it is used, or that it is a file."""
        target, place = node.targets[0], self._place(node.value)
        if place is None or not isinstance(target, ast.Name):
            self.generic_visit(node)
            return
        self._places[target.id] = place
        if place.suffix:
            self._found(place)

    def _pair(self, nodes: Sequence[ast.expr]) -> None:
        for one, two in itertools.pairwise(nodes):
            if isinstance(one, ast.Constant) and isinstance(two, ast.Constant):
                self.pairs.add((str(one.value), str(two.value)))

    def _found(self, place: PurePosixPath) -> None:
        # What lies beside the module or below, and neither the module itself nor its folder.
        if self._path.parent in place.parents and place != self._path:
            self.data.add(place)

    def _place(self, node: ast.AST) -> PurePosixPath | None:
        """The path that an expression means, if it begins at `__file__`."""
        inner: ast.expr | None = None
        step: Callable[[PurePosixPath], PurePosixPath] = PurePosixPath
        match node:
            case ast.Name(id=name):
                return self._places.get(name)
            case ast.Call(func=ast.Name(id="Path"), args=[ast.Name(id="__file__")]):
                return self._path
            case ast.Call(func=ast.Attribute(value=inner, attr="resolve" | "absolute"), args=[]):
                pass
            case ast.Call(
                func=ast.Attribute(value=inner, attr="with_name" | "with_suffix" as how),
                args=[ast.Constant(value=str(word))],
            ):
                step = operator.methodcaller(how, word)
            case ast.Attribute(value=inner, attr="parent"):
                step = operator.attrgetter("parent")
            case ast.Subscript(
                value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(by))
            ):
                step = functools.partial(_above, by=by)
            case ast.BinOp(left=inner, op=ast.Div(), right=ast.Constant(value=str(word))):
                step = operator.methodcaller("joinpath", word)
        place = self._place(inner) if inner else None
        return step(place) if place else None


def _above(place: PurePosixPath, by: int) -> PurePosixPath:
    return place.parents[min(by, len(place.parents) - 1)]


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as it is written; empty if the node is anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return before and f"{before}.{node.attr}"
    return ""


def _for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and _dotted(node.test).endswith("TYPE_CHECKING")


def _assigned(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign):
        return _dotted(node.targets[0])
    return _dotted(node.target) if isinstance(node, ast.AnnAssign) else ""


def _homes(tree: ast.Module) -> dict[str, str]:
    for node in tree.body:
        table = getattr(node, "value", None)
        if _assigned(node) == _HOMES and isinstance(table, ast.Dict):
            return dict(ast.literal_eval(table))
    return {}


def _left_out(tree: ast.Module) -> Iterator[ast.stmt]:
    yield from (node for node in tree.body if _assigned(node) in _NOT_RUN or _for_types(node))


def _without(text: str, nodes: Iterable[ast.stmt]) -> str:
    gone = {row for node in nodes for row in range(node.lineno, (node.end_lineno or 0) + 1)}
    if not gone:
        return text
    return "\n".join(line for row, line in enumerate(text.splitlines(), 1) if row not in gone)


def commands(text: str) -> dict[str, str]:
    """What each command of a program that is made with typer runs, as a text of its own.

    Args:
        text: the program's module.

    Returns:
        Command, as `goto` or `bundle save` → its function, the functions of the module that this
        one calls, and what runs for every command.
    """
    tree = ast.parse(text)
    blocks = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    always = [node for node in tree.body if node not in blocks.values()]
    groups = dict(group for node in always if (group := _group(node)))
    found: dict[str, ast.stmt] = {}
    for block in blocks.values():
        for decorator in block.decorator_list:
            match decorator:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=at), attr="command")):
                    found[f"{groups.get(at, '')} {_named(decorator, block.name)}".strip()] = block
                case ast.Call(func=ast.Attribute(attr="callback")):
                    always.append(block)
    others = {name: node for name, node in blocks.items() if node not in found.values()}
    return {name: _cut(text, [*always, node], others) for name, node in found.items()}


def _group(node: ast.stmt) -> tuple[str, str] | None:
    """The variable and the name of a group of commands: `app.add_typer(dev, name="dev")`."""
    match node:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(attr="add_typer"), args=[ast.Name(id=at)]) as call
        ):
            return at, _named(call, at)
    return None


def _named(call: ast.Call, otherwise: str) -> str:
    given = [*call.args, *(word.value for word in call.keywords if word.arg == "name")]
    names = [node.value for node in given if isinstance(node, ast.Constant)]
    return str(names[0]) if names else otherwise.replace("_", "-")


def _cut(text: str, nodes: Sequence[ast.stmt], others: Mapping[str, ast.stmt]) -> str:
    """The lines of statements and of the functions that they call, in the text's order."""
    kept, left = list(nodes), list(nodes)
    while left:
        names = {part.id for part in ast.walk(left.pop()) if isinstance(part, ast.Name)}
        new = [node for name, node in others.items() if name in names and node not in kept]
        kept += new
        left += new
    lines = text.splitlines()
    rows: set[int] = set()
    for node in kept:
        above = [part.lineno for part in getattr(node, "decorator_list", ())]
        rows |= set(range(min([node.lineno, *above]), (node.end_lineno or 0) + 1))
    return "\n".join(lines[row - 1] for row in sorted(rows))
