"""The causes that each exercise's check can name, with their sentences, read from the source.

A cause belongs to an exercise if its class, or a function or class that is named there, at any
depth, makes a `Wrong` of it: one of its module, or one that this imports by name from another
module of exercises. What the kit itself says is listed by the kit's modules, unless an exercise
imports that function by name.
"""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOLE = "{…}"
"""Stands in a sentence for what is only known when the check runs."""
_PLACE = "src/course/exercises"
_PACKAGE = "course.exercises"
_KIT = f"{_PACKAGE}.kit."
_SENTENCES = ("saw", "want", "try")
_MOST = 8
"""So many variants of one sentence are listed."""


@dataclass
class Cause:
    """One cause as an exercise names it.

    Args:
        saw: the sentences of what was seen; several where there are several places or branches.
        want: those of what is wanted.
        try_: those of where to look next.
    """

    saw: list[str] = field(default_factory=list)
    want: list[str] = field(default_factory=list)
    try_: list[str] = field(default_factory=list)

    def add(self, other: Cause) -> None:
        """Take in the sentences of another place that names the same cause."""
        for mine, more in (
            (self.saw, other.saw),
            (self.want, other.want),
            (self.try_, other.try_),
        ):
            mine += [text for text in more if text not in mine]


Causes = dict[str, dict[str, Cause]]
"""Exercise, or module of the kit as `kit.lab` → cause → its sentences."""


def causes(root: Path) -> Causes:
    """Return the causes of each exercise and of each module of the kit, in alphabetical order.

    Args:
        root: the clone.
    """
    modules = {
        f"{_PACKAGE}.{'.'.join(path.relative_to(root / _PLACE).with_suffix('').parts)}": _Module(
            path.read_text(encoding="utf-8")
        )
        for path in sorted((root / _PLACE).rglob("*.py"))
    }
    found: Causes = {}
    for name, module in modules.items():
        if name.startswith(_KIT):
            found[name.removeprefix(f"{_PACKAGE}.")] = _made(modules, name, module.definitions)
        for id_, code in module.exercises().items():
            found[id_] = _made(modules, name, [code])
    return {key: dict(sorted(found[key].items())) for key in sorted(found) if found[key]}


def as_toml(found: Mapping[str, Mapping[str, Cause]]) -> str:
    """Write causes as TOML: a table for each cause, named by exercise and cause.

    Sentences that another exercise has word for word are listed there (`as`).
    """
    lines: list[str] = []
    listed: list[tuple[str, str, Cause]] = []
    for place, those in found.items():
        for name, cause in those.items():
            key = f'"{place}"' if "." in place else place
            lines += ["", f"[{key}.{name}]"]
            at = next((at for at, other, same in listed if (other, same) == (name, cause)), "")
            if at:
                lines += [f'as = "{at}"']
                continue
            listed.append((place, name, cause))
            for word, texts in zip(_SENTENCES, (cause.saw, cause.want, cause.try_), strict=True):
                value = texts[0] if len(texts) == 1 else texts
                lines += [f"{word} = {json.dumps(value, ensure_ascii=False)}"]
    return "\n".join(lines) + "\n"


