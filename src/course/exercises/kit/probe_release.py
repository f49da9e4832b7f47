"""A release of the check's own, under traffic of the check's own, and what became of both.

What a Deployment says of itself proves nothing: a version header can be written by hand, a route
can lead elsewhere, a rollout can be paused. So a check releases a version that it has just made
up, sends requests all the while, and judges the answers. The Deployment's template is put back
after that.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from course.core import waiting
from course.core.errors import CourseError
from course.measure import traffic
from course.measure.kube_api import Kubernetes
from course.measure.release import TIMED_OUT, ReleaseRecord, merge_feeds
from course.measure.rollout import Feed, Pod, Rollout, Status
from course.measure.rollout import containers as reading

RATE = 80.0
"""Enough for what these checks look for: at 0.2 s a request, eight are in each of two pods when it
ends, and a service that is not ready yet is asked some dozens of times a second."""
BLIND_MS = 100.0
"""A generator that stood still for longer proves nothing. What these checks look for lasts longer:
a service that is not ready yet for more than a second, one that exits at once as long as its
requests in flight."""
UNSENT = 0.01
_REQUEST_WAIT = 5.0
_BASE = 0.6
_TAIL = 0.4
_PAUSE = 0.05
_LAST_WORDS = 2.5
_UNWELL = 6.0


@dataclass(frozen=True)
class ProbeRelease:
    """What was seen.

    Args:
        version: the made-up version.
        before: the rollout's state before the release.
        status: its state at the end.
        seconds: from the release until the rollout was complete; `None` if it was not.
        seen: pods and requests, their times from the release on.
        after: version → answers, of what was sent when the release was over.
    """

    version: str
    before: Status
    status: Status
    seconds: float | None
    seen: ReleaseRecord
    after: Mapping[str, int]

    def judgeable(self) -> None:
        """Refuse to judge what the generator did not see.

        Raises:
            CourseError: it stood still for too long, or did not send.
        """
        slow = len(self.seen.failures_by(TIMED_OUT))
        if slow < len(self.seen.failures):
            return  # what was seen to fail has failed
        if slow:
            raise CourseError(
                f"{slow} requests had no answer after {_REQUEST_WAIT:.0f} s, and no other failed: "
                "this machine is too busy to tell the shop's losses from its own",
                "answers",
                "end what else keeps this machine busy, then run the check again",
            )
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


def release(
    rollout: Rollout,
    url: str,
    settings: Mapping[str, str],
    *,
    wait: float,
    rate: float = RATE,
    image: str = "",
) -> ProbeRelease:
    """Release a version under traffic, watch it to its end, and put the template back.

    Args:
        rollout: the Deployment, settled.
        url: where it is reached.
        settings: variables of the released template, beside the version.
        wait: seconds after the release at which it is given up.
        rate: requests per second.
        image: releases this image too.

    Raises:
        CourseError: nothing answers at all, another generator runs, or the API does not answer.
    """
    version = f"probe-{secrets.token_hex(3)}"
    api = Kubernetes()
    template = api.get("deployments", rollout.name)["spec"]["template"]
    before = rollout.status()
    run = traffic.start(url, rate=rate, seconds=wait + _BASE + _TAIL + 30, timeout=_REQUEST_WAIT)
    try:
        with rollout.watch(maximum=wait + 60) as feed:
            _until(lambda: run.started is not None, 10)
            time.sleep(_BASE)
            released = feed.seconds
            try:
                env = [
                    {"name": k, "value": v}
                    for k, v in {**settings, reading.VERSION_VARIABLE: version}.items()
                ]
                api.patch("deployments", rollout.name, _change(template, env, image))
                seconds = _watch(feed, version, released, wait)
                status = feed.samples()[-1].status
                _until_well(run)
                over = feed.seconds
                time.sleep(_TAIL)
                run.stop()
            finally:
                back = [{"op": "replace", "path": "/spec/template", "value": template}]
                api.patch("deployments", rollout.name, back)
    finally:
        with contextlib.suppress(CourseError):
            run.stop()
    start = (run.started or feed.began) - feed.began
    after = run.summary(since=over - start).by_version
    seen = merge_feeds(run, feed, released)
    # What had failed before the release is none of its doing.
    caused = tuple(failure for failure in seen.failures if failure.until >= 0)
    return ProbeRelease(version, before, status, seconds, replace(seen, failures=caused), after)


def _change(template: Mapping[str, Any], env: list[dict[str, str]], image: str) -> dict[str, Any]:
    """A patch of the shop, and of what learners put beside it: that is given the variables too."""
    service = reading.service(template)["name"]
    spec: dict[str, list[dict[str, Any]]] = {}
    for group in ("containers", "initContainers"):
        for container in template["spec"].get(group) or []:
            mine = container["name"] == service
            if group == "containers" or mine:
                change: dict[str, Any] = {"image": image} if image and mine else {}
                change["env"] = [{**e, "valueFrom": None} for e in env]
                spec.setdefault(group, []).append({"name": container["name"], **change})
    return {"spec": {"template": {"spec": spec}}}


def _watch(feed: Feed, version: str, released: float, wait: float) -> float | None:
    """Until all is as the release wants it and nobody is on the way out, or it goes no further."""
    done: float | None = None
    seen, quiet = 0, released
    while feed.seconds - released < wait:
        for sample in feed.samples(seen):
            seen += 1
            new = sample.status.version == version
            if done is None and new and sample.status.state == "complete":
                done = round(sample.at - released, 2)
        last = feed.samples(seen - 1)[-1]
        if serving_old(last.pods):
            quiet = feed.seconds
        # A pod that is not ready any more has no new requests; those in it end, or are cut, soon.
        leaving = any(pod.terminating and not pod.finished for pod in last.pods)
        gone = not leaving or feed.seconds - quiet > _LAST_WORDS
        if done is not None and gone:
            break
        if last.status.state in ("stalled", "gone"):
            break
        time.sleep(_PAUSE)
    return done


def _until_well(run: traffic.Run) -> None:
    """Until requests succeed again, or a while: a release may be called complete before it is."""

    def lately() -> traffic.Summary:
        return run.summary(since=max(0.01, run.summary().seconds - 2 * _TAIL))

    waiting.eventually(lambda: not lately().failed, wait=_UNWELL, pause=_TAIL)


def serving_old(pods: Iterable[Pod]) -> bool:
    """Whether a pod on its way out may still be sent requests."""
    return any(pod.terminating and pod.ready for pod in pods)


def _until(true: Callable[[], bool], wait: float) -> None:
    if not waiting.eventually(true, wait=wait, pause=_PAUSE):
        raise CourseError(
            f"the load generator has not started after {wait:.0f} s",
            "its first request",
            "course load --help; is this machine very busy?",
        )
