"""course.exercises.kit.probe_release: what a check releases, and that it leaves no trace."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from course.core.errors import CourseError
from course.exercises.kit import probe_release
from course.exercises.kit.probe_release import Borrowed, Load, borrowed
from course.measure import traffic
from course.measure.release import merge_feeds
from course.measure.rollout import Pod, Rollout, Sample, Status
from course.measure.rollout import status as reading
from course.measure.traffic import Batch, Response
from course.measure.traffic.summary import Tally
from tests import releases
from tests.controller import Controlled
from tests.exercises.shops import beside, deployment, tried

RATE = 80.0
URL = "http://shop-lab.ada.localhost:8080/"


@dataclass
class Run:
    """A run of the generator whose requests are answered, but for those that are blind."""

    api: Controlled
    blind: tuple[tuple[float, float], ...] = ()
    started: float | None = 1.0
    sent: list[float] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def batches(self) -> list[Batch]:
        version = reading.version(self.api.deployment["spec"]["template"])
        answers = tuple(Response(i / RATE, 0.1, 4.0, version) for i in range(100))
        return [Batch(0.0, answers, 100, (), self.blind)]

    def summary(self, since: float = 0.0, until: float | None = None) -> Any:
        tally = Tally(RATE)
        tally.add(self.batches())
        return tally.summary(seconds=100 / RATE, ended="done")

    def stop(self) -> None:
        """Nothing runs."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Controlled:
    """The shop at its third revision, reached by an undo of a fourth: its number was 2 before."""
    made = Controlled(deployment())
    for image in ("r/shop-lab:1.2.0", "r/shop-lab:1.3.0"):
        shop = made.deployment["spec"]["template"]["spec"]["containers"][0]["name"]
        change = {"containers": [{"name": shop, "image": image}]}
        made.patch("deployments", made.name, {"spec": {"template": {"spec": change}}})
    made.undo()
    monkeypatch.setattr(probe_release, "Kubernetes", lambda: made)
    monkeypatch.setattr(traffic, "start", lambda *_, **__: Run(made))
    for name in ("_BASE", "_TAIL", "_PAUSE"):
        monkeypatch.setattr(probe_release, name, 0.01)
    return made


def release(api: Controlled, **settings: str) -> probe_release.ProbeRelease:
    with borrowed(Rollout(api.name, api=api), URL) as shop:
        return shop.release(settings, wait=5)


def test_a_release_is_seen_under_a_version_that_nobody_had_before(api: Controlled) -> None:
    before = copy.deepcopy(api.deployment)
    seen = release(api, FAULT_START_MS="1900")
    assert seen.version.startswith("probe-") and seen.seconds
    assert set(seen.after) == {seen.version} and not seen.strangers
    assert api.deployment["spec"] == before["spec"]


def test_a_check_leaves_the_history_as_it_found_it_so_that_an_undo_goes_where_it_would_have(
    api: Controlled,
) -> None:
    before, uid = api.revisions(), reading.number(api.deployment)
    release(api)
    assert api.revisions() == before
    assert reading.number(api.deployment) == uid
    newest, second, *_ = sorted(before, key=lambda name: -before[name][0])
    assert api.undo() == second != newest


def test_ten_checks_leave_no_more_than_one(api: Controlled) -> None:
    before = api.revisions()
    for _ in range(10):
        release(api)
    assert api.revisions() == before


def test_a_full_history_keeps_its_oldest_revision(api: Controlled) -> None:
    api.patch("deployments", api.name, {"spec": {"revisionHistoryLimit": 2}})
    before = api.revisions()
    assert len(before) == 3
    release(api)
    assert api.revisions() == before
    assert api.deployment["spec"]["revisionHistoryLimit"] == 2


