"""The services that say when an invoice is due, of slim-images-1 and slim-images-4."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import Facts
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import WRONG_ANSWER, Wrong

PORT = 3000
"""Where they listen."""
_OK = 200


@dataclass(frozen=True)
class Due(Facts):
    """What a service said of when an invoice is due."""

    ref: str
    query: str
    wanted: Mapping[str, str]  # fields of the answer
    heard: Heard

    def wrong(self) -> Wrong | None:
        heard, list_ = self.heard, f"docker run --rm {self.ref} ls -R"
        stage = f"{list_}   and which stage has it?"
        package = "the packages that the service imports, where it looks for them"
        links = "npm ls --omit=dev   names them; which of them are links to a folder beside?"
        program = "the compiled program in the image, where CMD looks for it"
        data = "each file that the program reads when it starts"
        lacks = (
            ("missing-package", r"Cannot find package '[^']+'", package, links),
            ("missing-program", r"Cannot find module '[^']+'", program, stage),
            ("missing-data", r"ENOENT: no such file.* '[^']+'", data, stage),
        )
        for cause, error, want, try_ in lacks:
            found = re.search(error, heard.log) if isinstance(heard, Ended) else None
            if found:
                return Wrong(cause, saw=f"the container ended: {found[0]}", want=want, try_=try_)
        if not isinstance(heard, Reply):
            return no_reply(heard, self.ref, PORT, f"the service, listening on {PORT}")
        got = {name: heard.field(name) for name in self.wanted}
        if got == self.wanted and heard.status == _OK:
            return None
        saw = f"asked for {self.query} it answers {_fields(got)}"
        want = f"{_fields(self.wanted)}, as src/server.ts computes it"
        if heard.status != _OK:
            saw, want = f"{saw} with status {heard.status}", f"{want}, with status {_OK}"
        try_ = f"is it the compiled source that runs?   {list_}"
        return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=try_)


def _fields(answer: Mapping[str, str]) -> str:
    return ", ".join(f"{name} `{value}`" for name, value in answer.items())


def drawn_days(draw: Draw) -> list[date]:
    """Draw a day that is long over and one that is far ahead.

    Args:
        draw: of the check.
    """
    firsts = (date(2021, 1, 1), date(2040, 1, 1))
    return [first + timedelta(draw.number(0, 1500)) for first in firsts]


def ask_when_due(served: Served, ref: str, query: str, due: date) -> Due:
    """Ask a service when an invoice is due.

    Args:
        served: the service.
        ref: its image, as the learner names it.
        query: what is asked.
        due: the right answer.
    """
    late = "yes" if due <= datetime.now(UTC).date() else "no"
    return Due(ref, query, {"due": str(due), "late": late}, served.hear(query))
