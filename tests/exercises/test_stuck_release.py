"""What the check of rolling-4 sees of what serves, and of a copy that hangs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest

from course.exercises import stuck_release
from course.exercises.kit import shop_copy
from course.measure.rollout import Rollout
from tests.controller import Controlled
from tests.exercises.shop_lab import ShopLab
from tests.exercises.shops import beside, deployment


@pytest.mark.parametrize(("digest", "other"), [("sha256:11", ""), ("sha256:12", "a")])
def test_an_image_is_known_by_what_served_before(digest: str, other: str) -> None:
    """And not by what its tag names now: that may be another image, or none."""
    pod = {
        "metadata": {"name": "a", "uid": "u1"},
        "spec": beside(deployment())["spec"]["template"]["spec"],
        "status": {"containerStatuses": [
            {"name": "mesh", "imageID": "r/mesh@sha256:99"},
            {"name": "shop", "imageID": f"r/shop-lab@{digest}"},
        ]},
    }  # fmt: skip
    evicted = {
        "metadata": {"name": "b", "uid": "u2"},
        "spec": pod["spec"],
        "status": {"phase": "Failed", "reason": "Evicted"},
    }
    made = beside(deployment())
    made["metadata"] |= {"uid": "d", "creationTimestamp": "2026-01-01T00:00:00Z"}
    lab = ShopLab(made, pods=[evicted, pod])
    lab.facts |= {"digest": "sha256:11", "bad": "r/shop-lab:1.3.0", "pods": "u1", "uid": "d"}
    seen = stuck_release._serving(lab)
    assert (seen.other[0], seen.left, seen.made) == (other, 1, "")


def test_a_bad_release_of_a_copy_is_followed_until_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Controlled(deployment(spec={"progressDeadlineSeconds": 8}), stuck="r/shop-lab:")
    started = ("2026-01-01T00:00:05Z", "2026-01-01T00:00:02Z")
    lab = ShopLab(made.deployment, pods=[_ready(f"u{n}", at) for n, at in enumerate(started)])
    lab.facts["pods"] = "u0 u1"

    @contextmanager
    def deployed(*_: object) -> Any:
        yield Rollout(made.name, api=made)

    def set_image(rollout: Rollout, image: str) -> str:
        name, _, bad = image.partition("=")
        assert name == "shop" and bad.startswith("r/shop-lab:")
        change = {"containers": [{"name": name, "image": bad}]}
        made.patch("deployments", made.name, {"spec": {"template": {"spec": change}}})
        made.deployment["status"]["conditions"] = [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        ]
        made.deployment["status"]["updatedReplicas"] = 1
        made._send("deployments", made.deployment)
        return ""

    monkeypatch.setattr(shop_copy, "deployed", deployed)
    monkeypatch.setattr(Rollout, "set_image", set_image)
    seen = stuck_release._hung(lab, 8)
    assert seen.noticed and seen.reason == "ProgressDeadlineExceeded" and not seen.good_stalled
    assert (seen.limit, seen.fewest_ready, seen.good) == (8, 2, 2.0)


def _ready(uid: str, at: str) -> dict[str, Any]:
    return {
        "metadata": {"name": uid, "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at}]},
    }
