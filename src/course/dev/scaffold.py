"""`course dev new`: an exercise's five places, each a stub that `dev check` refuses."""

from __future__ import annotations

import ast
from pathlib import Path

from course.core import manifest

_TOML = """
[[lessons.exercises]]
id = "{id}"
title = "{title}"
minutes = 10
needs = ["containers"]
hints = []
"""
_LAB = """
## {id}: {title}

```{{code-cell}} ipython3
begin("{id}")
```

```{{code-cell}} ipython3
:tags: [task]

# BEGIN SOLUTION: what the learner does
# END SOLUTION
```

```{{code-cell}} ipython3
:tags: [check]

check("{id}")
```

```{{code-cell}} ipython3
explain("{id}")
```
"""
_IMPORTS = """\
from dataclasses import dataclass
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
"""
_CODE = '''

@dataclass(frozen=True)
class {name}Facts(Facts):
    """What was seen."""

    def wrong(self) -> Wrong | None:
        raise NotImplementedError("what may be wrong with {id}")


@exercise("{id}", start_cause="")
class {name}:
    """{title}."""

    def observe(self, lab: Lab) -> Observation:
        """Look at the lab."""
        raise NotImplementedError("the observation of {id}")
'''
_MESSAGES = '''\
"""Facts that provoke each message of {stem}."""

from __future__ import annotations

from course.exercises.kit.facts import Facts

MESSAGES: dict[str, dict[str, Facts]] = {{
}}
'''
_AFTER = "from __future__ import annotations\n"


def exercise(root: Path, topic: str, title: str) -> list[Path]:
    """Add an exercise to a lesson.

    Args:
        root: the folder with `course.toml`.
        topic: the lesson's topic or stem.
        title: what is true when the exercise is right.

    Returns:
        The files to edit.

    Raises:
        CourseError: there is no such lesson.
    """
    lesson = manifest.load(root / "course.toml").lesson(topic)
    numbers = [int(e.id.rsplit("-", 1)[1]) for e in lesson.exercises]
    id_ = f"{lesson.topic}-{max(numbers, default=0) + 1}"
    fields = {"id": id_, "title": title, "name": "".join(w.title() for w in id_.split("-"))}
    toml = root / "course.toml"
    _insert(toml, _TOML.format(**fields), after=_end_of_lesson(toml.read_text(), lesson))
    lab = root / "content" / f"{lesson.stem}.lab.md"
    code = root / "src" / "course" / "exercises" / f"{lesson.module}.py"
    for path, text in ((lab, _LAB.format(**fields)), (code, _CODE.format(**fields))):
        path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n" + text, "utf-8")
    text = code.read_text(encoding="utf-8")
    _insert(code, _missing(text), after=text.index(_AFTER) + len(_AFTER))
    messages = root / "tests" / "messages" / f"{lesson.module}.py"
    if not messages.exists():
        messages.write_text(_MESSAGES.format(stem=lesson.stem), encoding="utf-8")
    bank = root / "tests" / "bank" / f"{lesson.module}.py"
    for path, empty in ((bank, "[]"), (messages, "{}")):
        text = path.read_text(encoding="utf-8").rstrip().removesuffix("}")
        path.write_text(f'{text}    "{id_}": {empty},\n}}\n', encoding="utf-8")
    return [toml, lab, code, messages, bank]


def _missing(text: str) -> str:
    """The imports of a new exercise's code that a module does not have yet."""
    froms = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    there = {alias.name for node in froms for alias in node.names}
    lines = _IMPORTS.splitlines()
    new = [one for one in lines if not there.issuperset(one.split("import ")[1].split(", "))]
    return "".join(f"{one}\n" for one in new)


def _end_of_lesson(text: str, lesson: manifest.Lesson) -> int:
    """Where the next lesson's entry begins, or the end."""
    here = text.index(f'stem = "{lesson.stem}"')
    following = text.find("\n[[lessons]]", here)
    return following if following >= 0 else len(text)


def _insert(path: Path, text: str, *, after: int) -> None:
    old = path.read_text(encoding="utf-8")
    path.write_text(old[:after].rstrip("\n") + "\n" + text + old[after:], encoding="utf-8")
