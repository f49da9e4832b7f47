"""Releases of the check's own, under traffic of the check's own, and what became of both.

What a Deployment says of itself proves nothing: a version header can be written by hand, a route
can lead elsewhere, a rollout can be paused. So a check borrows the Deployment: it releases a
version that it has just made up, sends requests all the while, and judges the answers. However the
check ends, the Deployment is given back as it was, its history too.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from course.core import waiting
from course.core.errors import CourseError
from course.measure import traffic
from course.measure.kube_api import ApiError, Kubernetes
from course.measure.release import TIMED_OUT, ReleaseRecord, merge_feeds
from course.measure.rollout import Feed, Pod, Rollout, Status, containers
from course.measure.rollout import status as reading

RATE = 80.0
"""Enough for what these checks look for: at 0.2 s a request, eight are in each of two pods when it
ends, and a service that is not ready yet is asked some dozens of times a second."""
BLIND_MS = 100.0
"""A generator that stood still for longer proves nothing. What these checks look for lasts longer:
a service that is not ready yet for more than a second, one that exits at once as long as its
requests in flight."""
UNSENT = 0.01
_MADE_UP = "probe-"
_NOT_FOUND = 404
_BASE = 0.6
_TAIL = 0.4
_PAUSE = 0.05
_LAST_WORDS = 2.5
_UNWELL = 6.0
_BACK_WAIT = 60.0
_RETIRE_WAIT = 10.0
_HISTORY = "deployment.kubernetes.io/revision-history"
_LIMIT = "revisionHistoryLimit"
_USUAL_LIMIT = 10

Object = dict[str, Any]


@dataclass(frozen=True)
class Load:
    """The requests that are sent.

    Args:
        rate: per second.
        timeout: seconds after which one counts as not answered.
    """

    rate: float = RATE
    timeout: float = 5.0


_USUAL = Load()


@dataclass(frozen=True)
class ProbeRelease:
    """What was seen.

    Args:
        version: the one that was released.
        before: the rollout's state before the release.
        status: its state at the end.
        seconds: from the release until the rollout was complete; 0 if it was not.
        seen: pods and requests, their times from the release on.
        after: version → answers, of what was sent when the release was over.
        load: the requests that were sent.
        took: seconds of each answer that was no error.
    """

    version: str
    before: Status
    status: Status
    seconds: float
    seen: ReleaseRecord
    after: Mapping[str, int]
    load: Load = _USUAL
    took: tuple[float, ...] = ()

    @property
    def strangers(self) -> list[str]:
        """The versions that answered when the release was over, but for its own."""
        return [version for version in self.after if version != self.version]

    @property
    def leaving(self) -> dict[str, float]:
        """Each pod that was asked to end → for how many seconds it went on being ready."""
        began: dict[str, float] = {}
        ended: dict[str, float] = {}
        for sample in self.seen.samples:
            still = {pod.name for pod in sample.pods if pod.terminating and pod.ready}
            ended |= dict.fromkeys(began.keys() - ended.keys() - still, sample.at)
            began |= dict.fromkeys(still - began.keys(), sample.at)
        last = self.seen.samples[-1].at
        return {name: ended.get(name, last) - at for name, at in began.items()}

    def judgeable(self) -> None:
        """Refuse to judge what the generator did not see.

        Raises:
            CourseError: it stood still for too long, or did not send.
        """
        slow = self.seen.failures_by(TIMED_OUT)
        if len(slow) < len(self.seen.failures):
            return  # what was seen to fail has failed
        figures, longest = self.seen.summary, self.seen.blind_ms
        if longest > BLIND_MS or figures.unsent > UNSENT * figures.planned:
            raise CourseError(
                f"blind: the load generator stood still for {longest:.0f} ms at a time, and "
                f"{figures.unsent} of {figures.planned:,} requests were never sent",
                f"no longer than {BLIND_MS:.0f} ms, since a loss could hide in it",
                "end what else keeps this machine busy, then run the check again",
            )

    def said(self) -> str:
        """What failed, in one line."""
        failures = self.seen.failures
        kinds = Counter(f"{f.error}{' by ' + f.version if f.version else ''}" for f in failures)
        text = f"{len(failures):,} of {self.seen.summary.planned:,} requests failed"
        return f"{text} ({', '.join(f'{n} x {k}' for k, n in kinds.most_common(3))})"


class Borrowed:
    """A Deployment that a check releases to.

    Args:
        rollout: the Deployment, at rest.
        url: where it is reached.
        api: where it is; by default what `KUBECONFIG` names.

    Raises:
        CourseError: it still has the release of a check that was ended.
    """

    def __init__(self, rollout: Rollout, url: str, api: Any = None) -> None:
        self._rollout, self._url = rollout, url
        self._api: Kubernetes = api or Kubernetes()
        self.deployment: Object = self._get()
        """What the learner has made of it, as the API sends it."""
        left = reading.version(self.deployment["spec"]["template"])
        if left.startswith(_MADE_UP):
            raise CourseError(
                f"a check that was ended has left its release {left} on {rollout.name}",
                "what you have made of it",
                f"kubectl rollout undo deployment/{rollout.name}; then run the check again",
            )
        self._histories = {
            one["metadata"]["name"]: _notes(one).get(_HISTORY) for one in self._sets()
        }
        self._versions: list[str] = []

    def release(
        self, settings: Mapping[str, str], *, wait: float, load: Load = _USUAL
    ) -> ProbeRelease:
        """Release a version that nobody else has, and watch it to its end.

        Args:
            settings: variables of the released template, beside the version.
            wait: seconds after the release at which it is given up.
            load: the requests that are sent.

        Raises:
            CourseError: nothing answers at all, another generator runs, the generator saw too
                little, or the API does not answer.
        """
        version = f"{_MADE_UP}{secrets.token_hex(3)}"
        env = {**settings, containers.VERSION_VARIABLE: version}
        change = variables(self.deployment["spec"]["template"], env)
        # A history that is full would lose its oldest revision to ours.
        change["spec"][_LIMIT] = self._limit() + 1
        return self._watched(version, change, lambda: self._versions.append(version), wait, load)

    def give_back(self, first: Callable[[], None], *, wait: float, load: Load) -> ProbeRelease:
        """Release what the learner has made of it again: the pods of the check's own leave.

        Args:
            first: done once requests are sent, before the release.
            wait: as in `release`.
            load: as in `release`.

        Raises:
            CourseError: as in `release`.
        """
        version = reading.version(self.deployment["spec"]["template"])
        return self._watched(version, self._back(), first, wait, load)

    def _watched(
        self,
        version: str,
        change: Any,
        first: Callable[[], None],
        wait: float,
        load: Load,
    ) -> ProbeRelease:
        before = self._rollout.status()
        most = wait + _BASE + _TAIL + 30
        run = traffic.start(self._url, rate=load.rate, seconds=most, timeout=load.timeout)
        with run, self._rollout.watch(maximum=wait + 60) as feed:
            _until_sent(run)
            first()
            time.sleep(_BASE)  # what is under way when the release begins
            released = feed.seconds
            self._patch(change)
            seconds = _watch(feed, version, released, wait)
            status = feed.samples(-1)[0].status
            _until_well(run)
            over = feed.seconds
            time.sleep(_TAIL)  # what is sent when it is over
            run.stop()
        start = (run.started or feed.began) - feed.began
        after = run.summary(since=over - start).by_version
        seen = merge_feeds(run, feed, released)
        # What had failed before the release is none of its doing.
        caused = tuple(failure for failure in seen.failures if failure.until >= 0)
        seen = replace(seen, failures=caused)
        every = (answer for batch in run.batches() for answer in batch.answers)
        took = tuple(answer.latency_ms / 1000 for answer in every if not answer.error)
        made = ProbeRelease(version, before, status, seconds, seen, after, load, took)
        made.judgeable()
        return made

    # -- back as it was

    def put_back(self) -> None:
        """Make the Deployment what it was, and take the check's revisions out of its history.

        `kubectl rollout undo` then goes where it would have gone before the check. So the way back
        is awaited: a ReplicaSet that is deleted earlier takes with it the pods that still serve.

        Raises:
            CourseError: the API does not answer.
        """
        if not self._versions:
            return
        try:
            now = self._get()
            if now["metadata"]["uid"] != self.deployment["metadata"]["uid"]:
                return
            if now["spec"]["template"] != self.deployment["spec"]["template"]:
                self._patch(self._back())
            with self._rollout.watch(maximum=_BACK_WAIT + 10) as feed:
                feed.until(lambda: not self._serves(feed.samples(-1)[0].pods), _BACK_WAIT)
            waiting.eventually(self._retire, wait=_RETIRE_WAIT, pause=_PAUSE)
            self._patch({"spec": {_LIMIT: self._limit()}})
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise  # what is gone needs nothing back

    def _serves(self, pods: Iterable[Pod]) -> bool:
        return any(pod.counts and pod.version in self._versions for pod in pods)

    def _retire(self) -> bool:
        """Delete the ReplicaSets of the check's own once they are empty; whether none is left."""
        sets = self._sets()
        ours = [one for one in sets if reading.version(one["spec"]["template"]) in self._versions]
        for one in ours:
            if one["spec"].get("replicas") == 0 == one["status"].get("replicas", 0):
                self._api.delete("replicasets", one["metadata"]["name"])
        if not ours:
            self._renumber(sets)
        return not ours

    def _renumber(self, sets: Iterable[Object]) -> None:
        """Give the learner's newest revision the number back that it had before the check.

        The controller numbers a template that comes back as the newest, and keeps a number that is
        the highest there is.
        """
        newest = max(sets, key=reading.number, default=None)
        number = _notes(self.deployment).get(reading.REVISION)
        if newest and number:
            name = newest["metadata"]["name"]
            notes = {reading.REVISION: number, _HISTORY: self._histories.get(name)}
            self._api.patch("replicasets", name, {"metadata": {"annotations": notes}})

    def _back(self) -> list[Object]:
        template = self.deployment["spec"]["template"]
        return [{"op": "replace", "path": "/spec/template", "value": template}]

    def _limit(self) -> int:
        return int(self.deployment["spec"].get(_LIMIT, _USUAL_LIMIT))

    def _get(self) -> Object:
        return self._api.get("deployments", self._rollout.name)

    def _patch(self, body: Any) -> None:
        self._api.patch("deployments", self._rollout.name, body)

    def _sets(self) -> list[Object]:
        query = {"labelSelector": reading.selector(self.deployment)}
        listed = self._api.select("replicasets", query)["items"]
        return list(map(dict, reading.owned(listed, self.deployment["metadata"]["uid"])))