def test_a_check_that_ends_blind_has_released_nothing(
    api: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = api.revisions()
    blind = ((0.5, 0.3),)
    monkeypatch.setattr(traffic, "start", lambda *_, **__: Run(api, blind))
    with pytest.raises(CourseError, match="blind: the load generator stood still for 300 ms"):
        release(api)
    assert api.revisions() == before
    assert reading.version(api.deployment["spec"]["template"]) == "1.2.0"


def test_a_check_that_is_interrupted_gives_back_too(
    api: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = api.revisions()

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe_release, "_until_well", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release(api)
    assert api.revisions() == before


def test_the_way_back_can_be_watched_too(api: Controlled) -> None:
    before, told = api.revisions(), []
    with borrowed(Rollout(api.name, api=api), URL) as shop:
        there = shop.release({}, wait=5)
        back = shop.give_back(
            lambda: told.append(reading.version(api.deployment["spec"]["template"])),
            wait=5,
            load=Load(30, 15),
        )
    assert told == [there.version]
    assert back.version == "1.2.0" and back.seconds and set(back.after) == {"1.2.0"}
    assert back.load.timeout == 15
    assert api.revisions() == before


def test_pods_that_still_serve_keep_their_replicaset(
    monkeypatch: pytest.MonkeyPatch, api: Controlled
) -> None:
    """A deleted ReplicaSet takes its pods with it: the shop would be without any."""
    stuck = Controlled(deployment(env={"LEARNER": "stuck"}))
    monkeypatch.setattr(probe_release, "Kubernetes", lambda: stuck)
    monkeypatch.setattr(traffic, "start", lambda *_, **__: Run(stuck))
    for name in ("_BACK_WAIT", "_RETIRE_WAIT"):
        monkeypatch.setattr(probe_release, name, 0.2)
    shop = Borrowed(Rollout(stuck.name, api=stuck), URL)
    seen = shop.release({"LEARNER": "fine"}, wait=5)
    stuck._stuck = '"stuck"'
    shop.put_back()
    served = {reading.version(pod) for pod in stuck.things["pods"].values()}
    assert seen.version in served
    assert not [line for line in stuck.log if line.startswith("delete")]


def test_a_deployment_that_somebody_replaced_meanwhile_is_left_alone(api: Controlled) -> None:
    shop = Borrowed(Rollout(api.name, api=api), URL)
    shop.release({}, wait=5)
    api.deployment["metadata"]["uid"] = "another"
    log = list(api.log)
    shop.put_back()
    assert api.log == log


def test_what_was_deleted_meanwhile_needs_nothing_back(api: Controlled) -> None:
    shop = Borrowed(Rollout(api.name, api=api), URL)
    shop.release({}, wait=5)
    del api.things["deployments"][api.name]
    shop.put_back()


def test_without_a_release_nothing_is_put_back(api: Controlled) -> None:
    log = list(api.log)
    with borrowed(Rollout(api.name, api=api), URL):
        pass
    assert api.log == log


def test_what_a_check_that_was_killed_has_left_is_not_taken_for_the_learners(
    api: Controlled,
) -> None:
    Borrowed(Rollout(api.name, api=api), URL).release({}, wait=5)
    with pytest.raises(CourseError, match=r"has left its release probe-\w+ on shop-lab"):
        Borrowed(Rollout(api.name, api=api), URL)


def test_a_check_that_could_not_send_has_nothing_to_put_back(
    api: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the second of two at once: what it found may be the first one's."""

    def refused(*_: object, **__: object) -> None:
        raise CourseError("another run sends there")

    monkeypatch.setattr(traffic, "start", refused)
    log = list(api.log)
    with pytest.raises(CourseError, match="another run"):
        release(api)
    assert api.log == log


# -- the patch


def test_a_patch_gives_the_variables_to_every_container() -> None:
    template = deployment()["spec"]["template"]
    template["spec"]["containers"].append({"name": "beside", "image": "x"})
    change = probe_release.variables(template, {"A": "1"})
    first, second = change["spec"]["template"]["spec"]["containers"]
    assert first == {"name": "shop", "env": [{"name": "A", "value": "1", "valueFrom": None}]}
    assert second["name"] == "beside"


def test_a_shop_that_is_a_native_sidecar_is_released_too() -> None:
    template = deployment()["spec"]["template"]
    (served,) = template["spec"]["containers"]
    template["spec"] |= {
        "initContainers": [{**served, "restartPolicy": "Always"}, {"name": "migrate"}],
        "containers": [{"name": "idle", "image": "x"}],
    }
    spec = probe_release.variables(template, {"A": "1"})["spec"]["template"]["spec"]
    (own,) = spec["initContainers"]
    assert (own["name"], own["env"][0]["value"]) == ("shop", "1")


@pytest.mark.parametrize("renamed", ["", "web"])
def test_the_shop_is_found_by_its_name_and_not_by_its_place(renamed: str) -> None:
    template = beside(deployment(), renamed=renamed)["spec"]["template"]
    spec = probe_release.variables(template, {"A": "1"})["spec"]["template"]["spec"]
    assert {one["name"] for one in spec["containers"]} == {"mesh", renamed or "shop"}


# -- what was seen


def test_a_pod_leaves_from_when_it_is_asked_to_until_it_is_ready_no_more() -> None:
    assert tried().leaving == {"shop-lab-old0": 4.5}


def test_a_pod_that_has_not_left_when_nobody_watches_any_more_counts_until_then() -> None:
    stays = Pod("stays", "1.1.0", 1, "Terminating", True, True, 0, 60)
    status = tried().status
    samples = (Sample(1.0, (stays,), 2, status), Sample(31.0, (stays,), 2, status))
    assert tried(samples=samples).leaving == {"stays": 30.0}


def seen(
    *errors: tuple[str, str], good: int, blind: Any = (), unsent: Any = ()
) -> probe_release.ProbeRelease:
    """A release during which these requests failed, and so many did not."""
    answers = releases.answers(*errors, *[releases.GOOD] * good)
    run: Any = releases.Run(answers, blind=blind, unsent=unsent)
    feed: Any = releases.Feed([releases.sample(0.0, releases.pod("a"))])
    status = Status("complete", "done")
    record = merge_feeds(run, feed)
    return probe_release.ProbeRelease("probe-1", status, status, 5.0, record, {"probe-1": 10})


def test_a_check_does_not_judge_what_its_generator_did_not_see() -> None:
    with pytest.raises(CourseError, match=r"blind: .* stood still for 250 ms"):
        seen(good=300, blind=((1.0, 0.25),)).judgeable()
    with pytest.raises(CourseError, match="2 of 102 requests were never sent"):
        seen(good=100, unsent=(1.0, 2.0)).judgeable()


def test_requests_that_nobody_answered_are_judged_where_the_generator_sent_all_the_while() -> None:
    seen(("timeout", ""), good=300).judgeable()
    with pytest.raises(CourseError, match="blind"):
        seen(("timeout", ""), good=300, blind=((1.0, 0.25),)).judgeable()


def test_what_was_seen_to_fail_has_failed_however_blind_the_generator_was() -> None:
    made = seen(("502", ""), good=9, blind=((1.0, 0.25),))
    made.judgeable()
    assert made.said() == "1 of 10 requests failed (1 x 502)"
