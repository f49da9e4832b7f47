"""The checks of 11-rolling, and what the kit says of its shop, on objects in memory.

What is said of each case is in tests/messages/.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from course.core.errors import CourseError
from course.exercises import rolling
from course.exercises.kit import exercise, lost_requests, release_facts, shop_copy, shop_facts
from course.exercises.kit.facts import Facts, judge
from course.exercises.kit.lab import Lab as RealLab
from course.exercises.kit.lost_requests import Lossless
from course.exercises.kit.verdict import Wrong
from course.measure.rollout import Pod, Rollout, Sample, Status, Waiting
from tests.controller import Controlled
from tests.messages import shop as messages
from tests.releases import CUT, EARLY, PROBE, beside, deployment, sample, start, tried

Object = dict[str, Any]
IDS = [f"rolling-{number}" for number in range(1, 6)]


class Api:
    """What the API has."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        self._made, self._others = made, others

    def get(self, kind: str, name: str) -> Object:
        every = self._others.get(kind, [])
        return copy.deepcopy(next((one for one in every if one.get("name") == name), self._made))

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

    @property
    def registry(self) -> str:
        return "r"

    def recall(self, name: str) -> str:
        return self.facts[name]

    def remember(self, name: str, value: str) -> None:
        self.facts[name] = value


def cause(facts: Facts) -> str:
    wrong = facts.wrong()
    return wrong.cause if wrong else ""


@pytest.mark.parametrize("facts", messages.RIGHT, ids=lambda facts: type(facts).__name__)
def test_what_is_right_is_not_wrong(facts: Facts) -> None:
    assert cause(facts) == ""


# -- what lost the requests


@pytest.mark.parametrize(
    "options", [{}, {"renamed": "web"}, {"renamed": "web", "native": True}], ids=str
)
@pytest.mark.parametrize(
    ("named", "failure", "change"),
    [
        ("no-probe", EARLY, {"readinessProbe": None}),
        ("lying-probe", EARLY, {"readinessProbe": {"httpGet": {"path": "/healthz"}}}),
        ("slow-start-hidden", EARLY, {"env": {"FAULT_START_MS": "0"}}),
        ("instant-exit", CUT, {"lifecycle": None, "env": {"DRAIN_MS": "0"}}),
    ],
)
def test_the_cause_is_the_shops_own_whatever_stands_beside_it(
    named: str, failure: Any, change: Object, options: Object
) -> None:
    made = beside(deployment(**copy.deepcopy(change)), **options)
    assert cause(Lossless(tried(failure), made, "2000", 0.2)) == named


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        (None, 0),
        ({"sleep": {"seconds": 4}}, 4),
        ({"exec": {"command": ["sleep", "2.5"]}}, 2.5),
        ({"exec": {"command": ["sh", "-c", "curl localhost/leave; sleep 6"]}}, 6),
        ({"httpGet": {"path": "/leave"}}, 0),
    ],
)
def test_a_hook_sleeps_as_long_as_it_says(hook: Any, seconds: float) -> None:
    assert lost_requests.hook_seconds(hook) == seconds


@pytest.mark.parametrize(
    ("hook", "drain", "grace", "named"),
    [
        (4, "0", 30, "hook-only"),
        (9, "0", 30, "hook-only"),
        (4, "5000", 30, "drain-too-short"),
        (4, "10000", 9, "grace-too-short"),
        (12, "0", 7, "grace-too-short"),
        (8, "10000", 8, "prestop-too-short"),
        (4, "10000", 30, "prestop-too-short"),
    ],
)
def test_a_request_that_takes_long_needs_hook_drain_and_grace(
    hook: int, drain: str, grace: int, named: str
) -> None:
    made = deployment(
        lifecycle={"preStop": {"sleep": {"seconds": hook}}},
        env={"DRAIN_MS": drain},
        pod={"terminationGracePeriodSeconds": grace},
    )
    assert cause(Lossless(tried(CUT), made, "0", 9.5)) == named


# -- at rest


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

    def judged(*pods: Pod, status: Status, lab: Lab | None = None, cause: str = "held") -> str:
        feed = Feed(Sample(0.0, pods, 2, status))
        monkeypatch.setattr(shop_facts, "Rollout", lambda _: SimpleNamespace(watch=lambda: feed))
        lab = lab or Lab(deployment())
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
    said = rest(RUNS, status=HALF, lab=Lab(beside(deployment()), events=[event]))
    assert said.startswith("never-ready: ") and f"readinessProbe of container {probed}" in said


@pytest.mark.parametrize(("age", "named"), [(4, ""), (20, "never-ready")])
def test_a_503_is_the_answer_of_a_service_that_starts_until_it_is_not(
    age: float, named: str, rest: Rest
) -> None:
    event = unhealthy("Readiness probe failed: HTTP probe failed with statuscode: 503")
    pod, lab = replace(RUNS, age=age), Lab(deployment(), events=[event])
    if named:
        assert rest(pod, status=HALF, lab=lab).startswith(named)
    else:
        with pytest.raises(CourseError, match=r"container shop: .*statuscode: 503"):
            rest(pod, status=HALF, lab=lab)


def test_a_sidecar_that_keeps_its_pod_waiting_is_named(rest: Rest) -> None:
    lab = Lab(beside(deployment()), events=[unhealthy("connection refused", "mesh")])
    with pytest.raises(CourseError, match=r"not at rest.*container mesh: connection refused"):
        rest(replace(RUNS, age=60), status=HALF, lab=lab)


