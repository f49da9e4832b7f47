"""course.exercises.kit.probe_release: what a check's own release changes, and when it may judge."""

from __future__ import annotations

import pytest

from course.core.errors import CourseError
from course.exercises.kit import probe_release
from course.measure import release
from course.measure.rollout import Status
from tests.exercises.shops import Object, beside, deployment
from tests.releases import GOOD, Feed, Run, answers, pod, sample


def test_a_patch_gives_the_made_up_version_to_every_container() -> None:
    template = deployment()["spec"]["template"]
    template["spec"]["containers"].append({"name": "beside", "image": "x"})
    change = probe_release._change(template, [{"name": "A", "value": "1"}], "r/shop-lab:bad")
    first, second = change["spec"]["template"]["spec"]["containers"]
    assert first == {
        "name": "shop",
        "env": [{"name": "A", "value": "1", "valueFrom": None}],
        "image": "r/shop-lab:bad",
    }
    assert second["name"] == "beside" and "image" not in second


@pytest.mark.parametrize("options", [{}, {"renamed": "web"}])
def test_the_image_of_a_release_is_given_to_the_shop_and_not_to_the_first(options: Object) -> None:
    template = beside(deployment(), **options)["spec"]["template"]
    spec = probe_release._change(template, [], "r/shop-lab:bad")["spec"]["template"]["spec"]
    images = {c["name"]: c.get("image") for c in spec["containers"]}
    assert images == {"mesh": None, options.get("renamed", "shop"): "r/shop-lab:bad"}


def test_a_shop_that_is_a_native_sidecar_is_released_too() -> None:
    template = deployment()["spec"]["template"]
    (served,) = template["spec"]["containers"]
    template["spec"] |= {
        "initContainers": [{**served, "restartPolicy": "Always"}, {"name": "migrate"}],
        "containers": [{"name": "idle", "image": "x"}],
    }
    change = probe_release._change(template, [{"name": "A", "value": "1"}], "r/shop-lab:bad")
    spec = change["spec"]["template"]["spec"]
    (own,) = spec["initContainers"]
    assert (own["name"], own["image"], own["env"][0]["value"]) == ("shop", "r/shop-lab:bad", "1")


def tried(run: Run) -> probe_release.ProbeRelease:
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    status = Status("complete", "done")
    return probe_release.ProbeRelease("probe-1", status, status, 5.0, seen, {"probe-1": 10})


def test_a_check_does_not_judge_what_its_generator_did_not_see() -> None:
    with pytest.raises(CourseError, match=r"blind: .* stood still for 250 ms"):
        tried(Run(answers(*[GOOD] * 300), blind=((1.0, 0.25),))).judgeable()
    with pytest.raises(CourseError, match="2 of 102 requests were never sent"):
        tried(Run(answers(*[GOOD] * 100), unsent=(1.0, 2.0))).judgeable()


def test_a_check_does_not_judge_a_machine_that_is_only_slow() -> None:
    with pytest.raises(CourseError, match=r"1 requests had no answer .* too busy"):
        tried(Run(answers(("timeout", ""), *[GOOD] * 300))).judgeable()


def test_what_was_seen_to_fail_has_failed_however_blind_the_generator_was() -> None:
    run = Run(answers(("502", ""), *[GOOD] * 9), blind=((1.0, 0.25),))
    made = tried(run)
    made.judgeable()
    assert made.said() == "1 of 10 requests failed (1 x 502)"
