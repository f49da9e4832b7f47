"""course.learner.ledger: rows with their predictions and pictures, as text and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from course import notebook
from course.core import manifest, paths
from course.core.errors import CourseError
from course.learner import ledger, progress
from course.views import pictures

CLAIM = "A file keeps a word."


@pytest.fixture(autouse=True)
def in_lesson_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_lesson", "01-mini")
    monkeypatch.setattr(pictures, "_latest", None)


def row(measured: str = "1 s", *, lesson: str = "01-mini", **more: Any) -> str:
    fields = {"conditions": "x < y", "verdict": "holds"} | more
    return repr(notebook.ledger_row(CLAIM, lesson=lesson, measured=measured, **fields))


def drawn(alt: str = "one bar") -> pictures.Picture:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(1, 1))
    axes.bar(["a"], [1])
    return pictures.picture(figure, alt=alt, header=("x", "s"), rows=[("a", 1)])


def test_before_anything_is_measured_every_claim_says_so(mini: Path) -> None:
    claim = manifest.load().lessons[0].claim
    assert ledger.text(manifest.load()) == (
        f"01-mini\n  claim:      {claim}\n  measured:   not measured yet"
    )


def test_a_row_measured_again_is_replaced(mini: Path) -> None:
    row("1 s")
    assert "measured:   2 s" in row("2 s")
    text = ledger.text(manifest.load())
    assert "2 s" in text and "1 s" not in text and text.count("claim:") == 1
    assert "engine none" in text


def test_a_row_stands_beside_its_lessons_predictions(mini: Path) -> None:
    notebook.predict("mini-s", "How long?", unit="s", value=10)
    notebook.compare("mini-s", 20, unit="s")
    line = "How long? You said 10 s; measured 20 s, 2 times that."
    assert f"predicted:  {line}" in row()
    assert f"predicted:  {line}" in ledger.text(manifest.load())


def test_a_row_that_names_its_predictions_stands_beside_them_alone(mini: Path) -> None:
    for name, question in (("mini-s", "How long?"), ("mini-mb", "How large?")):
        notebook.predict(name, question, unit="x", value=10)
    shown = notebook.ledger_row(
        CLAIM, lesson="01-mini", measured="1", conditions="-", verdict="-", predictions=["mini-mb"]
    )
    for text in (repr(shown), ledger.text(manifest.load())):
        assert "How large?" in text and "How long?" not in text


def test_a_row_of_a_lesson_that_is_gone_is_still_evidence(mini: Path) -> None:
    row("9 s", lesson="00-gone")
    found = ledger.entries(manifest.load())
    assert [(e.lesson, bool(e.row)) for e in found] == [("01-mini", False), ("00-gone", True)]


def test_the_picture_of_a_row_is_kept_with_its_text(mini: Path) -> None:
    from PIL import Image

    drawn("an older one")
    drawn("two → three")
    row()
    name = progress.progress()["ledger"][f"01-mini: {CLAIM}"]["picture"]
    assert name == "ledger/01-mini-a-file-keeps-a-word.png"
    with Image.open(paths.work() / name) as image:
        assert image.info["Description"] == "two → three"
    row(picture=drawn("mine"))
    with Image.open(paths.work() / name) as image:
        assert image.info["Description"] == "mine"
    assert "an older one" not in (paths.work() / "progress.json").read_text()


def test_the_page_has_everything_in_itself(mini: Path) -> None:
    notebook.predict("mini-s", "How long is <it>?", unit="s", value=10)
    notebook.compare("mini-s", 20, unit="s")
    drawn("one <bar>")
    row()
    page = ledger.html(manifest.load())
    assert "1 of 1 claims measured" in page
    assert "How long is &lt;it&gt;? You said 10 s; measured 20 s, 2 times that." in page
    assert "<dd>x &lt; y</dd>" in page
    assert 'alt="one &lt;bar&gt;" src="data:image/png;base64,iVBOR' in page
    assert '<th scope="col">x</th>' in page and "<td>a</td>" in page
    outside = [word for word in ("http://", "https://", "url(", "<script", "<link") if word in page]
    assert outside == []


def test_the_page_invents_nothing(mini: Path) -> None:
    page = ledger.html(manifest.load())
    assert "0 of 1 claims measured" in page and "<dd>not measured yet</dd>" in page
    assert "<dt>verdict</dt>" not in page and "<img" not in page


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_picture_that_is_gone_or_broken_is_said(mini: Path, content: bytes | None) -> None:
    drawn()
    row()
    file = paths.work() / "ledger" / "01-mini-a-file-keeps-a-word.png"
    file.unlink() if content is None else file.write_bytes(content)
    page = ledger.html(manifest.load())
    assert f"Its picture, ledger/{file.name}, is not there or cannot be read." in page


def test_the_page_replaces_an_older_one_and_nothing_else(mini: Path) -> None:
    first = ledger.write_html(manifest.load())
    assert first == paths.work() / "ledger.html"
    row("9 s")
    assert "9 s" in ledger.write_html(manifest.load()).read_text()
    mine = paths.work() / "mine.html"
    mine.write_text("mine")
    for taken in (mine, paths.work()):
        with pytest.raises(CourseError, match="was not written by `course ledger`"):
            ledger.write_html(manifest.load(), taken)
    assert mine.read_text() == "mine"
