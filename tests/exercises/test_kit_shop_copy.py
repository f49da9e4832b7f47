"""course.exercises.kit.shop_copy: copies of the shop, which get no request."""

from __future__ import annotations

import pytest

from course.exercises.kit import shop_copy
from tests.exercises.shop_lab import Object, ShopLab
from tests.exercises.shops import beside, deployment


@pytest.mark.parametrize("options", [{}, {"native": True, "renamed": "web"}], ids=str)
def test_a_pod_that_goes_on_starting_has_the_learners_probes_without_their_delays(
    options: Object,
) -> None:
    probes = {"initialDelaySeconds": 25, "periodSeconds": 10, "failureThreshold": 4}
    slow = {"httpGet": {"path": "/healthz"}, **probes}
    made = deployment(readinessProbe=slow, startupProbe=slow, livenessProbe=slow)
    made = beside(made, **options)
    name = options.get("renamed", "shop")
    pod = shop_copy.StartingPod(ShopLab(made), made, "shop-lab-copy-3fa2c1").manifest()
    served = next(one for one in pod["spec"]["containers"] if one["name"] == name)
    for kind in ("readinessProbe", "startupProbe"):
        asked = {"initialDelaySeconds": 0, "periodSeconds": 1, "failureThreshold": 4}
        assert asked.items() <= served[kind].items()
        assert served[kind]["httpGet"] == {"path": "/healthz"}
    assert "livenessProbe" not in served
    (starts,) = (e["value"] for e in served["env"] if e["name"] == "FAULT_START_MS")
    assert int(starts) >= 600_000
    assert pod["metadata"]["labels"] == {"app": "shop-lab-copy", "copy": "shop-lab-copy-3fa2c1"}


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False)])
def test_a_pod_that_cannot_serve_is_looked_at(status: str, ready: bool) -> None:
    condition = {"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:03Z"}
    pod = {
        "name": "copy",
        "metadata": {"creationTimestamp": "2026-01-01T00:00:01Z"},
        "status": {"conditions": [condition]},
    }
    made = deployment()
    seen = shop_copy.StartingPod(ShopLab(made, pods=[pod]), made, "copy").seen()
    assert (seen.ready, seen.seconds) == (ready, 2.0 if ready else 0.0)


def test_nothing_selects_the_pods_of_a_copy() -> None:
    made = deployment()
    found = shop_copy.copied(made, "shop-lab-copy-3fa2c1")
    labels = found["spec"]["template"]["metadata"]["labels"]
    assert found["spec"]["selector"]["matchLabels"] == labels
    assert not made["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert found["spec"]["template"]["spec"] == made["spec"]["template"]["spec"]
