"""Figures that learners claim, in whatever they have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course.exercises.kit import claims
from course.exercises.kit.claims import Claim, near, unit, within_factor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tea-1"
    made.mkdir()
    return made


def claim(folder: Path, text: str | bytes) -> Claim:
    (folder / "m.json").write_bytes(text.encode() if isinstance(text, str) else text)
    return claims.read(folder, "m.json")


def test_figures_are_numbers_by_name(folder: Path) -> None:
    found = claim(folder, '\ufeff{"a_s": 1, "b_s": 2.5, "tea": "green"}')
    assert (found.exists, found.problem, found.flaw("a_s", "b_s")) == (True, "", "")
    assert found.figures("a_s", "b_s") == {"a_s": 1.0, "b_s": 2.5}
    assert (found.text("tea"), found.text("a_s")) == ("green", "")


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "tea-1/m.json is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ('{"a_s": ', "tea-1/m.json is not JSON: Expecting value: line 1 column 9 (char 8)"),
        ('{"a_s": 1,}', "tea-1/m.json is not JSON: "),
        (b'{"a_s": "\xff"}', "tea-1/m.json is not JSON: 'utf-8' codec can't decode byte 0xff"),
        ("[" * 50_000, "tea-1/m.json is nested too deep"),
        ("1" * 5_000, "tea-1/m.json is not JSON: Exceeds the limit"),
        ("1" * 100_001, "tea-1/m.json is longer than 100 kB"),
        ("[1, 2]", "tea-1/m.json holds [1, 2], not an object with names"),
        ("{}", "tea-1/m.json has no `a_s`; it has nothing"),
        ('{"a": 1, "\\u001b": 2}', "tea-1/m.json has no `a_s`; it has a, \\x1b"),
        ('{"a_s": null}', "`a_s` in tea-1/m.json is null, not a number of 0 or more"),
        ('{"a_s": "0.5"}', '`a_s` in tea-1/m.json is "0.5", not a number of 0 or more'),
        ('{"a_s": true}', "`a_s` in tea-1/m.json is true, not a number of 0 or more"),
        ('{"a_s": NaN}', "`a_s` in tea-1/m.json is NaN, not a number of 0 or more"),
        ('{"a_s": 1e999}', "`a_s` in tea-1/m.json is Infinity, not a number of 0 or more"),
        ('{"a_s": -1}', "`a_s` in tea-1/m.json is -1, not a number of 0 or more"),
        ('{"a_s": 1%s}' % ("0" * 400), "`a_s` in tea-1/m.json is 10000"),
    ],
)
def test_what_is_no_figure_is_named(folder: Path, text: str | bytes, flaw: str) -> None:
    found = claim(folder, text)
    assert found.flaw("a_s").startswith(flaw)
    assert found.figures("a_s") == {"a_s": 0.0}


def test_a_file_that_is_none_is_no_error(folder: Path) -> None:
    assert claims.read(folder, "m.json") == Claim("tea-1/m.json", {}, "is not there", exists=False)
    (folder / "m.json").mkdir()
    assert claims.read(folder, "m.json").flaw() == "tea-1/m.json is no file"
    os.mkfifo(folder / "pipe")
    assert claims.read(folder, "pipe").flaw() == "tea-1/pipe is no file"
    (folder / "loop").symlink_to("loop")
    found = claims.read(folder, "loop")
    assert found.problem and not found.figures("a_s")["a_s"]


def test_a_part_is_a_claim_of_its_own(folder: Path) -> None:
    found = claim(folder, '{"measured": {"fast": {"s": 1}, "slow": 9}, "choice": "fast"}')
    parts = found.parts("measured")
    assert parts["fast"].figures("s") == {"s": 1.0}
    assert parts["slow"].flaw("s") == (
        "`slow` in `measured` in tea-1/m.json holds 9, not an object with names"
    )
    assert found.part("nothing").flaw("s") == "`nothing` in tea-1/m.json is not there"
    assert found.part("nothing").part("more").flaw("s") == "`nothing` in tea-1/m.json is not there"
    assert found.parts("choice") == {}


def test_a_figure_may_be_off_by_a_share_or_by_a_least() -> None:
    assert near(110, 100, share=0.1)
    assert not near(110.1, 100, share=0.1)
    assert near(0.2, 0, share=0.1, least=0.2)
    assert not near(0.21, 0, share=0.1, least=0.2)


def test_a_sample_that_is_measured_again_is_of_the_same_size() -> None:
    assert within_factor(2.0, 0.5, 4) and within_factor(0.125, 0.5, 4)
    assert not within_factor(2.01, 0.5, 4) and not within_factor(0.124, 0.5, 4)
    assert not within_factor(0, 0, 4)


def test_a_figure_in_another_unit_is_told_by_that_unit() -> None:
    units = {"ms": 1000.0, "minutes": 1 / 60}
    assert unit(1480, 1.5, units, share=0.1) == "ms"
    assert unit(1.5, 90, units, share=0.1) == "minutes"
    assert unit(7, 1.5, units, share=0.1) == ""
