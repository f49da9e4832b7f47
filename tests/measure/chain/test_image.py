"""course.measure.chain.image: what a node cannot get."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("image"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_what_is_said_does_not_change_with_the_state_of_the_pull() -> None:
    pulling, waiting = apps.app("image/tag"), apps.app("image/tag")
    (status,) = pulling.things["Pod", "shop-6c9f7d5b84-2lq8x"]["status"]["containerStatuses"]
    status["state"]["waiting"]["reason"] = "ErrImagePull"
    assert apps.said_of(pulling) == apps.said_of(waiting)
