"""course.measure.chain.job: a Job that failed, an autoscaler that is blind."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("job"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_run_of_a_cron_job_that_has_succeeded_since_is_past() -> None:
    app = apps.app("job/back-off")
    failed = app.things["Job", "import"]
    owner = {"kind": "CronJob", "name": "import", "uid": "c", "controller": True}
    failed["metadata"] |= {"ownerReferences": [owner], "creationTimestamp": "2026-11-27T11:00:00Z"}
    later = {"name": "later", "namespace": "course", "creationTimestamp": "2026-11-27T11:30:00Z"}
    app.things["Job", "later"] = {
        **failed,
        "metadata": {**later, "ownerReferences": [owner]},
        "status": {"succeeded": 1},
    }
    assert apps.said_of(app) is None
    app.things["Job", "later"]["status"] = {}
    assert apps.said_of(app) is not None


def test_an_autoscaler_that_counts_what_each_container_requests_is_no_break() -> None:
    app = apps.app("job/autoscaler")
    (container,) = app.things["Pod", "shop-6c9f7d5b84-9wz4c"]["spec"]["containers"]
    container["resources"] = {"requests": {"cpu": "50m"}}
    assert apps.said_of(app) is None
