"""No cause that a check once named gets lost when its exercise is written in another form."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from course.core import manifest, paths
from course.dev import causes

LISTED: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("causes.toml").read_text(encoding="utf-8")
)
NOW = causes.causes(paths.ROOT)
OF_THE_KIT = {cause for place, those in NOW.items() if place.startswith("kit.") for cause in those}


@pytest.mark.parametrize("place", LISTED)
def test_each_cause_of_the_list_exists_or_is_said_to_be_gone(place: str) -> None:
    wanted = {about.get("now", cause) for cause, about in LISTED[place].items()}
    gone = {cause for cause, about in LISTED[place].items() if about.get("gone")}
    assert wanted - gone - set(NOW.get(place, {})) - OF_THE_KIT == set()


def test_the_list_holds_every_cause_that_the_banks_provoke() -> None:
    kit = {cause for place in LISTED if place.startswith("kit.") for cause in LISTED[place]}
    for lesson in manifest.load().lessons:
        bank = importlib.import_module(f"tests.bank.{lesson.module}").BANK
        for id_, answers in bank.items():
            provoked = {answer.cause for answer in answers} - {""}
            assert (
                provoked - kit - OF_THE_KIT - set(LISTED[id_]) - set(NOW.get(id_, {})) == set()
            ), id_


MODULE = """
from course.exercises.kit.verdict import OLD, Wrong

WANT = "a word"


@exercise("word-1")
class Word:
    def observe(self, lab):
        yield Read(lab.read("word.txt"))


class Read(Facts):
    def wrong(self):
        if not self.word:
            return Wrong("empty", saw="nothing", want=WANT, try_="cat word.txt")
        why = "long" if len(self.word) > 9 else "short"
        return _old(self.word) or Wrong(why, saw=f"`{self.word}`: " + why, want=WANT, try_="")


def _old(word):
    return None if word else Wrong(OLD, saw="old", want=WANT, try_="")


def _unused():
    return Wrong("never", saw="", want="", try_="")
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "src" / "course" / "exercises"
    (folder / "kit").mkdir(parents=True)
    (folder / "word.py").write_text(MODULE)
    (folder / "kit" / "verdict.py").write_text('OLD = "old-word"\n')
    return tmp_path


def test_an_exercise_has_the_causes_of_all_that_it_uses(clone: Path) -> None:
    found = causes.causes(clone)
    assert set(found) == {"word-1"}
    assert set(found["word-1"]) == {"empty", "long", "short", "old-word"}
    assert found["word-1"]["empty"].want == ["a word"]
    assert found["word-1"]["short"].saw == ["`{…}`: long", "`{…}`: short"]


def test_facts_of_a_module_beside_are_the_exercises_own(clone: Path) -> None:
    apart = causes.causes(clone)
    code, _, facts = MODULE.partition("\n\nclass Read")
    folder = clone / "src" / "course" / "exercises"
    (folder / "word.py").write_text(f"from course.exercises.reading import Read\n{code}\n")
    (folder / "reading.py").write_text(f"{MODULE[: MODULE.index('@')]}class Read{facts}")
    assert causes.causes(clone) == apart


def test_the_list_is_written_as_toml_that_says_each_sentence_once(clone: Path) -> None:
    found = causes.causes(clone)
    written = tomllib.loads(causes.as_toml(found | {"word-2": {"empty": found["word-1"]["empty"]}}))
    assert written["word-1"]["empty"]["try"] == "cat word.txt"
    assert written["word-2"] == {"empty": {"as": "word-1"}}
