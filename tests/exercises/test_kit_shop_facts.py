"""course.exercises.kit.shop_facts: whether the shop is at rest, and who is behind its name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from course.core.errors import CourseError
from course.exercises.kit import shop_facts
from course.exercises.kit.facts import judge
from course.exercises.kit.verdict import Wrong
from course.measure.rollout import Pod, Sample, Status, Waiting
from tests.exercises.shop_lab import Object, ShopLab, cause_of
from tests.exercises.shops import PROBE, beside, deployment, tried


class Feed:
    """Watches a Deployment that stays as it is; each look takes a second."""

    def __init__(self, *samples: Sample) -> None:
        self._samples, self.seconds = list(samples), 0.0

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def samples(self, since: int = 0) -> list[Sample]:
        return self._samples[since:]

    def until(self, ask: Callable[[], Any], wait: float) -> Any:
        while not (answer := ask()) and self.seconds < wait:
            self.seconds += 1.1
        return answer


Rest = Callable[..., str]


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Rest:
    """What is said of a shop that stays like this: the cause, and what was seen."""

    def judged(*pods: Pod, status: Status, lab: ShopLab | None = None, cause: str = "held") -> str:
        feed = Feed(Sample(0.0, pods, 2, status))
        monkeypatch.setattr(shop_facts, "Rollout", lambda _: SimpleNamespace(watch=lambda: feed))
        lab = lab or ShopLab(deployment())
        try:
            judge(lab, shop_facts.at_rest(lab, cause))
        except Wrong as wrong:
            return f"{wrong.cause}: {wrong.saw}"
        return ""

    return judged


DONE = Status("complete", "done", desired=2)
HALF = Status("progressing", "1 of 2 replicas updated", desired=2)
RUNS = Pod("new", "1.1.0", 2, "Running", False, False, 0, 5)


def test_a_shop_is_at_rest_once_nobody_is_on_the_way_out(rest: Rest) -> None:
    assert rest(status=DONE) == ""
    leaving = Pod("old", "1.0.0", 1, "Terminating", True, True, 0, 60)
    with pytest.raises(CourseError, match="not at rest after 30 s: done"):
        rest(leaving, status=DONE)


def test_a_paused_shop_is_told(rest: Rest) -> None:
    assert rest(status=Status("paused", "paused")).startswith("paused: ")


def test_a_stalled_release_is_named_by_what_holds_it(rest: Rest) -> None:
    held = Waiting("new", "ImagePullBackOff", "not found")
    status = Status("stalled", "no progress within 8 s", version="1.3.0", waiting=(held,))
    said = rest(status=status, cause="only-noticed")
    assert said.startswith("only-noticed: ") and "ImagePullBackOff: not found" in said


@pytest.mark.parametrize(
    ("message", "environment"),
    [
        ("0/1 nodes are available: 1 Insufficient cpu.", True),
        ("0/1 nodes are available: 1 Too many pods.", True),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s).", True),
        ("0/1 nodes are available: 1 node(s) didn't have free ports for the requested", False),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector", False),
    ],
)
def test_a_pod_that_finds_no_node_is_the_answers_fault_unless_the_cluster_is_full(
    message: str, environment: bool, rest: Rest
) -> None:
    status = replace(HALF, waiting=(Waiting("new", "Unschedulable", message),))
    if environment:
        with pytest.raises(CourseError, match=r"no room for pod new"):
            rest(status=status)
    else:
        assert rest(status=status).startswith("held: ") and message in rest(status=status)


def unhealthy(message: str, container: str = "") -> Object:
    where = {"fieldPath": f"spec.containers{{{container}}}" if container else ""}
    return {"reason": "Unhealthy", "message": message, "involvedObject": where}


@pytest.mark.parametrize(
    ("container", "probed"), [("mesh", 'mesh: {"tcpSocket'), ("", 'shop: {"httpGet')]
)
def test_a_probe_that_fails_is_named_with_its_container(
    container: str, probed: str, rest: Rest
) -> None:
    event = unhealthy("Readiness probe failed: HTTP probe failed with statuscode: 404", container)
    said = rest(RUNS, status=HALF, lab=ShopLab(beside(deployment()), events=[event]))
    assert said.startswith("never-ready: ") and f"readinessProbe of container {probed}" in said


@pytest.mark.parametrize(("age", "named"), [(4, ""), (21, "never-ready")])
def test_a_503_is_the_answer_of_a_service_that_starts_until_it_is_not(
    age: float, named: str, rest: Rest
) -> None:
    event = unhealthy("Readiness probe failed: HTTP probe failed with statuscode: 503")
    pod, lab = replace(RUNS, age=age), ShopLab(deployment(), events=[event])
    if named:
        assert rest(pod, status=HALF, lab=lab).startswith(named)
    else:
        with pytest.raises(CourseError, match=r"container shop: .*statuscode: 503"):
            rest(pod, status=HALF, lab=lab)


def test_a_sidecar_that_keeps_its_pod_waiting_is_named(rest: Rest) -> None:
    lab = ShopLab(beside(deployment()), events=[unhealthy("connection refused", "mesh")])
    with pytest.raises(CourseError, match=r"not at rest.*container mesh: connection refused"):
        rest(replace(RUNS, age=60), status=HALF, lab=lab)


def test_a_shop_without_a_deployment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise CourseError("no Deployment `shop-lab` in namespace `ada`")

    monkeypatch.setattr(shop_facts, "Rollout", missing)
    lab = ShopLab(deployment())
    with pytest.raises(Wrong, match="no-deployment"):
        judge(lab, shop_facts.at_rest(lab))


ROUTE = {
    "metadata": {"name": "shop-lab"},
    "spec": {
        "hostnames": ["shop-lab.ada.localhost"],
        "rules": [{"backendRefs": [{"name": "shop-lab"}]}],
    },
}


def service(app: str) -> Object:
    return {"metadata": {"name": "shop-lab"}, "spec": {"selector": {"app": app}}}


def test_the_release_has_to_be_what_is_served() -> None:
    other = deployment()
    other["metadata"]["name"] = "shop-lab-old"
    other["spec"]["template"]["metadata"]["labels"] = {"app": "shop-lab-old"}

    def reached(app: str, **after: int) -> str:
        there = {"services": [service(app)], "httproutes": [ROUTE], "deployments": [other]}
        lab = ShopLab(deployment(), **there)
        return cause_of(shop_facts.reached(lab, tried(after=after)))

    assert reached("shop-lab", **{PROBE: 32}) == ""
    assert reached("shop-lab-old", **{"1.1.0": 32}) == "not-behind-route"
    assert reached("shop-front", **{PROBE: 32}) == "not-behind-route"
    assert reached("shop-lab", **{"1.1.0": 32}) == "forged-version"
    assert reached("shop-lab-old", **{"1.1.0": 3, PROBE: 29}) == "not-behind-route"
    assert reached("shop-lab") == "not-the-shop"


def owned_by(kind: str, name: str) -> Object:
    owner = {"kind": kind, "name": name, "uid": f"u-{name}", "controller": True}
    labels = {"app": "shop-lab"}
    return {"metadata": {"name": f"{name}-x", "labels": labels, "ownerReferences": [owner]}}


def test_pods_of_others_behind_the_shops_service_are_named() -> None:
    mine = owned_by("ReplicaSet", "shop-lab-1")
    of_it = {"metadata": {"uid": "u-shop-lab-1", "ownerReferences": [
        {"kind": "Deployment", "name": "shop-lab", "uid": "d", "controller": True}]}}  # fmt: skip
    orphan, stateful = owned_by("ReplicaSet", "former"), owned_by("StatefulSet", "other")
    bare: Object = {"metadata": {"name": "by-hand", "labels": {"app": "shop-lab"}}}
    evicted = {**copy.deepcopy(bare), "status": {"phase": "Failed"}}
    evicted["metadata"]["name"] = "evicted"
    elsewhere = {"metadata": {"name": "else", "labels": {"app": "else"}}}
    lab = ShopLab(
        deployment(), services=[service("shop-lab")], httproutes=[ROUTE], replicasets=[of_it],
        pods=[mine, orphan, stateful, bare, evicted, elsewhere],
    )  # fmt: skip
    seen = shop_facts.reached(lab, tried(after={"1.1.0": 3, PROBE: 29}))
    owners = ("shop-lab", "ReplicaSet former", "StatefulSet other", "Pod by-hand")
    assert seen.backends == (("shop-lab", owners),)
    assert cause_of(seen) == "not-behind-route"
