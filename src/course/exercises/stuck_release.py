"""rolling-4: a release that hangs is noticed, and does no harm until it is taken back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from course.core.errors import CourseError
from course.exercises.kit import shop_copy, shop_facts
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.lost_requests import NONE_LEFT
from course.exercises.kit.shop import CONTAINER, HISTORY, NAME, Shop, StartsAsShop
from course.exercises.kit.verdict import Wrong
from course.measure.kube_api import ApiError
from course.measure.registry_client import Repository
from course.measure.rollout import Rollout, Sample, containers
from course.measure.rollout.columns import condition, is_finished

_PODS = 2
"""As in the exercise's file."""
_FIRST_WAIT = 90.0
_NOTICE = 10.0
_CONTROLLER = 1.0
"""Seconds after the deadline at which the controller looks again."""
_SERVE_ON = "the good pods go on serving; only the bad release goes"
_WHOSE_PODS = (
    "course reset rolling-4   then: which ReplicaSet has ready pods, and which not?   "
    "kubectl get replicasets"
)
_BUSY = 10.0
"""Seconds more that a controller on a busy machine is given to say what its deadline promises."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Serving(Facts):
    """What serves, and whether it has served since the exercise began."""

    image: str  # that the Deployment asks for
    bad: str  # the one that was not there
    digest: str  # of what served when the exercise began
    other: tuple[str, str]  # a pod that runs another image, and its digest; empty if none does
    first: int  # how many pods served when the exercise began
    left: int  # of these
    made: str  # when the Deployment was made, if that was after the exercise began

    def wrong(self) -> Wrong | None:
        if self.image.startswith(self.bad):
            return Wrong(
                "tag-filled",
                saw=f"Deployment {NAME} still asks for {self.image}, which exists now",
                want="the image that was released before: 1.1.0, by its own name",
                try_=HISTORY,
            )
        pod, digest = self.other
        if pod:
            return Wrong(
                "other-version",
                saw=f"pod {pod} runs an image with the digest {digest[-12:]}, which is not that "
                "of 1.1.0",
                want=f"1.1.0 in every pod: digest {self.digest[-12:]}",
                try_=HISTORY,
            )
        if not self.left and self.made:
            return Wrong(
                "made-anew",
                saw=f"Deployment {NAME} was made at {self.made}, after the exercise began, and "
                "none of the pods that served then is there: while the one was gone and the other "
                "not ready, nobody served",
                want=_SERVE_ON,
                try_=_WHOSE_PODS,
            )
        if self.left < self.first:
            return Wrong(
                "pods-gone",
                saw=f"of the {self.first} pods that served when the exercise began, {self.left} "
                "are there",
                want=_SERVE_ON,
                try_=_WHOSE_PODS,
            )
        return None

    def notes(self) -> Iterator[str]:
        yield f"the first {self.left} pods have served all the while; image {self.image}"


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
        if not self.noticed or self.limit > _NOTICE:
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
        lab.remember("digest", Repository(lab.registry, NAME).digest("1.1.0"))
        bad = f"{lab.registry}/{NAME}:1.3.0-{secrets.token_hex(3)}"
        Shop(lab).image("1.2.0")
        rollout = Rollout(NAME)
        with rollout.watch(maximum=_FIRST_WAIT) as feed:
            # The controller takes no pod away that is not replaced yet, ready or not.
            if not feed.until(lambda: len(feed.samples(-1)[0].pods) == _PODS, _FIRST_WAIT):
                raise CourseError(
                    f"{NAME} does not have its pods yet: {feed.samples(-1)[0].status}",
                    f"{_PODS} pods of 1.1.0, before a bad release of them begins",
                    f"kubectl describe deployment {NAME}; then: course reset rolling-4",
                )
        lab.remember("pods", " ".join(pod["metadata"]["uid"] for pod in _counted(lab)))
        lab.remember("uid", _deployment(lab)["metadata"]["uid"])
        lab.remember("bad", bad)
        rollout.set_image(f"{CONTAINER}={bad}")

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
    first, meta = lab.recall("pods").split(), deployment["metadata"]
    return Serving(
        containers.service(deployment["spec"]["template"])["image"],
        lab.recall("bad"),
        digest,
        next(iter(others), ("", "")),
        len(first),
        len(_first(lab)),
        meta["creationTimestamp"] if meta["uid"] != lab.recall("uid") else "",
    )


def _hung(lab: Lab, limit: int) -> Hung:
    """Let a release of a copy hang: the shop itself keeps its pods and its history."""
    with lab.observe("a bad release of a copy"), shop_copy.deployed(lab, _deployment(lab)) as made:
        stalled = made.wait(_FIRST_WAIT).state == "stalled"
        name = containers.service(_deployment(lab)["spec"]["template"])["name"]
        with made.watch(maximum=2 * _FIRST_WAIT) as feed:
            if not feed.until(lambda: feed.samples(-1)[0].status.state == "complete", _FIRST_WAIT):
                raise CourseError(
                    f"a copy of {NAME} has no ready pods yet: {feed.samples(-1)[0].status}",
                    "pods that are ready before a bad release of them begins",
                    "end what else keeps this machine busy, then run the check again",
                )
            number, began = len(feed.samples()) - 1, feed.seconds
            good = feed.samples(-1)[0].revision
            made.set_image(f"{name}={lab.registry}/{NAME}:{secrets.token_hex(4)}")

            def noticed() -> Sample | None:
                last = feed.samples(-1)[0]
                return last if last.status.state == "stalled" and last.revision > good else None

            found = feed.until(noticed, _NOTICE + (_BUSY if limit <= _NOTICE else 2))
            samples = feed.samples(number)
    status = samples[-1].status
    return Hung(
        limit,
        max(0.1, found.at - began) if found else 0.0,
        status.reason,
        str(status.waiting[0]) if status.waiting else status.message,
        min(sum(pod.ready and pod.counts for pod in sample.pods) for sample in samples),
        min(map(_seconds_to_ready, _first(lab))),
        stalled,
    )


def _seconds_to_ready(pod: Mapping[str, Any]) -> float:
    """From a pod's creation to its condition Ready, as far as the API tells: whole seconds."""
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    since = condition(pod["status"], "Ready")["lastTransitionTime"]
    return (datetime.fromisoformat(since) - made).total_seconds()


def _digest(pod: Mapping[str, Any]) -> str:
    return str(containers.state(pod).get("imageID") or "").rpartition("@")[2]


def _first(lab: Lab) -> list[Object]:
    """Those of the pods that served when the exercise began that are there."""
    began = lab.recall("pods").split()
    return [pod for pod in _counted(lab) if pod["metadata"]["uid"] in began]


def _counted(lab: Lab) -> list[Object]:
    """The shop's pods but for those that leave, or have ended: evicted, failed or completed."""
    return [
        pod
        for pod in lab.objects("pods", labelSelector=f"app={NAME}")
        if "deletionTimestamp" not in pod["metadata"] and not is_finished(pod)
    ]
