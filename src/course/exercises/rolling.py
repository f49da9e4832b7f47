"""Start states and checks of 11-rolling.

Each check releases a version that it makes up, sends requests all the while, and judges what was
answered. Only when requests were lost does it look at the objects, to name what lost them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from course.exercises.kit import claims, shop_copy, shop_facts
from course.exercises.kit.claims import Claim
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.lost_requests import NONE_LEFT, Lossless
from course.exercises.kit.probe_release import Borrowed, Load, ProbeRelease, borrowed
from course.exercises.kit.release_facts import Carried, figures, finished, ready_before
from course.exercises.kit.shop import CONTAINER, NAME, START, Shop, StartsAsShop
from course.exercises.kit.verdict import Wrong
from course.measure.kube_api import ApiError
from course.measure.rollout import Rollout, Sample, containers
from course.measure.rollout.columns import condition, is_finished

_FIRST_WAIT = 90.0
_RELEASE_WAIT = 70.0
_HISTORY = f"kubectl rollout history deployment/{NAME}"

Object = dict[str, Any]


# -- what several exercises do


@contextmanager
def _borrowed(lab: Lab) -> Iterator[Borrowed]:
    here = Shop(lab)
    with here.held(), borrowed(Rollout(NAME), here.url, lab.observe) as shop:
        yield shop


def _slow_start(lab: Lab, promised: tuple[float, float], work: float) -> Observation:
    """Release a version that starts later than any delay that the learner has set.

    Args:
        lab: the exercise's.
        promised: how many seconds a start takes by the exercise's text.
        work: see `Carried`.
    """
    with _borrowed(lab) as shop, shop_copy.starting_pod(lab, shop.deployment) as pod:
        delay = _delay(shop.deployment)
        start = max(lab.draw.past(delay) if delay else 0.0, lab.draw.within(*promised))
        if delay and start < delay + 2:  # no start is late enough for it, so nobody waits for one
            with lab.observe("a pod that cannot serve"):
                unready = pod.seen(wait=8)
            yield unready
        with lab.observe("a release under traffic"):
            release = shop.release({START: f"{1000 * start:.0f}"}, wait=_RELEASE_WAIT)
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


# -- rolling-1 and rolling-2


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

_WORK, _LONG_WORK = 1.5, (8.5, 10.0)
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


@exercise("rolling-3", start_cause="instant-exit")
class AcceptedIsAnswered(StartsAsShop):
    """Requests of 1.5 s, some of up to 10 s, and a service that exits at once."""

    def observe(self, lab: Lab) -> Observation:
        """Release a version under many requests, and go back under some that take long."""
        yield from shop_facts.at_rest(lab)
        yield from shop_facts.answers(lab)
        with _borrowed(lab) as shop:
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
        yield from shop_facts.answers(lab)


def _slow_down(lab: Lab, deployment: Mapping[str, Any], last: Sample, work: float) -> None:
    """Make the requests of the check's own pods take long from now on."""
    container = containers.service(deployment["spec"]["template"])["name"]
    for pod in last.pods:
        if pod.ready and pod.counts:
            script = _SLOW % (1000 * work)
            argv = ("kubectl", "exec", pod.name, "-c", container, "--", "node", "-e", script)
            lab.run(*argv, wait=30)


# -- rolling-4

_NOTICE = 10.0
_CONTROLLER = 1.0
"""Seconds after the deadline at which the controller looks again."""
_BUSY = 10.0
"""Seconds more that a controller on a busy machine is given to say what its deadline promises."""


