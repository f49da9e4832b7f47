"""The checks of 11-rolling: which cause they name for what was lost, on objects in memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from course import shop, trial
from course.errors import CourseError
from course.exercises import Wrong, rolling
from course.released import Failure, Release
from course.rollout import Pod, Sample, Status
from course.traffic import Summary
from course.world import World as RealWorld

PROBE = "probe-1a2b3c"
READY = {"httpGet": {"path": "/readyz", "port": "http"}}
Object = dict[str, Any]


def deployment(**container: Any) -> Object:
    """A careful shop, with changes of its container; `None` takes a field away."""
    text = shop.manifest(
        host="shop-lab.ada.localhost",
        image="r/shop-lab:1.1.0",
        replicas=2,
        settings={"FAULT_START_MS": "2000", "DRAIN_MS": "10000"},
        strategy="type: RollingUpdate\nrollingUpdate: { maxUnavailable: 0, maxSurge: 1 }\n",
    )
    made: Object = next(iter(yaml.safe_load_all(text)))
    found = made["spec"]["template"]["spec"]["containers"][0]
    env = container.pop("env", {})
    found["env"] = [e for e in found["env"] if e["name"] not in env]
    found["env"] += [{"name": k, "value": v} for k, v in env.items()]
    found |= {"readinessProbe": READY, "lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}
    found |= container
    for name in [key for key, value in found.items() if value is None]:
        del found[name]
    return made


class Api:
    """What the API has."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        self._made, self._others = made, others

    def get(self, _: str, __: str) -> Object:
        return copy.deepcopy(self._made)

    def select(self, kind: str, _: Any) -> Object:
        items = [self._made] if kind == "deployments" else []
        return {"apiVersion": "v1", "kind": "List", "items": [*items, *self._others.get(kind, [])]}


class World(RealWorld):
    """A world on that API."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        super().__init__("rolling-1")
        self._made = Api(made, **others)

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
        return {"FAULT_START_MS": "2000"}[name]


def tried(*failures: Failure, after: dict[str, int] | None = None, **figures: Any) -> trial.Trial:
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
    seen = Release(summary, failures, samples, 1.0, 0.0)
    return trial.Trial(PROBE, status, status, 8.0, seen, {PROBE: 32} if after is None else after)


EARLY = Failure(2.5, "503", PROBE)
CUT = Failure(3.1, "502", "")
UNSERVED = Failure(2.0, "503", "")


def cause(release: trial.Trial, made: Object) -> str:
    with pytest.raises(Wrong) as wrong:
        rolling._lossless(World(made), release)
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
        rolling._lossless(World(deployment(readinessProbe=None)), tried(EARLY))
    with pytest.raises(Wrong, match=r"pod old was told to end at 3.0 s; .* sent at 3.1 s"):
        rolling._lossless(World(deployment(lifecycle=None)), tried(CUT))


def test_a_release_without_a_loss_is_right() -> None:
    rolling._lossless(World(deployment()), tried())


def test_answers_that_took_less_than_their_work_are_not() -> None:
    rolling._work_kept(World(deployment()), tried(p50_ms=201.0), 200)
    with pytest.raises(Wrong) as wrong:
        rolling._work_kept(World(deployment()), tried(p50_ms=3.0), 200)
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


def reached(release: trial.Trial, *services: Object) -> str:
    other = deployment()
    other["metadata"]["name"] = "shop-lab-old"
    other["spec"]["template"]["metadata"]["labels"] = {"app": "shop-lab-old"}
    world = World(deployment(), services=list(services), httproutes=[ROUTE], deployments=[other])
    try:
        rolling._reached(world, release)
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


def test_a_release_that_does_not_end_is_no_verdict() -> None:
    late = trial.Trial(PROBE, tried().before, tried().status, None, tried().seen, tried().after)
    with pytest.raises(CourseError, match="was not over"):
        rolling._finished(late)


def test_a_patch_gives_the_made_up_version_to_every_container() -> None:
    template = deployment()["spec"]["template"]
    template["spec"]["containers"].append({"name": "beside", "image": "x"})
    change = trial._change(template, [{"name": "A", "value": "1"}], "r/shop-lab:bad")
    first, second = change["spec"]["template"]["spec"]["containers"]
    assert first == {
        "name": "shop",
        "env": [{"name": "A", "value": "1", "valueFrom": None}],
        "image": "r/shop-lab:bad",
    }
    assert second["name"] == "beside" and "image" not in second