def test_a_shop_without_a_deployment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise CourseError("no Deployment `shop-lab` in namespace `ada`")

    monkeypatch.setattr(shop_facts, "Rollout", missing)
    lab = Lab(deployment())
    with pytest.raises(Wrong, match="no-deployment"):
        judge(lab, shop_facts.at_rest(lab))


# -- who is behind its name

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
        lab = Lab(deployment(), **there)
        return cause(shop_facts.reached(lab, tried(after=after)))

    assert reached("shop-lab", **{PROBE: 32}) == ""
    assert reached("shop-lab-old", **{"1.1.0": 32}) == "not-behind-route"
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
    lab = Lab(
        deployment(), services=[service("shop-lab")], httproutes=[ROUTE], replicasets=[of_it],
        pods=[mine, orphan, stateful, bare, evicted, elsewhere],
    )  # fmt: skip
    seen = shop_facts.reached(lab, tried(after={"1.1.0": 3, PROBE: 29}))
    owners = ("shop-lab", "ReplicaSet former", "StatefulSet other", "Pod by-hand")
    assert seen.backends == (("shop-lab", owners),)
    assert cause(seen) == "not-behind-route"


def test_a_release_that_does_not_end_is_no_verdict() -> None:
    release_facts.finished(tried())
    with pytest.raises(CourseError, match="was not over in time"):
        release_facts.finished(tried(seconds=0.0))


# -- copies


@pytest.mark.parametrize("options", [{}, {"native": True, "renamed": "web"}], ids=str)
def test_a_pod_that_goes_on_starting_has_the_learners_probes_without_their_delays(
    options: Object,
) -> None:
    probes = {"initialDelaySeconds": 25, "periodSeconds": 10, "failureThreshold": 4}
    slow = {"httpGet": {"path": "/healthz"}, **probes}
    made = deployment(readinessProbe=slow, startupProbe=slow, livenessProbe=slow)
    made = beside(made, **options)
    name = options.get("renamed", "shop")
    pod = shop_copy.StartingPod(Lab(made), made, "shop-lab-copy-3fa2c1").manifest()
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
    seen = shop_copy.StartingPod(Lab(made, pods=[pod]), made, "copy").seen()
    assert (seen.ready, seen.seconds) == (ready, 2.0 if ready else 0.0)


def test_nothing_selects_the_pods_of_a_copy() -> None:
    made = deployment()
    found = shop_copy.copied(made, "shop-lab-copy-3fa2c1")
    labels = found["spec"]["template"]["metadata"]["labels"]
    assert found["spec"]["selector"]["matchLabels"] == labels
    assert not made["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert found["spec"]["template"]["spec"] == made["spec"]["template"]["spec"]


# -- the exercises


@pytest.mark.parametrize("id_", IDS)
def test_a_start_state_is_a_shop_that_can_be_applied_as_it_is(id_: str) -> None:
    made, service_, route = start(id_)
    kinds = [thing["kind"] for thing in (made, service_, route)]
    assert kinds == ["Deployment", "Service", "HTTPRoute"]
    assert all("namespace" not in thing["metadata"] for thing in (made, service_, route))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert made["spec"]["selector"]["matchLabels"] == service_["spec"]["selector"] == labels
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"]) == ("shop", "localhost:5001/shop-lab:1.1.0")
    assert route["spec"]["hostnames"] == ["shop-lab.default.localhost"]


@pytest.mark.parametrize("id_", IDS)
def test_each_exercise_says_what_is_wrong_where_nothing_was_changed(id_: str) -> None:
    assert exercise.start_cause(id_)


@pytest.mark.parametrize(
    ("probes", "delay"),
    [
        ({}, 0),
        ({"readinessProbe": {"initialDelaySeconds": 10}}, 10),
        ({"readinessProbe": {}, "startupProbe": {"initialDelaySeconds": 12}}, 12),
    ],
)
def test_a_start_is_later_than_the_delays_of_the_answer(probes: Object, delay: float) -> None:
    assert rolling._delay(deployment(**probes)) == delay


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
    lab = Lab(made, pods=[evicted, pod])
    lab.facts |= {"digest": "sha256:11", "bad": "r/shop-lab:1.3.0", "pods": "u1", "uid": "d"}
    seen = rolling._serving(lab)
    assert (seen.other[0], seen.left, seen.made) == (other, 1, "")


def test_a_bad_release_of_a_copy_is_followed_until_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Controlled(deployment(spec={"progressDeadlineSeconds": 8}), stuck="r/shop-lab:")
    lab = Lab(made.deployment)
    lab.facts["ready"] = "2"

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
    seen = rolling._hung(lab, 8)
    assert seen.noticed and seen.reason == "ProgressDeadlineExceeded" and not seen.good_stalled
    assert (seen.limit, seen.fewest_ready, seen.good) == (8, 2, 2.0)


@pytest.mark.parametrize(
    ("moments", "seconds", "own"),
    [
        ((sample(1, 4), sample(3, 2, 2, "Pending"), sample(7, 2, 2)), 20.0, 16.0),
        # What the pod itself does before its start is not the machine's.
        ((sample(1, 4), sample(3, 2, 2, "Init:0/1"), sample(9, 2, 2)), 20.0, 20.0),
        ((sample(1, 4), sample(3, 2, 2, "ContainerCreating"), sample(4, 2, 2)), 0.0, 29.0),
    ],
)
def test_the_time_until_containers_start_is_the_machines(
    moments: tuple[Sample, ...], seconds: float, own: float
) -> None:
    assert rolling.Duration(tried(samples=moments, seconds=seconds), "").own == own


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
    ],
)
def test_figures_that_no_four_pods_can_give_are_not_believed(
    figures: tuple[float, float, float], possible: bool
) -> None:
    assert rolling._possible(*figures) is possible
