"""course.measure.traffic.feed: the file of a run, read while it grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.measure.traffic import feed
from course.measure.traffic.feed import Batch, Reader, Response


def test_a_reader_sees_whole_lines_only(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    reader = Reader(file, rate=10)
    assert list(reader.read()) == []
    line = feed.line(0, [(0, 5, 900, "v1", "")], planned=1, unsent=[], blind=[])
    with file.open("a") as out:
        out.write(feed.first_line(1000.0) + line[:20])
        out.flush()
        assert list(reader.read()) == []
        assert reader.started == 1000.0
        out.write(line[20:])
        out.flush()
        assert list(reader.read()) == [
            Batch(0.0, (Response(0.0, 0.005, 0.9, "v1", ""),), planned=1)
        ]
        assert list(reader.read()) == []
        out.write(feed.last_line(feed.End("done", 1, 0.1)))
    assert list(reader.read()) == []
    assert reader.end == feed.End("done", 1, 0.1)


@pytest.mark.parametrize("rate", [3, 7, 200, 500, 999.9, 1000])
def test_each_request_belongs_to_one_slot(rate: float) -> None:
    slots = [feed.slot(index, rate) for index in range(round(rate * 20))]
    assert slots == sorted(slots)
    per_slot = rate * feed.SLOT
    inner = [slots.count(slot) for slot in range(1, 150, 7)]
    assert all(abs(count - per_slot) < 1 for count in inner)


def test_a_reader_that_goes_on_reads_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / feed.FILE

    def write(*numbers: int) -> None:
        with file.open("a") as out:
            for number in numbers:
                known = [(number * 10, 100, 2000, "1.0.0", "")]
                out.write(feed.line(number, known, planned=10, unsent=[], blind=[]))

    file.write_text(feed.first_line(1.0))
    write(0, 1, 2)
    reader = feed.Reader(file, rate=100)
    assert [batch.at for batch in reader.again(1)] == [0.1, 0.2]
    # What was read is gone from the file: only a reader that goes on still gets the rest.
    size = file.stat().st_size
    file.write_bytes(b" " * (size - 1) + b"\n")
    write(3, 4)
    assert [batch.at for batch in reader.again(3)] == [0.3, 0.4]
    assert [batch.at for batch in reader.again(4)] == [0.4]
    assert list(reader.again(9)) == []
    assert [batch.at for batch in reader.again(3)] == [0.3, 0.4]
