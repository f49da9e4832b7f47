"""Start states and checks of 11-rolling.

Each check releases a version that it makes up, sends requests all the while, and judges what was
answered. Only when requests were lost does it look at the objects, to name what lost them.

Here: what a release loses while its new pods start, and while the old ones leave. One that hangs is
in `stuck_release`, the choice between two strategies in `strategy_choice`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from course.exercises import strategy_choice, stuck_release  # noqa: F401 - exercises 5 and 4
from course.exercises.kit import shop_copy, shop_facts
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.lost_requests import Lossless
from course.exercises.kit.probe_release import Load
from course.exercises.kit.release_facts import Carried, finished
from course.exercises.kit.shop import START, Shop, StartsAsShop
from course.exercises.kit.verdict import Wrong
from course.measure.rollout import Sample, containers

_RELEASE_WAIT = 70.0

# -- rolling-1 and rolling-2


def _slow_start(lab: Lab, promised: tuple[float, float], work: float) -> Observation:
    """Release a version that starts later than any delay that the learner has set.

    Args:
        lab: the exercise's.
        promised: how many seconds a start takes by the exercise's text.
        work: see `Carried`.
    """
    with Shop(lab).borrowed() as shop, shop_copy.starting_pod(lab, shop.deployment) as pod:
        delay = _delay(shop.deployment)
        start = max(lab.draw.past(delay) if delay else 0.0, lab.draw.within(*promised))
        if delay and start < delay + 2:  # no start is late enough for it, so nobody waits for one
            with lab.observe("a pod that cannot serve"):
                unready = pod.seen(wait=8)
            yield unready
        with lab.observe("a release under traffic"):
            wait = _RELEASE_WAIT + delay * shop.deployment["spec"].get("replicas", 1)
            release = shop.release({START: f"{1000 * start:.0f}"}, wait=wait)
        yield shop_facts.reached(lab, release)
        yield Lossless(release, shop.deployment, lab.recall(START), work)
        finished(release)
        yield pod.seen()
        yield Carried(lab.id, release, work)
        lab.note(f"the pods of this release took {start:.1f} s to start")


def _delay(deployment: Mapping[str, Any]) -> float:
    container = containers.service(deployment["spec"]["template"])
    probes = (container.get(name) or {} for name in ("startupProbe", "readinessProbe"))
    return float(max(probe.get("initialDelaySeconds", 0) for probe in probes))


@exercise("rolling-1", start_cause="no-probe")
class ReleaseLosesNothing(StartsAsShop):
    """A Deployment with no safeguard at all, of a shop whose /readyz asks for too much."""

    def observe(self, lab: Lab) -> Observation:
        """Release a version under traffic and count what is lost."""
        yield from shop_facts.at_rest(lab)
        yield from shop_facts.answers(lab)
        yield from _slow_start(lab, promised=(1.5, 2.5), work=0.2)
        yield from shop_facts.answers(lab)


@exercise("rolling-2", start_cause="lying-probe")
class ProbeTellsTheTruth(StartsAsShop):
    """A readiness probe that is answered before the service can serve."""

    def observe(self, lab: Lab) -> Observation:
        """Release a version that starts more slowly than the last one, under traffic."""
        yield from shop_facts.at_rest(lab)
        yield from shop_facts.answers(lab)
        yield from _slow_start(lab, promised=(4.0, 8.0), work=0)
        yield from shop_facts.answers(lab)


# -- rolling-3

_WORK, _LONG_WORK = 1.5, (9.8, 9.95)
_STRAY = 2
"""So many answers may be late or early for a reason of their own."""
_IDLE = 8.0
_MANY, _FEW = Load(rate=150), Load(rate=30, timeout=15)
"""Of the short requests many, to meet the moment in which the gateway does not know yet."""
_SLOW = """\
fetch("http://127.0.0.1:3000/faults", {
  method: "PUT", headers: { "content-type": "application/json" }, body: '{"latencyMs": %d}',
}).then((answer) => process.exit(answer.ok ? 0 : 1))"""


@dataclass(frozen=True)
class Left(Facts):
    """How a pod left that had nothing more to do."""

    pod: str
    seconds: float  # from when it was asked to end until it was ready no more

    def wrong(self) -> Wrong | None:
        if self.seconds <= _IDLE:
            return None
        return Wrong(
            "idle-pod-stays",
            saw=f"pod {self.pod} was asked to end and served on for {self.seconds:.1f} s; its last "
            f"request was over after {_WORK:g} s or little more",
            want=f"a pod without a request is gone within {_IDLE:.0f} s, or every release waits "
            "for nobody",
            try_="which of your two waits ends by itself when there is nothing to wait for?",
            timed=True,
        )

    def notes(self) -> Iterator[str]:
        yield f"a pod without a request left within {self.seconds:.1f} s"


@dataclass(frozen=True)
class Whole(Facts):
    """How long the requests took of which many were to take long."""

    work: float  # seconds of one that a pod had begun which left; of any other _WORK
    took: tuple[float, ...]

    def wrong(self) -> Wrong | None:
        short = [seconds for seconds in self.took if 2 * _WORK < seconds < 0.97 * self.work]
        if len(short) <= _STRAY:
            return None
        return Wrong(
            "cut-short",
            saw=f"{len(short)} requests were answered after {min(short):.1f} to {max(short):.1f} s;"
            f" in the pods that left one takes {self.work:.1f} s, in the others {_WORK:g} s",
            want="each request takes the time that it takes, in a release too",
            try_="what becomes of a request that a pod has begun when SIGTERM comes, in the pod "
            "and in what stands before it?",
            timed=True,
        )


@exercise("rolling-3", start_cause="instant-exit")
class AcceptedIsAnswered(StartsAsShop):
    """Requests of 1.5 s, some of up to 10 s, and a service that exits at once."""

    def observe(self, lab: Lab) -> Observation:
        """Release a version under many requests, and go back under some that take long."""
        yield from shop_facts.at_rest(lab)
        yield from shop_facts.answers(lab)
        with Shop(lab).borrowed() as shop:
            with lab.observe("a release under traffic"):
                settings = {"FAULTS_ENABLED": "true"}
                release = shop.release(settings, wait=_RELEASE_WAIT, load=_MANY)
            yield shop_facts.reached(lab, release)
            yield Lossless(release, shop.deployment, lab.recall(START), _WORK)
            finished(release)
            yield Carried(lab.id, release, _WORK)
            yield Left(*max(release.leaving.items(), key=lambda one: one[1], default=("", 0.0)))
            work = lab.draw.within(*_LONG_WORK)
            last = release.seen.samples[-1]
            with lab.observe("the way back, under requests that take long"):
                back = shop.give_back(
                    lambda: _slow_down(lab, shop.deployment, last, work),
                    wait=_RELEASE_WAIT,
                    load=_FEW,
                )
            yield Lossless(back, shop.deployment, lab.recall(START), work)
            finished(back)
            yield Whole(work, back.took)
        yield from shop_facts.answers(lab)


def _slow_down(lab: Lab, deployment: Mapping[str, Any], last: Sample, work: float) -> None:
    """Make the requests of the check's own pods take long from now on."""
    container = containers.service(deployment["spec"]["template"])["name"]
    for pod in last.pods:
        if pod.ready and pod.counts:
            script = _SLOW % (1000 * work)
            argv = ("kubectl", "exec", pod.name, "-c", container, "--", "node", "-e", script)
            lab.run(*argv, wait=30)
