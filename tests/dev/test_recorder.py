"""course.dev.recorder: one run of pytest, and what it records."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from course.dev import outcomes, proving
from course.dev.outcomes import Assignment, Record

EMPTY = "def test_one(): pass\ndef test_two(): pass\n"


def recorded(
    folder: Path, *argv: str, wanted: dict[str, float] | None = None, **limits: float
) -> tuple[int, Record]:
    record = folder / "record.jsonl"
    record.unlink(missing_ok=True)
    code = proving.pytest(
        ["-q", "-p", "no:cacheprovider", *argv],
        Assignment(str(record), wanted or {}, **limits),
        root=folder,
        env={},
        wait=120,
    )
    return code, outcomes.read(record)


MIXED = """\
import pytest
def test_passes(): pass
def test_fails(): assert False, "that is why"
def test_is_skipped(): pytest.skip("not here")
@pytest.fixture
def broken(): raise ValueError("in the set-up")
def test_cannot_begin(broken): pass
@pytest.fixture
def untidy():
    yield
    raise ValueError("in the tear-down")
def test_leaves_a_mess(untidy): pass
"""


@pytest.mark.parametrize("processes", [(), ("-p", "xdist", "--numprocesses=2")])
def test_every_item_is_recorded_with_its_ending_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_m.py").write_text(MIXED)
    code, record = recorded(tmp_path, "test_m.py", *processes)
    endings = {item.rpartition("::")[2]: one.ending for item, one in record.outcomes.items()}
    assert code == 1 and endings == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_is_skipped": "skipped",
        "test_cannot_begin": "failed",
        "test_leaves_a_mess": "failed",
    }
    assert "that is why" in record.outcomes["test_m.py::test_fails"].said
    assert record.passed(["test_m.py", "test_m.py::test_passes"]).keys() == {
        "test_m.py::test_passes"
    }
    assert (record.count("passed"), record.count("failed")) == (1, 3)


def test_what_is_wanted_is_all_that_runs_and_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_m.py").write_text(MIXED)
    (tmp_path / "test_n.py").write_text(EMPTY)
    wanted = {"test_n.py": 1.0, "test_m.py::test_passes": 1.0}
    code, record = recorded(tmp_path, "test_m.py", "test_n.py", wanted=wanted)
    assert code == 0
    assert [item.rpartition("::")[2] for item in record.collected] == [
        *("test_one", "test_two", "test_passes")
    ]


def test_a_wanted_test_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_n.py").write_text(EMPTY)
    code, record = recorded(tmp_path, "test_n.py", wanted={"test_n.py::test_gone": 1.0})
    assert code == 4 and record.passed(["test_n.py::test_gone"]) == {}
    assert "pytest finds no test in: test_n.py::test_gone" in capsys.readouterr().out


def test_what_would_not_end_in_time_is_left_out_and_what_is_begun_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_m.py").write_text(
        "import types\nfrom course.dev import recorder\n"
        "def test_one(): recorder.time = types.SimpleNamespace(monotonic=lambda: 1e9)\n"
        "def test_two(): pass\n"
    )
    (tmp_path / "test_n.py").write_text(EMPTY)
    wanted = {"test_m.py": 1.0, "test_n.py": 1.0}
    began = time.monotonic()
    code, record = recorded(
        tmp_path, "test_m.py", "test_n.py", wanted=wanted, begin_by=1e9 - 1, end_by=2e9
    )
    assert code == 0 and record.passed(wanted).keys() == {"test_m.py"}
    assert record.outcomes["test_n.py::test_one"].said == outcomes.LEFT_OUT
    _, record = recorded(tmp_path, "test_n.py", wanted={"test_n.py": 50}, end_by=began + 50)
    assert record.passed(["test_n.py"]) == {}


def test_a_file_that_cannot_be_read_counts_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_m.py").write_text("import nothing_of_this_name\n")
    code, record = recorded(tmp_path, "test_m.py")
    assert code != 0 and record.count("failed") == 1