class _Module:
    """The text of one module."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.definitions: dict[str, ast.ClassDef | ast.FunctionDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self.imported: dict[str, str] = {}
        for node in self.tree.body:
            match node:
                case ast.ClassDef() | ast.FunctionDef():
                    self.definitions[node.name] = node
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.constants[name] = value
                case ast.ImportFrom(module=str(source), names=names):
                    self.imported |= {alias.asname or alias.name: source for alias in names}

    def exercises(self) -> dict[str, str]:
        """Exercise → the name of its class."""
        found = {}
        for name, node in self.definitions.items():
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(
                        func=ast.Name(id="exercise"), args=[ast.Constant(value=str(id_)), *_]
                    ):
                        found[id_] = name
        return found


_Modules = Mapping[str, _Module]


def _made(modules: _Modules, name: str, begin: Iterable[str]) -> dict[str, Cause]:
    """What some definitions of a module name as causes, with all that they use."""
    reached = list(_reached(modules, name, begin))
    functions = [
        (_Scope(modules, module, node), node)
        for module, definition in reached
        for node in ast.walk(definition)
        if isinstance(node, ast.FunctionDef)
    ]
    found: dict[str, Cause] = {}
    for scope, function in functions:
        for cause, words in _of(scope, function, _parameters(functions)):
            found.setdefault(cause, Cause()).add(words)
    return found


def _reached(
    modules: _Modules, name: str, begin: Iterable[str]
) -> Iterator[tuple[_Module, ast.ClassDef | ast.FunctionDef]]:
    left, seen = [(name, definition) for definition in begin], set()
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        module = modules[one[0]]
        node = module.definitions[one[1]]
        yield module, node
        for word in sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)}):
            home = module.imported.get(word, "")
            if word in module.definitions:
                left.append((one[0], word))
            # A class of the kit is used by its methods, and no name says by which.
            elif home in modules and isinstance(
                modules[home].definitions.get(word),
                ast.FunctionDef if home.startswith(_KIT) else ast.FunctionDef | ast.ClassDef,
            ):
                left.append((home, word))


def _parameters(functions: Iterable[tuple[_Scope, ast.FunctionDef]]) -> set[str]:
    """The names of parameters by which helpers are given a cause, directly or by another helper."""
    takes = {node.name: [arg.arg for arg in node.args.args] for _, node in functions}
    found, before = {"cause"}, set[str]()
    while found != before:
        before = set(found)
        for _, function in functions:
            given = {arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)}
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Name(id="Wrong"), args=[ast.Name(id=name), *_]):
                        found |= {name} & given
                    case ast.Call(func=ast.Name(id=called), args=values) if called in takes:
                        for name, value in zip(takes[called], values, strict=False):
                            passed = value.id if isinstance(value, ast.Name) else ""
                            found |= {passed} & given if name in before else set()
    return found


def _of(
    scope: _Scope, function: ast.FunctionDef, parameters: set[str]
) -> Iterator[tuple[str, Cause]]:
    """Each cause that a function names."""
    causes_ = [(scope.named(name), Cause()) for name in parameters]
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="Wrong"), args=[first, *_], keywords=words):
                given = {word.arg: word.value for word in words}
                said = [
                    scope.texts(given.get(word, ast.Constant("")))
                    for word in ("saw", "want", "try_")
                ]
                causes_.append((scope.texts(first), Cause(*said)))
            # A cause that a helper is given, or that a row of a table holds.
            case ast.keyword(arg=str(name), value=value) if name in parameters:
                causes_.append((scope.texts(value), Cause()))
            case ast.For(target=ast.Tuple(), iter=ast.Name(id=table)):
                causes_.append((scope.column(table, node.target, "cause"), Cause()))
    for names, sentences in causes_:
        yield from ((name, sentences) for name in names if HOLE not in name)


class _Scope:
    """What a name may stand for in a function."""

    def __init__(self, modules: _Modules, module: _Module, function: ast.FunctionDef) -> None:
        self._modules, self._module = modules, module
        self._locals: dict[str, list[ast.expr]] = {}
        given = function.args
        for arg, default in (
            *zip(reversed(given.args), reversed(given.defaults), strict=False),
            *zip(given.kwonlyargs, given.kw_defaults, strict=True),
        ):
            self._locals[arg.arg] = [default] if default else []
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._locals.setdefault(name, []).append(value)
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                    for target, value in zip(names, values, strict=False):
                        if isinstance(target, ast.Name):
                            self._locals.setdefault(target.id, []).append(value)

    def column(self, table: str, target: ast.expr, name: str) -> list[str]:
        """The literals of one column of a table that a loop goes through row by row."""
        names = [n.id if isinstance(n, ast.Name) else "" for n in getattr(target, "elts", [])]
        if name not in names:
            return []
        rows = [row for value in self._locals.get(table, []) for row in getattr(value, "elts", [])]
        cells = [getattr(row, "elts", [])[names.index(name) :][:1] for row in rows]
        return [text for cell in cells for one in cell for text in self.texts(one)]

    def texts(self, node: ast.expr, depth: int = 0) -> list[str]:
        """The sentences that an expression may give, with holes for what is not written out."""
        found: list[str] = [HOLE]
        if depth > 4:
            return found
        match node:
            case ast.Constant(value=str(text)):
                found = [text]
            case ast.JoinedStr(values=parts):
                found = self._joined(list(parts), depth)
            case ast.FormattedValue(value=ast.Name() as name):
                found = self.texts(name, depth + 1)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                found = self._joined([left, right], depth)
            case ast.IfExp(body=body, orelse=orelse):
                found = self.texts(body, depth + 1) + self.texts(orelse, depth + 1)
            case ast.Name(id=name):
                found = self.named(name, depth)
        return list(dict.fromkeys(found))[:_MOST]

    def _joined(self, parts: list[ast.expr], depth: int) -> list[str]:
        variants = itertools.product(*(self.texts(part, depth + 1) for part in parts))
        return ["".join(variant) for variant in itertools.islice(variants, _MOST)]

    def named(self, name: str, depth: int = 0) -> list[str]:
        """The sentences that a name may stand for."""
        module, home = self._module, self._modules.get(self._module.imported.get(name, ""))
        values = self._locals.get(name, [])
        if not values and name in module.constants:
            values = [module.constants[name]]
        elif not values and home and name in home.constants:
            values = [home.constants[name]]
        return [text for value in values for text in self.texts(value, depth + 1)] or [HOLE]
