"""The bank of the mini course."""

from __future__ import annotations

from tests.bank import Answer


def _nothing(_: object) -> None:
    """Change nothing."""


BANK = {
    id_: [
        *(Answer(f"wrong {i}", _nothing, f"cause-{i}", "stale") for i in range(4)),
        Answer("right", _nothing, "", "alternative"),
    ]
    for id_ in ("mini-1", "mini-2")
}
