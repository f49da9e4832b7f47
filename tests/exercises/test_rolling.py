"""The checks of 11-rolling: which cause they name for what was lost, on objects in memory."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.core.errors import CourseError
from course.exercises import rolling
from course.exercises.kit import probe_release
from course.exercises.kit.lab import Lab as RealLab
from course.exercises.kit.verdict import Wrong
from course.measure.release import Failure, ReleaseRecord
from course.measure.rollout import Pod, Sample, Status, Waiting
from course.measure.traffic import Summary
from tests.exercises.shops import READY, Object, beside, deployment

PROBE = "probe-1a2b3c"


class Api:
    """What the API has."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        self._made, self._others = made, others

    def get(self, _: str, __: str) -> Object:
        return copy.deepcopy(self._made)

    def select(self, kind: str, _: Any) -> Object:
        items = [self._made] if kind == "deployments" else []
        return {"apiVersion": "v1", "kind": "List", "items": [*items, *self._others.get(kind, [])]}


class Lab(RealLab):
    """A lab on that API."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        super().__init__("rolling-1")
        self._made = Api(made, **others)
        self.facts = {"FAULT_START_MS": "2000"}

    @property
    def api(self) -> Any:
        return self._made

    @property
    def namespace(self) -> str:
        return "ada"

    @property
    def orders_url(self) -> str:
        return "http://orders.localhost:8080"

    def recall(self, name: str) -> str:
        return self.facts[name]

    def remember(self, name: str, value: str) -> None:
        self.facts[name] = value


def tried(
    *failures: Failure, after: dict[str, int] | None = None, **figures: Any
) -> probe_release.ProbeRelease:
    """A release from old to new, with these failures."""
    old = Pod("old", "1.1.0", 1, "Running", True, False, 0, 60)
    new = Pod("new", PROBE, 2, "Running", True, False, 0, 2)
    leaving = Pod("old", "1.1.0", 1, "Terminating", True, True, 0, 63)
    status = Status("complete", "done", desired=2, version=PROBE)
    samples = (
        Sample(0.0, (old,), 1, status),
        Sample(3.0, (old, new), 2, status),
        Sample(4.0, (leaving, new), 2, status),
    )
    errors: dict[str, int] = {}
    for failure in failures:
        errors[failure.error] = errors.get(failure.error, 0) + 1
    good = 900 - len(failures)
    given: dict[str, Any] = {"p50_ms": 201.0, "blind_ms": 0.0, "unsent": 0, **figures}
    summary = Summary(
        planned=900, ok=good, errors=errors, late=0, by_version={}, p90_ms=210, p99_ms=220,
        max_ms=230, late_p99_ms=1, rate_achieved=80, seconds=11.0, **given,
    )  # fmt: skip
    seen = ReleaseRecord(summary, failures, samples, 1.0, 0.0)
    return probe_release.ProbeRelease(
        PROBE, status, status, 8.0, seen, {PROBE: 32} if after is None else after
    )


EARLY = Failure(2.5, "503", PROBE)
CUT = Failure(3.1, "502", "")
UNSERVED = Failure(2.0, "503", "")


def cause(release: probe_release.ProbeRelease, made: Object) -> str:
    with pytest.raises(Wrong) as wrong:
        rolling._lossless(Lab(made), release)
    told = wrong.value
    assert told.saw and told.want and told.try_
    assert f"{len(release.seen.failures)} of 900 requests failed" in told.saw
    assert "Deployment shop-lab" in told.saw
    return told.cause


@pytest.mark.parametrize(
    ("named", "made"),
    [
        ("no-probe", deployment(readinessProbe=None)),
        ("liveness-only", deployment(readinessProbe=None, livenessProbe=READY)),
        ("lying-probe", deployment(readinessProbe={"httpGet": {"path": "/healthz"}})),
        ("port-only", deployment(readinessProbe={"tcpSocket": {"port": "http"}})),
        ("lying-exec", deployment(readinessProbe={"exec": {"command": ["true"]}})),
        ("guessed-delay", deployment(readinessProbe={**READY, "initialDelaySeconds": 2})),
        ("slow-start-hidden", deployment(env={"FAULT_START_MS": "0"})),
    ],
)
def test_what_answers_before_it_can_serve_is_named_by_its_probe(named: str, made: Object) -> None:
    assert cause(tried(EARLY, CUT), made) == named


@pytest.mark.parametrize(
    "options", [{}, {"renamed": "web"}, {"renamed": "web", "native": True}], ids=str
)
@pytest.mark.parametrize(
    ("named", "failure", "change"),
    [
        ("no-probe", EARLY, {"readinessProbe": None}),
        ("lying-probe", EARLY, {"readinessProbe": {"httpGet": {"path": "/healthz"}}}),
        ("lying-probe", EARLY, {"readinessProbe": {"grpc": {"port": 3000}}}),
        ("slow-start-hidden", EARLY, {"env": {"FAULT_START_MS": "0"}}),
        ("instant-exit", CUT, {"lifecycle": None, "env": {"DRAIN_MS": "0"}}),
    ],
)
def test_the_cause_is_the_shops_own_whatever_stands_beside_it(
    named: str, failure: Failure, change: Object, options: Object
) -> None:
    made = beside(deployment(**copy.deepcopy(change)), **options)
    assert cause(tried(failure), made) == named


def test_a_wait_after_ready_is_named() -> None:
    made = deployment(readinessProbe={"httpGet": {"path": "/healthz"}})
    made["spec"]["minReadySeconds"] = 4
    assert cause(tried(EARLY), made) == "min-ready-only"


@pytest.mark.parametrize(
    ("named", "grace", "made"),
    [
        ("instant-exit", 30, deployment(lifecycle=None, env={"DRAIN_MS": "0"})),
        ("drain-only", 30, deployment(lifecycle=None)),
        ("grace-unused", 60, deployment(lifecycle=None, env={"DRAIN_MS": "0"})),
        ("prestop-too-short", 30, deployment(env={"DRAIN_MS": "0"})),
        ("grace-too-short", 1, deployment()),
    ],
)
def test_what_is_cut_is_named_by_how_a_pod_leaves(named: str, grace: int, made: Object) -> None:
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = grace
    assert cause(tried(CUT), made) == named


def test_a_gateway_without_a_pod_is_named_by_the_strategy() -> None:
    assert cause(tried(UNSERVED, CUT), deployment()) == "none-left"


def test_the_evidence_names_the_pod_and_when() -> None:
    with pytest.raises(Wrong, match=r"pod new was Ready at 2.0 s and answered 503 .* at 2.5 s"):
        rolling._lossless(Lab(deployment(readinessProbe=None)), tried(EARLY))
    with pytest.raises(Wrong, match=r"pod old was told to end at 3.0 s; .* sent at 3.1 s"):
        rolling._lossless(Lab(deployment(lifecycle=None)), tried(CUT))


def test_a_release_without_a_loss_is_right() -> None:
    rolling._lossless(Lab(deployment()), tried())


def test_answers_that_took_less_than_their_work_are_not() -> None:
    rolling._work_kept(Lab(deployment()), tried(p50_ms=201.0), 200)
    with pytest.raises(Wrong) as wrong:
        rolling._work_kept(Lab(deployment()), tried(p50_ms=3.0), 200)
    assert wrong.value.cause == "latency-hidden"


ROUTE = {
    "metadata": {"name": "shop-lab"},
    "spec": {
        "hostnames": ["shop-lab.ada.localhost"],
        "rules": [{"backendRefs": [{"name": "shop-lab"}]}],
    },
}


def service(app: str) -> Object:
    return {"metadata": {"name": "shop-lab"}, "spec": {"selector": {"app": app}}}


def reached(release: probe_release.ProbeRelease, *services: Object) -> str:
    other = deployment()
    other["metadata"]["name"] = "shop-lab-old"
    other["spec"]["template"]["metadata"]["labels"] = {"app": "shop-lab-old"}
    lab = Lab(deployment(), services=list(services), httproutes=[ROUTE], deployments=[other])
    try:
        rolling._reached(lab, release)
    except Wrong as wrong:
        return wrong.cause
    return ""


def test_the_release_has_to_be_what_is_served() -> None:
    assert reached(tried(), service("shop-lab")) == ""
    old = tried(after={"1.1.0": 32})
    assert reached(old, service("shop-lab-old")) == "not-behind-route"
    assert reached(old, service("shop-lab")) == "forged-version"
    mixed = tried(after={"1.1.0": 3, PROBE: 29})
    assert reached(mixed, service("shop-lab-old")) == "not-behind-route"
    assert reached(tried(after={}), service("shop-lab")) == "not-the-shop"


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
    lab = Lab(
        deployment(), services=[service("shop-lab")], httproutes=[ROUTE], replicasets=[of_it],
        pods=[mine, orphan, stateful, bare, evicted, elsewhere],
    )  # fmt: skip
    others = "shop-lab, ReplicaSet former, StatefulSet other, Pod by-hand"
    with pytest.raises(Wrong, match=f"selects the pods of {others}$") as wrong:
        rolling._reached(lab, tried(after={"1.1.0": 3, PROBE: 29}))
    assert wrong.value.cause == "not-behind-route"


def test_a_release_that_does_not_end_is_no_verdict() -> None:
    late = probe_release.ProbeRelease(
        PROBE, tried().before, tried().status, None, tried().seen, tried().after
    )
    with pytest.raises(CourseError, match="was not over"):
        rolling._finished(late)


class Feed:
    """Watches a Deployment that stays as it is; each look takes a second."""

    def __init__(self, sample: Sample) -> None:
        self._sample, self.seconds = sample, 0.0

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def samples(self) -> list[Sample]:
        self.seconds += 1.1
        return [self._sample]


def test_a_stalled_release_is_named_by_what_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Waiting("new", "ImagePullBackOff", "not found")
    status = Status(
        "stalled", "no progress within 8 s", desired=2, version="1.3.0", waiting=(held,)
    )
    feed = Feed(Sample(0.0, (), 2, status))
    monkeypatch.setattr(rolling, "Rollout", lambda _: SimpleNamespace(watch=lambda: feed))
    for cause in ("does-not-start", "only-noticed"):
        with pytest.raises(Wrong, match=r"no progress within 8 s.*ImagePullBackOff") as wrong:
            rolling._settled(Lab(deployment()), cause)
        assert wrong.value.cause == cause


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
    message: str, environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Waiting("new", "Unschedulable", message)
    status = Status("progressing", "1 of 2 replicas updated", desired=2, waiting=(held,))
    feed = Feed(Sample(0.0, (), 2, status))
    monkeypatch.setattr(rolling, "Rollout", lambda _: SimpleNamespace(watch=lambda: feed))
    with pytest.raises(CourseError if environment else Wrong) as told:
        rolling._settled(Lab(deployment()))
    assert isinstance(told.value, Wrong) is not environment
    assert message[:60] in str(told.value)


def test_a_probe_that_fails_is_named_with_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = (Pod("new", "1.1.0", 2, "Running", False, False, 0, 5),)
    feed = Feed(Sample(0.0, pods, 2, Status("progressing", "1 of 2", desired=2)))
    monkeypatch.setattr(rolling, "Rollout", lambda _: SimpleNamespace(watch=lambda: feed))
    said = "Readiness probe failed: HTTP probe failed with statuscode: 404"
    event: Object = {"reason": "Unhealthy", "message": said}
    for field, probed in (("spec.containers{mesh}", "mesh: {.*tcpSocket"), ("", "shop: {.*readyz")):
        event["involvedObject"] = {"fieldPath": field}
        lab = Lab(beside(deployment()), events=[event])
        with pytest.raises(Wrong, match=f"readinessProbe of container {probed}") as wrong:
            rolling._settled(lab)
        assert wrong.value.cause == "never-ready"


def test_a_sidecar_that_keeps_its_pod_waiting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = (Pod("new", "1.1.0", 2, "Running", False, False, 0, 5),)
    feed = Feed(Sample(0.0, pods, 2, Status("progressing", "1 of 2", desired=2)))
    monkeypatch.setattr(rolling, "Rollout", lambda _: SimpleNamespace(watch=lambda: feed))
    monkeypatch.setattr("time.sleep", lambda _: None)
    where = {"fieldPath": "spec.containers{mesh}"}
    event = {"reason": "Unhealthy", "message": "connection refused", "involvedObject": where}
    with pytest.raises(CourseError, match=r"not at rest.*container mesh: connection refused"):
        rolling._settled(Lab(beside(deployment()), events=[event]))


@pytest.mark.parametrize(("digest", "cause"), [("sha256:11", ""), ("sha256:12", "other-version")])
def test_an_image_is_known_by_what_served_before(digest: str, cause: str) -> None:
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
    lab = Lab(beside(deployment()), pods=[evicted, pod])
    lab.facts |= {"digest": "sha256:11", "bad": "r/shop-lab:1.3.0", "pods": "u1", "uid": "d"}
    try:
        rolling.StuckIsNoticed()._one_good_version(lab)
    except Wrong as wrong:
        assert wrong.cause == cause
    else:
        assert not cause


def test_pods_are_counted_as_they_are_ready() -> None:
    release = tried()  # `spec.replicas` says 2, and one pod was ready
    with pytest.raises(
        Wrong, match=r"Deployment shop-lab: ready .*: 1; spec.replicas is 2"
    ) as wrong:
        rolling._two_or_more(release)
    assert wrong.value.cause == "one-pod"


def moment(at: float, ready: int, starting: int = 0, phase: str = "Running") -> Sample:
    old = tuple(Pod(f"old{i}", "1.1.0", 1, "Running", True, False, 0, 60) for i in range(ready))
    new = tuple(Pod(f"new{i}", PROBE, 2, phase, False, False, 0, 1) for i in range(starting))
    return Sample(at, old + new, 2, Status("progressing", "2 of 4 updated", desired=4))


MEASURED = {
    "one more": {"seconds": 24.0, "peak": 5, "fewest_ready": 4},
    "two fewer": {"seconds": 13.0, "peak": 4, "fewest_ready": 2},
}
DECISION = {"choice": "two fewer", "measured": MEASURED}
Decide = Callable[..., str]


@pytest.fixture
def decide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Decide:
    """What rolling-5 says of a release that was seen so: cause and fact."""

    def decided(
        *moments: Sample, seconds: float | None = 13.0, decision: Any = DECISION, revision: int = 5
    ) -> str:
        seen = replace(tried().seen, samples=moments or (moment(1, 4), moment(2, 2, 2)))
        before = replace(tried().before, desired=4, revision=revision)
        release = replace(tried(), seen=seen, before=before, seconds=seconds)
        release = replace(release, status=seen.samples[-1].status)
        for name, value in (("_settled", None), ("_answering", None), ("_released", release)):
            monkeypatch.setattr(rolling, name, lambda *_, _value=value, **__: _value)
        (tmp_path / "decision.json").write_text(json.dumps(decision))
        lab = Lab(deployment())
        lab.facts["checks"] = "1"
        monkeypatch.setattr(lab, "folder", lambda: tmp_path)
        try:
            rolling.DecideUnderLimits().check(lab)
        except Wrong as wrong:
            return f"{wrong.cause}: {wrong.saw}"
        assert lab.facts["checks"] == "2"
        return ""

    return decided


def test_a_choice_within_all_limits_is_right(decide: Decide) -> None:
    assert decide() == ""


@pytest.mark.parametrize(
    ("moments", "seconds", "saw"),
    [
        ([moment(1, 3)], 13.0, "replicas-changed: Deployment shop-lab: ready pods .*: 3; .* is 4"),
        (
            [moment(1, 4), moment(2.5, 4, 1)],
            13.0,
            "too-many-pods: Deployment shop-lab, 1.5 s after its release began: 5 pods",
        ),
        (
            [moment(1, 4), moment(3, 1, 3)],
            13.0,
            "too-few-ready: Deployment shop-lab, 2.0 s after its release began: 1 pods ready",
        ),
        (
            [moment(1, 4), moment(3, 3, 1)],
            None,
            "too-slow: Deployment shop-lab, 20.0 s after its release began: .*2 of 4 updated",
        ),
    ],
)
def test_a_limit_that_is_broken_is_told_with_its_moment(
    decide: Decide, moments: list[Sample], seconds: float | None, saw: str
) -> None:
    assert re.match(saw, decide(*moments, seconds=seconds))


def test_a_machine_that_starts_containers_late_is_not_the_strategys_fault(decide: Decide) -> None:
    two = [moment(1, 4), moment(3, 2, 2, "Pending"), moment(7, 2, 2)]
    with pytest.raises(CourseError, match=r"container started 4.0 s after .* too busy"):
        decide(*two, seconds=None)
    assert decide(moment(1, 4), moment(3, 2, 2, "Pending"), moment(4, 2, 2), seconds=None)
    one = [moment(1, 4), moment(3, 3, 1, "Pending"), moment(7, 3, 1)]
    assert "too-slow" in decide(*one, seconds=None)  # four rounds of 5 s are too many anywhere


def test_a_start_that_the_pod_itself_delays_is_not_the_machines(decide: Decide) -> None:
    init = [
        moment(1, 4),
        moment(3, 2, 2, "Pending"),
        moment(3.5, 2, 2, "Init:0/1"),
        moment(9, 2, 2),
    ]
    assert "too-slow" in decide(*init, seconds=None)


def test_each_strategy_has_to_have_been_released(decide: Decide) -> None:
    # The start is one revision, the check before this one two.
    assert "released Deployment shop-lab 1 times" in decide(revision=4)
    assert decide(revision=4).startswith("not-measured")


def test_a_deployment_made_anew_counts_its_releases_anew() -> None:
    made, exercise = deployment(), rolling.DecideUnderLimits()
    lab = Lab(made)
    lab.facts["checks"] = "0"
    counts = []
    for uid in ("d1", "d1", "d2", "d2"):
        made["metadata"]["uid"] = uid
        counts.append(exercise._earlier(lab))
    assert counts == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("figures", "possible"),
    [
        ((24.0, 5, 4), True),
        ((26.0, 4, 3), True),
        ((6.5, 4, 0), True),
        ((6.5, 8, 4), True),
        ((9.0, 5, 4), False),  # four rounds of 5 s
        ((3.0, 4, 0), False),  # less than one start
        ((24.0, 4, 4), False),  # no pod more and none away
        ((24.0, 12, 4), False),
        ((float("nan"), 5, 4), False),
    ],
)
def test_figures_that_no_four_pods_can_give_are_not_believed(
    figures: tuple[float, float, float], possible: bool
) -> None:
    assert rolling.DecideUnderLimits()._possible(*figures) is possible


def test_a_rejected_strategy_with_impossible_figures_is_named(decide: Decide) -> None:
    invented = {"seconds": 9.0, "peak": 5, "fewest_ready": 4}
    decision = {**DECISION, "measured": {**MEASURED, "one more": invented}}
    assert decide(decision=decision).startswith(
        "impossible-figures: decision.json says of `one more`: 9 s, at most 5 pods, at least 4"
    )
