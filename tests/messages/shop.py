"""Facts that provoke what the kit says of the shop of the strategy labs."""

from __future__ import annotations

from typing import Any

from course.exercises.kit.facts import Facts
from course.exercises.kit.lost_requests import Lossless
from course.exercises.kit.release_facts import Carried
from course.exercises.kit.reply import Reply
from course.exercises.kit.shop_copy import Unready
from course.exercises.kit.shop_facts import (
    Answers,
    AtRest,
    Held,
    Missing,
    NeverReady,
    Reached,
)
from course.exercises.kit.verdict import Wrong
from course.measure.chain import Broken
from course.measure.release import Failure
from course.measure.rollout import Waiting
from tests.exercises.shops import (
    CUT,
    EARLY,
    ERROR,
    PROBE,
    READY,
    UNSERVED,
    deployment,
    sample,
    tried,
)

PULL = Waiting("shop-lab-7d9f-x2x", "ImagePullBackOff", "Back-off pulling image `r/shop-lab:1.3.0`")
REFUSED = "Readiness probe failed: HTTP probe failed with statuscode: {}"
NO_PORT = (
    "Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing `web`: "
    "invalid syntax"
)
ROUTE = "shop-lab.ada.localhost"
URL = f"http://{ROUTE}:8080/"
NOBODY = Broken(
    "Service shop-lab",
    "spec.selector",
    "labels that a pod has",
    "app=shop-lap selects no pod; the nearest are app=shop-lab",
    "no address in its EndpointSlices",
    "kubectl get pods --show-labels",
)
OLD = tried(after={"1.1.0": 32})
NOTHING = '{"error":"not found","message":"nothing is at GET /3fa2c1"}'


def lost(failure: Failure, *, work: float = 0.2, start: str = "2000", **changes: Any) -> Facts:
    """A request that was lost, of a shop with these changes."""
    return Lossless(tried(failure), deployment(**changes), start, work)


def never(message: str, probe: str, *, may_be_late: bool = False) -> Facts:
    return NeverReady("shop-lab-7d9f-x2x", message, "shop", probe, may_be_late)


NO_HOOK: dict[str, Any] = {"lifecycle": None, "env": {"DRAIN_MS": "0"}}
SHORT: dict[str, Any] = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}

SEEN: dict[str, dict[str, Facts]] = {
    "kit.shop_facts": {
        "it was deleted": Missing(
            "rolling-1", "no Deployment `shop-lab` in namespace `ada`; there is `shop`"
        ),
        "its image is not there": Held(
            "does-not-start", "1 of 2 replicas updated", "r/shop-lab:1.3.0", PULL
        ),
        "the path is not there": never(REFUSED.format(404), '{"httpGet": {"path": "/ready"}}'),
        "the port is not there": never(NO_PORT, '{"httpGet": {"path": "/readyz", "port": "web"}}'),
        "what the path asks for is not there": never(
            REFUSED.format(503), '{"httpGet": {"path": "/readyz"}}', may_be_late=True
        ),
        "paused": AtRest(paused=True),
        "nobody knows why": Answers(URL, 503, "/3fa2c1", Reply(503, "")),
        "the Service selects nobody": Answers(URL, 503, "/3fa2c1", Reply(503, ""), NOBODY),
        "another program answers": Answers(URL, 200, "/3fa2c1", Reply(200, "ok")),
        "it answers without a version": Reached(tried(after={}), URL, ROUTE, ()),
        "another Deployment answers": Reached(
            OLD, URL, ROUTE, (("shop-lab", ("shop-lab-old", "Pod by-hand")),)
        ),
        "a program in between passes answers on": Reached(
            tried(), URL, ROUTE, (("shop-front", ("shop-front",)),)
        ),
        "nobody that the Service selects": Reached(OLD, URL, ROUTE, (("shop-lab", ()),)),
        "the route writes the header": Reached(OLD, URL, ROUTE, (("shop-lab", ("shop-lab",)),)),
    },
    "kit.lost_requests": {
        "nothing asks it": lost(EARLY, readinessProbe=None),
        "a liveness probe alone": lost(EARLY, readinessProbe=None, livenessProbe=READY),
        "the path of the process": lost(EARLY, readinessProbe={"httpGet": {"path": "/healthz"}}),
        "of another protocol": lost(EARLY, readinessProbe={"grpc": {"port": 3000}}),
        "the port": lost(EARLY, readinessProbe={"tcpSocket": {"port": "http"}}),
        "a command that always succeeds": lost(
            EARLY, readinessProbe={"exec": {"command": ["true"]}}
        ),
        "a delay": lost(EARLY, readinessProbe={**READY, "initialDelaySeconds": 2}),
        "a wait after Ready": lost(EARLY, spec={"minReadySeconds": 4}),
        "the slow start switched off": lost(EARLY, env={"FAULT_START_MS": "0"}),
        "the slow start taken away": lost(EARLY, env={"FAULT_START_MS": ""}),
        "an error that is no 503": lost(ERROR),
        "nobody answers in time": lost(Failure(2.5, "timeout", "")),
        "all pods at once": lost(UNSERVED, spec={"strategy": {"type": "Recreate"}}),
        "neither hook nor drain": lost(CUT, **NO_HOOK),
        "a drain and no hook": lost(CUT, lifecycle=None),
        "more time, and no use of it": lost(
            CUT, **NO_HOOK, pod={"terminationGracePeriodSeconds": 60}
        ),
        "a hook and no drain": lost(CUT, work=9.2, env={"DRAIN_MS": "0"}),
        "a hook that is short": lost(CUT, **SHORT),
        "a drain that is short": lost(CUT, work=9.2, env={"DRAIN_MS": "3000"}),
        "no time for either": lost(CUT, pod={"terminationGracePeriodSeconds": 1}),
        "no time for both": lost(CUT, work=9.2, pod={"terminationGracePeriodSeconds": 8}),
    },
    "kit.release_facts": {
        "less work": Carried("rolling-3", tried(min_ms=3.0), 1.5),
        "one pod": Carried("rolling-1", tried(samples=(sample(1, 1),)), 0.2),
    },
    "kit.shop_copy": {
        "a delay of 25 s": Unready(
            ready=True,
            seconds=2,
            deployment=deployment(
                readinessProbe={"httpGet": {"path": "/healthz"}, "initialDelaySeconds": 25}
            ),
            start="2000",
        ),
        "a command that waits and succeeds": Unready(
            ready=True,
            seconds=9,
            deployment=deployment(readinessProbe={"exec": {"command": ["sleep", "8"]}}),
            start="2000",
        ),
    },
}
RIGHT: list[Facts] = [
    AtRest(paused=False),
    Answers(URL, 200, "/3fa2c1", Reply(404, NOTHING)),
    Reached(tried(), URL, ROUTE, ()),
    Reached(tried(seconds=0.0, after={"1.1.0": 3, PROBE: 29}), URL, ROUTE, ()),
    Carried("rolling-1", tried(), 0.2),
    Carried("rolling-2", tried(min_ms=3.0), 0),
    Lossless(tried(), deployment(), "2000", 0.2),
    Unready(ready=False, seconds=0, deployment=deployment(), start="2000"),
]
"""What is nothing wrong."""


def _wrong(facts: Facts) -> Wrong:
    wrong = facts.wrong()
    assert wrong, facts
    return wrong


MESSAGES: dict[str, dict[str, Wrong]] = {
    place: {name: _wrong(facts) for name, facts in cases.items()} for place, cases in SEEN.items()
}
