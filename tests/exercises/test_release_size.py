"""The figures of slim-images-4, and its release."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from course.exercises import release_size
from course.exercises.kit.claims import Claim
from course.exercises.kit.draw import Draw
from course.exercises.kit.image import Size
from course.exercises.kit.reply import Heard, Reply
from tests.exercises.image_lab import ImageLab, Served, begin, files, seen
from tests.exercises.local import NODE


def test_the_holiday_of_a_post_code_is_the_one_of_the_table(tmp_path: Path) -> None:
    tool = files("slim-images-4") / "tools/holidays.mjs"
    subprocess.run([NODE, tool], cwd=tmp_path, check=True)
    table = json.loads((tmp_path / "dist/holidays.json").read_text())
    for code in (0, 1, 8001, 9999):
        days = [str(release_size._holiday(code, year)) for year in range(2020, 2050)]
        assert table[f"{code:04}"] == days
    asked = [
        facts
        for seed in range(50)
        for facts in release_size._invoice("", Served(lambda _: Reply(200, "{}")), Draw(seed))  # type: ignore[arg-type]
    ]
    drawn = {date.fromisoformat(facts.wanted["due"]).year for facts in asked}  # type: ignore[attr-defined]
    assert drawn <= set(range(2020, 2050)), "years that the table has"


@pytest.mark.parametrize("own", [0.35, 8.66, 45.31])
def test_a_figure_that_is_rounded_is_right_and_one_in_mib_is_not(own: float) -> None:
    size = Size(int(own * 1e6), 300_000_000)

    def cause(figure: float) -> str:
        claim = Claim("measured.json", {"stages": figure})
        wrong = release_size.Measured(
            claim, "stages", size, ("COPY /app/node_modules ./node_modules",)
        ).wrong()
        return wrong.cause if wrong else ""

    assert cause(own) == cause(round(own, 1)) == cause(own * 1.019) == ""
    if own > 1.5:  # of less, one decimal says nothing of the unit
        assert cause(own * 1e6 / 2**20) == "other-unit"
        assert cause(own * 1.03) == "wrong-figure"


def test_a_release_that_meets_both_needs_is_right(home: Path, images: Any) -> None:
    def hear(query: str) -> Heard:
        asked = dict(parse_qsl(query.removeprefix("/?")))
        line = lab.made.edits.get("src/server.ts", "") if hasattr(lab, "made") else ""
        edition = re.search('late, edition: "(.*)" }', line)
        answer = {"edition": edition[1] if edition else "first"}
        if "from" in asked:
            due = date.fromisoformat(asked["from"]) + timedelta(int(asked["days"]))
            due += timedelta(due == release_size._holiday(int(asked["code"]), due.year))
            answer |= {"due": str(due), "late": "yes" if due.year < 2030 else "no"}
        return Reply(200, json.dumps(answer))

    lab: ImageLab = begin(ImageLab("slim-images-4", hear))
    server = lab.folder() / "src/server.ts"
    server.write_text(server.read_text().replace('const edition = "first"', "const it = 2"))
    (lab.folder() / "measured.json").write_text('{"later": 8.7, "one-run": 8.66, "stages": 8.66}')
    images["steps"] = (
        "RUN npm prune --omit=dev",
        "RUN npm ci && npm run build",
        "COPY ./node_modules",
    )
    *_, released = seen(lab)
    came = files("slim-images-4") / "src/server.ts"
    changed = zip(
        lab.made.edits["src/server.ts"].splitlines(), came.read_text().splitlines(), strict=True
    )
    assert sum(one != other for one, other in changed) == 1
    assert list(released.notes()) == [
        "above the base 8.7 MB; a changed line makes new layers of 0 kB"
    ]
