"""rolling-5: a strategy is chosen under limits, by figures of releases that were measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from course.exercises.kit import claims, shop_facts
from course.exercises.kit.claims import Claim
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.lost_requests import Lossless
from course.exercises.kit.probe_release import ProbeRelease
from course.exercises.kit.release_facts import figures, finished, ready_before
from course.exercises.kit.shop import HISTORY, NAME, START, Shop, StartsAsShop
from course.exercises.kit.verdict import Wrong
from course.measure.rollout import Sample

_PODS, _MOST, _FEWEST, _SECONDS, _START_S = 4, 4, 2, 20.0, 5.0
_WATCHED = 30.0
_NAMES = ("seconds", "peak", "fewest_ready")
_BEFORE_ITS_START = ("", "Pending", "ContainerCreating")


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
                try_=f"{HISTORY}; run the measuring cell for each",
            )
        impossible = next((n for n, figures in rejected.items() if not _possible(**figures)), "")
        if impossible:
            return Wrong(
                "impossible-figures",
                saw=f"decision.json says of `{impossible}`: {_said(rejected[impossible])}",
                want=f"figures that {_PODS} pods can give, each of which takes {_START_S:.0f} s to "
                "start",
                try_="run the measuring cell with that strategy",
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
        with Shop(lab).borrowed() as shop:
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
