"""The bank of the mini course."""

from __future__ import annotations

from tests.bank import KINDS, WAYS, Answer


def _nothing(_: object) -> None:
    """Change nothing."""


BANK = {
    id_: [
        *(Answer(f"wrong {i}", _nothing, f"cause-{i}", KINDS[i]) for i in range(4)),
        *(Answer(f"right {i}", _nothing, "", "alternative") for i in range(3)),
    ]
    for id_ in ("mini-1", "mini-2")
}
CANNOT = {id_: dict.fromkeys(WAYS, "a file is read") for id_ in BANK}