@dataclass(frozen=True)
class Serving(Facts):
    """What serves, and whether it has served since the exercise began."""

    image: str  # that the Deployment asks for
    bad: str  # the one that was not there
    digest: str  # of what served when the exercise began
    other: tuple[str, str]  # a pod that runs another image, and its digest; empty if none does
    left: int  # of the first pods
    made: str  # when the Deployment was made, if that was after the exercise began

    def wrong(self) -> Wrong | None:
        if self.image.startswith(self.bad):
            return Wrong(
                "tag-filled",
                saw=f"Deployment {NAME} still asks for {self.image}, which exists now",
                want="the image that was released before: 1.1.0, by its own name",
                try_=_HISTORY,
            )
        pod, digest = self.other
        if pod:
            return Wrong(
                "other-version",
                saw=f"pod {pod} runs {self.image}, whose digest {digest[-12:]} is not that of "
                "1.1.0",
                want=f"1.1.0 in every pod: digest {self.digest[-12:]}",
                try_=_HISTORY,
            )
        if not self.left and self.made:
            return Wrong(
                "made-anew",
                saw=f"Deployment {NAME} was made at {self.made}, after the exercise began, and "
                "none of the pods that served then is there: while the one was gone and the other "
                "not ready, nobody served",
                want="the good pods go on serving; only the bad release goes",
                try_="course reset rolling-4   then: which ReplicaSet has ready pods, and which "
                "not?   kubectl get replicasets",
            )
        return None

    def notes(self) -> Iterator[str]:
        named = self.image.partition("@")[0].rpartition(":")[2]
        yield f"{self.left} of the first 2 pods have served all the while; image {named}"


@dataclass(frozen=True)
class Hung(Facts):
    """What became of a release that cannot end, of a copy of the Deployment."""

    limit: int  # progressDeadlineSeconds
    noticed: float  # seconds until the condition said so; 0 if it did not
    reason: str  # of the condition at the end
    held: str  # what holds it
    fewest_ready: int
    good: float  # seconds that a good pod took to become ready
    good_stalled: bool  # a good release was called stalled

    @property
    def after(self) -> float:
        """Seconds until the controller noticed, without those that a busy machine added."""
        return min(self.noticed, self.limit + _CONTROLLER)

    def wrong(self) -> Wrong | None:
        if not self.fewest_ready:
            return Wrong(
                NONE_LEFT,
                saw="a release of an image that is not there took every ready pod away before it "
                "had another one",
                want="a ready pod at every moment, however bad the release",
                try_="kubectl explain deployment.spec.strategy.rollingUpdate",
            )
        if self.noticed and self.noticed < self.limit - 2:
            return Wrong(
                "forged-condition",
                saw=f"after {self.noticed:.1f} s the condition Progressing of the Deployment says "
                f"ProgressDeadlineExceeded, and progressDeadlineSeconds is {self.limit}",
                want="the controller's own word",
                try_=f"kubectl get deployment {NAME} -o yaml --show-managed-fields   who wrote it?",
            )
        if not self.noticed or self.after > _NOTICE + 0.5:
            since = f"came after {self.noticed:.1f} s" if self.noticed else "did not come"
            return Wrong(
                "not-noticed",
                saw=f"a release of an image that is not there: ProgressDeadlineExceeded {since}; "
                f"the condition Progressing of the Deployment is {self.reason}, while {self.held}. "
                f"progressDeadlineSeconds is {self.limit}",
                want=f"ProgressDeadlineExceeded within {_NOTICE:.0f} s",
                try_="kubectl explain deployment.spec.progressDeadlineSeconds",
                timed=self.limit <= _NOTICE,
            )
        # A start is known to the second, and slow on a busy machine.
        if self.good_stalled or self.after < min(6.0, max(3.0, 1.5 * self.good)):
            return Wrong(
                "deadline-too-short",
                saw=f"progressDeadlineSeconds is {self.limit}: the bad release was called stalled "
                f"after {self.noticed:.1f} s; a good pod of this shop took {self.good:.0f} s to "
                "become Ready",
                want="a deadline that a good release meets",
                try_="kubectl get pods -w   during a good release: how long to READY 1/1?",
                timed=self.good_stalled,
            )
        return None

    def notes(self) -> Iterator[str]:
        yield f"a bad image was noticed after {self.noticed:.1f} s and took no ready pod away"