@contextmanager
def borrowed(
    rollout: Rollout,
    url: str,
    observe: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[Borrowed]:
    """Borrow a Deployment for releases, and give it back as it was.

    Args:
        rollout: the Deployment, at rest.
        url: where it is reached.
        observe: declares what takes time, e.g. `Lab.observe`.
    """
    made = Borrowed(rollout, url)
    try:
        yield made
    finally:
        with observe("the shop is put back"):
            made.put_back()


def variables(template: Mapping[str, Any], env: Mapping[str, str]) -> Object:
    """Return a patch that sets variables of the shop, and of what learners put beside it.

    Args:
        template: the pod template that is patched.
        env: name → value.
    """
    own = containers.service(template)["name"]
    spec: dict[str, list[Object]] = {}
    for group in ("containers", "initContainers"):
        for container in template["spec"].get(group) or []:
            if group == "containers" or container["name"] == own:
                given = [{"name": k, "value": v, "valueFrom": None} for k, v in env.items()]
                spec.setdefault(group, []).append({"name": container["name"], "env": given})
    return {"spec": {"template": {"spec": spec}}}


def _watch(feed: Feed, version: str, released: float, wait: float) -> float:
    """Until all is as the release wants it and nobody is on the way out, or it goes no further."""
    done, seen, quiet = 0.0, 0, released

    def is_over() -> bool:
        nonlocal done, seen, quiet
        for sample in feed.samples(seen):
            seen += 1
            new = sample.status.version == version and sample.status.state == "complete"
            done = done or (max(0.01, round(sample.at - released, 2)) if new else 0.0)
        last = feed.samples(seen - 1)[-1]
        if serving_old(last.pods):
            quiet = feed.seconds
        # A pod that is not ready any more has no new requests; those in it end, or are cut, soon.
        leaving = any(pod.terminating and not pod.finished for pod in last.pods)
        gone = not leaving or feed.seconds - quiet > _LAST_WORDS
        return bool(done and gone) or last.status.state in ("stalled", "gone")

    feed.until(is_over, released + wait - feed.seconds)
    return done


def _until_well(run: traffic.Run) -> None:
    """Until requests succeed again, or a while: a release may be called complete before it is."""

    def lately() -> traffic.Summary:
        return run.summary(since=max(0.01, run.summary().seconds - 2 * _TAIL))

    waiting.eventually(lambda: not lately().failed, wait=_UNWELL, pause=_TAIL)


def serving_old(pods: Iterable[Pod]) -> bool:
    """Whether a pod on its way out may still be sent requests."""
    return any(pod.terminating and pod.ready for pod in pods)


def _until_sent(run: traffic.Run) -> None:
    wait = 10.0
    if not waiting.eventually(lambda: run.started is not None, wait=wait, pause=_PAUSE):
        raise CourseError(
            f"the load generator has not started after {wait:.0f} s",
            "its first request",
            "course load --help; is this machine very busy?",
        )


def _notes(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    return thing["metadata"].get("annotations") or {}
