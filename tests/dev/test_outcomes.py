"""course.dev.outcomes: the record of one run of pytest."""

from __future__ import annotations

from pathlib import Path

from course.dev import outcomes
from course.dev.outcomes import Outcome, Record


def test_a_record_that_was_broken_off_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "record"
    assert outcomes.read(file) == Record()
    outcomes.append(file, {"collected": ["a.py::x", "a.py::y"]})
    whole = Outcome("a.py::x", "passed", 1.5)
    outcomes.append(file, {"item": "a.py::x", "ending": "passed", "seconds": 1.5, "said": ""})
    with file.open("a") as sink:
        sink.write('{"item": "a.py::y", "end')
    record = outcomes.read(file)
    assert record.outcomes == {"a.py::x": whole}
    assert record.passed(["a.py", "a.py::x"]) == {"a.py::x": 1.5}