@exercise("rolling-4", start_cause="still-stuck")
class StuckIsNoticed(StartsAsShop):
    """Break-it: a release whose image is not there, and nobody who notices."""

    def begin(self, lab: Lab) -> None:
        """1.1.0 serves; a release of an image that was never pushed hangs."""
        super().begin(lab)
        bad = f"{lab.registry}/{NAME}:1.3.0-{secrets.token_hex(3)}"
        Shop(lab).image("1.2.0")
        Rollout(NAME).wait(_FIRST_WAIT)
        pods = _counted(lab)
        lab.remember("ready", str(max(_seconds_to_ready(pod) for pod in pods)))
        lab.remember("pods", " ".join(pod["metadata"]["uid"] for pod in pods))
        lab.remember("digest", _digest(pods[0]))
        lab.remember("uid", _deployment(lab)["metadata"]["uid"])
        lab.remember("bad", bad)
        lab.run("kubectl", "set", "image", f"deployment/{NAME}", f"{CONTAINER}={bad}")

    def observe(self, lab: Lab) -> Observation:
        """Look at what serves; then let a copy of it hang and see who notices when."""
        limit = 600
        with suppress(ApiError):  # what is not there is told below
            limit = _deployment(lab)["spec"].get("progressDeadlineSeconds", limit)
        held = "only-noticed" if limit <= _NOTICE else "still-stuck"
        yield from shop_facts.at_rest(lab, cause=held)
        yield _serving(lab)
        yield from shop_facts.answers(lab)
        yield _hung(lab, limit)


def _deployment(lab: Lab) -> Object:
    return lab.api.get("deployments", NAME)


def _serving(lab: Lab) -> Serving:
    deployment, pods, digest = _deployment(lab), _counted(lab), lab.recall("digest")
    # What served when the exercise began: a tag may name another image by now, or none.
    others = [(p["metadata"]["name"], _digest(p)) for p in pods if _digest(p) != digest]
    first, meta = set(lab.recall("pods").split()), deployment["metadata"]
    return Serving(
        containers.service(deployment["spec"]["template"])["image"],
        lab.recall("bad"),
        digest,
        next(iter(others), ("", "")),
        len(first & {pod["metadata"]["uid"] for pod in pods}),
        meta["creationTimestamp"] if meta["uid"] != lab.recall("uid") else "",
    )


def _hung(lab: Lab, limit: int) -> Hung:
    """Let a release of a copy hang: the shop itself keeps its pods and its history."""
    with lab.observe("a bad release of a copy"), shop_copy.deployed(lab, _deployment(lab)) as made:
        stalled = made.wait(_FIRST_WAIT).state == "stalled"
        name = containers.service(_deployment(lab)["spec"]["template"])["name"]
        with made.watch(maximum=_FIRST_WAIT) as feed:
            feed.until(lambda: feed.samples(-1)[0].status.state == "complete", _NOTICE)
            number, began = len(feed.samples()) - 1, feed.seconds
            good = feed.samples(-1)[0].revision
            made.set_image(f"{name}={lab.registry}/{NAME}:{secrets.token_hex(4)}")

            def noticed() -> Sample | None:
                last = feed.samples(-1)[0]
                return last if last.status.state == "stalled" and last.revision > good else None

            found = feed.until(noticed, _NOTICE + (_BUSY if limit < _NOTICE else 1))
            samples = feed.samples(number)
    status = samples[-1].status
    return Hung(
        limit,
        max(0.1, found.at - began) if found else 0.0,
        status.reason,
        str(status.waiting[0]) if status.waiting else status.message,
        min(sum(pod.ready and pod.counts for pod in sample.pods) for sample in samples),
        float(lab.recall("ready")),
        stalled,
    )


def _seconds_to_ready(pod: Mapping[str, Any]) -> float:
    """From a pod's creation to its condition Ready, as far as the API tells: whole seconds."""
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    since = condition(pod["status"], "Ready")["lastTransitionTime"]
    return (datetime.fromisoformat(since) - made).total_seconds()


def _digest(pod: Mapping[str, Any]) -> str:
    return str(containers.state(pod).get("imageID") or "").rpartition("@")[2]


def _counted(lab: Lab) -> list[Object]:
    """The shop's pods but for those that leave, or have ended: evicted, failed or completed."""
    return [
        pod
        for pod in lab.objects("pods", labelSelector=f"app={NAME}")
        if "deletionTimestamp" not in pod["metadata"] and not is_finished(pod)
    ]


# -- rolling-5

