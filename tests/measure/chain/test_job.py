"""course.measure.chain.job: a Job that failed, an autoscaler that is blind."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("job"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))