_PODS, _MOST, _FEWEST, _SECONDS, _START_S = 4, 4, 2, 20.0, 5.0
_WATCHED = 30.0
_NAMES = ("seconds", "peak", "fewest_ready")
_MEASURE = "run the measuring cell with that strategy"


@dataclass(frozen=True)
class Pods(Facts):
    """How many pods there were at any moment of a release."""

    release: ProbeRelease
    strategy: str  # as a message shows it

    def wrong(self) -> Wrong | None:
        seen = self.release.seen
        if seen.ready_at_start != _PODS:
            return Wrong(
                "replicas-changed",
                saw=f"Deployment {NAME}: {ready_before(self.release)}",
                want=f"{_PODS}, which the traffic needs between releases",
                try_=f"kubectl get deployment {NAME}",
            )
        if seen.peak_pods > _MOST:
            return Wrong(
                "too-many-pods",
                saw=f"{self._at(seen.at_peak)}: {seen.peak_pods} pods, with {self.strategy}",
                want=f"at most {_MOST}: there is no room for a fifth",
                try_="which of the two figures lets a release make a pod more?",
            )
        if seen.fewest_ready < _FEWEST:
            return Wrong(
                "too-few-ready",
                saw=f"{self._at(seen.at_fewest)}: {seen.fewest_ready} pods ready, with "
                f"{self.strategy}",
                want=f"{_FEWEST} or more at every moment",
                try_="how many may be away at one time?",
            )
        return None

    def _at(self, sample: Sample) -> str:
        seconds = max(0.0, sample.at - self.release.seen.zero)
        return f"Deployment {NAME}, {seconds:.1f} s after its release began"


@dataclass(frozen=True)
class Duration(Facts):
    """How long a release took, and how much of that it waited for this machine."""

    release: ProbeRelease
    strategy: str  # as a message shows it

    @property
    def seconds(self) -> float:
        """From the release to its end, or until nobody watched any more."""
        return self.release.seconds or _WATCHED

    @property
    def own(self) -> float:
        """Without the time in which a new pod waited for its container: that is the machine's."""
        waited, during = 0.0, self.release.seen.during
        for one, following in pairwise(during):
            new = (pod for pod in one.pods if pod.version == self.release.version)
            if any(not pod.terminating and pod.phase in _BEFORE_ITS_START for pod in new):
                waited += following.at - max(one.at, self.release.seen.zero)
        return self.seconds - waited

    def wrong(self) -> Wrong | None:
        seen = self.release.seen
        at_once = max(1, min(_PODS, seen.peak_pods - seen.fewest_ready))
        # With so few at once the starts alone take too long, on any machine.
        if self.own <= _SECONDS and _START_S * _PODS / at_once < _SECONDS:
            return None
        state = "" if self.release.seconds else f", and it is not over: {self.release.status}"
        return Wrong(
            "too-slow",
            saw=f"Deployment {NAME}: its release took {self.seconds:.1f} s, "
            f"{self.seconds - self.own:.1f} s of them until containers had started, with "
            f"{self.strategy}{state}",
            want=f"over within {_SECONDS:.0f} s, on a machine that starts containers at once",
            try_=f"each round takes a start of {_START_S:.0f} s: how many rounds are there?",
            timed=True,
        )


_BEFORE_ITS_START = ("", "Pending", "ContainerCreating")


@dataclass(frozen=True)
class Decision(Facts):
    """The learner's own figures, against what has just been measured, and what is possible."""

    claim: Claim  # decision.json
    duration: Duration  # of the check's release
    own: int  # how many releases the learner has made

    def wrong(self) -> Wrong | None:
        strategies = self.claim.parts("measured")
        choice, measured = self.claim.text("choice"), self.claim.part("measured")
        flaws = [measured.flaw(), *(part.flaw(*_NAMES) for part in strategies.values())]
        if choice not in strategies:
            flaws.append(f"`choice` in {self.claim.name} names none of what was measured")
        if flaw := next(filter(None, flaws), ""):
            return Wrong(
                "no-decision",
                saw=flaw,
                want="decision.json with `choice` and the figures of both, as the lab's cell "
                "writes it",
                try_="run the measuring cell for both strategies, then write down what they showed",
            )
        rejected = {name: part.figures(*_NAMES) for name, part in strategies.items()}
        chosen = rejected.pop(choice)
        if not any(map(_breaks_a_limit, rejected.values())):
            return Wrong(
                "no-comparison",
                saw=f"decision.json rejects {len(rejected)} strategies, none by a limit it breaks",
                want=f"one that was measured and breaks a limit: more than {_MOST} pods, more than "
                f"{_SECONDS:.0f} s or fewer than {_FEWEST} ready",
                try_="measure the other one too",
            )
        if self.own <= len(rejected):
            return Wrong(
                "not-measured",
                saw=f"decision.json has figures of {len(rejected) + 1} strategies; since the "
                f"exercise began you have released Deployment {NAME} {self.own} times",
                want="figures of releases: one or more for each strategy",
                try_=f"{_HISTORY}; run the measuring cell for each",
            )
        impossible = next((n for n, figures in rejected.items() if not _possible(**figures)), "")
        if impossible:
            return Wrong(
                "impossible-figures",
                saw=f"decision.json says of `{impossible}`: {_said(rejected[impossible])}",
                want=f"figures that {_PODS} pods can give, each of which takes {_START_S:.0f} s to "
                "start",
                try_=_MEASURE,
            )
        seen, seconds = self.duration.release.seen, self.duration.seconds
        # What both runs had in common: the starts, and not how busy the machine was at each.
        near = self.duration.own / 2 <= chosen["seconds"] <= 2 * seconds
        found = {"seconds": seconds, "peak": seen.peak_pods, "fewest_ready": seen.fewest_ready}
        if not near or any(chosen[name] != found[name] for name in ("peak", "fewest_ready")):
            return Wrong(
                "figures-differ",
                saw=f"decision.json says {_said(chosen)}; this release took {_said(found)}",
                want="figures of the strategy that the Deployment has: the seconds within a factor "
                "of 2, the pods exactly",
                try_="run the measuring cell again with the strategy that you chose",
            )
        return None

    def notes(self) -> Iterator[str]:
        return figures(self.duration.release)


def _said(figures: Mapping[str, float]) -> str:
    return (
        f"{figures['seconds']:.3g} s, at most {figures['peak']:g} pods, at least "
        f"{figures['fewest_ready']:g} ready"
    )


def _breaks_a_limit(figures: Mapping[str, float]) -> bool:
    return (
        figures["peak"] > _MOST
        or figures["seconds"] > _SECONDS
        or figures["fewest_ready"] < _FEWEST
    )


def _possible(seconds: float, peak: float, fewest_ready: float) -> bool:
    """Whether a release may have such figures.

    Each of its pods is not ready for the length of a start, and never are more pods not ready at
    once than lie between the most pods and the fewest ready ones.
    """
    at_once = min(_PODS, peak - fewest_ready)
    counted = _PODS <= peak <= 2 * _PODS and 0 <= fewest_ready <= _PODS
    return counted and seconds * at_once >= _START_S * _PODS


@exercise("rolling-5", start_cause="too-many-pods")
class DecideUnderLimits(StartsAsShop):
    """Two strategies, three limits: four pods, careful and slow."""

    def observe(self, lab: Lab) -> Observation:
        """Release under traffic, count pods and seconds, and compare with the learner's figures."""
        yield from shop_facts.at_rest(lab)
        yield from shop_facts.answers(lab)
        with _borrowed(lab) as shop:
            with lab.observe("a release under traffic"):
                release = shop.release({START: f"{1000 * _START_S:.0f}"}, wait=_WATCHED)
            yield shop_facts.reached(lab, release)
            strategy = shop_facts.short(
                shop.deployment["spec"]["strategy"].get("rollingUpdate") or "Recreate"
            )
            duration = Duration(release, strategy)
            yield Pods(release, strategy)
            yield Lossless(release, shop.deployment, lab.recall(START), 0)
            yield duration
            finished(release)
            # The start is revision 1, and a check leaves none: the others are the learner's.
            own = release.before.revision - 1
            yield Decision(claims.read(lab.folder(), "decision.json"), duration, own)
        yield from shop_facts.answers(lab)
