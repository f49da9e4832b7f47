"""Change one Deployment as `kubectl set` and `kubectl rollout` do."""

from __future__ import annotations

import contextlib
import copy
import time
from datetime import UTC, datetime
from typing import Any

from course.core.errors import CourseError
from course.measure.kube_api import NOT_FOUND, Api, ApiError, Kubernetes, Object, no_deployment
from course.measure.rollout import containers
from course.measure.rollout import status as reading
from course.measure.rollout.columns import moment
from course.measure.rollout.feed import Feed
from course.measure.rollout.status import Status

_PAUSE = 0.2
_GRACE = 5.0
_OWN = "deployment.kubernetes.io/"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
# As kubectl's own undo: they belong to the Deployment and not to a revision of it.
_KEPT = (
    "kubectl.kubernetes.io/last-applied-configuration",
    reading.REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


class Rollout:
    """One Deployment.

    Every action returns one line that says what was done, as kubectl does.

    Args:
        name: the Deployment's, in the namespace of the kubeconfig's context.
        api: where it is; by default what `KUBECONFIG` names.

    Raises:
        CourseError: there is no such Deployment, or no API answers.
    """

    def __init__(self, name: str, *, api: Api | None = None) -> None:
        self.name = name
        self._api = api or Kubernetes()
        self._feed: Feed | None = None
        self._deployment()

    def __repr__(self) -> str:
        return f"Rollout({self.name!r})"

    # -- looking

    def watch(self, *, maximum: float = 900.0) -> Feed:
        """Watch its pods.

        Args:
            maximum: seconds after which the watch ends by itself.
        """
        self._feed = Feed(self._api, self.name, maximum=maximum)
        return self._feed

    def status(self) -> Status:
        """How far its rollout is."""
        deployment = self._deployment()
        things = self._api.select("pods", self._labels(deployment))["items"]
        return reading.status(deployment, self._sets(deployment), things)

    def wait(self, timeout: float) -> Status:
        """Wait until its rollout ends or can go no further.

        Args:
            timeout: deadline in seconds.

        Returns:
            A status whose state is complete, stalled or paused.

        Raises:
            CourseError: the deadline passed, or the Deployment is gone.
        """
        deadline = time.monotonic() + timeout
        feed, own, seen = self._feed, False, -1
        with contextlib.ExitStack() as started:
            while True:
                if feed is None or not feed.running:
                    feed, own, seen = started.enter_context(self._started(deadline)), True, -1
                seen = feed.wait(seen, deadline - time.monotonic())
                late = time.monotonic() >= deadline
                if refusal := feed.refusal:
                    raise refusal
                status = feed.samples(-1)[0].status
                if status.state == "progressing" and not late:
                    continue
                try:
                    status = self._confirmed(status, feed, own=own)
                except ApiError as error:
                    if error.code or late:
                        raise
                    continue
                if status.state != "progressing":
                    return status
                if late:
                    raise self._overdue(timeout, status)

    def _started(self, deadline: float) -> Feed:
        """A feed for one wait.

        Args:
            deadline: until when an API that does not answer is asked again: it has said nothing
                of the rollout.
        """
        while True:
            try:
                return Feed(
                    self._api, self.name, maximum=max(0.0, deadline - time.monotonic()) + _GRACE
                )
            except ApiError as error:
                if error.code or time.monotonic() >= deadline:
                    raise
            time.sleep(_PAUSE)

    def _confirmed(self, status: Status, feed: Feed, *, own: bool) -> Status:
        """The status that a wait may end with.

        A feed that ran before the wait may not have seen yet what was changed just before it, one
        in trouble sees nothing now, and what is gone is told with the nearest name: there the API
        has the last word on the Deployment.
        """
        if own and not feed.trouble and status.state != "gone":
            return status
        return feed.status_of(self._deployment())

    def _overdue(self, timeout: float, status: Status) -> CourseError:
        held = "".join(f"\n      {waiting}" for waiting in status.waiting)
        return CourseError(
            f"waited {timeout:.0f} s for the rollout of {self.name}: {status.message}{held}",
            "a rollout that ends",
            f"kubectl rollout status deployment/{self.name}; "
            f"kubectl describe deployment {self.name}",
        )

    # -- changing

    def set_image(self, *images: str) -> str:
        """Give containers other images, as `kubectl set image` does.

        Args:
            images: each `CONTAINER=IMAGE`; `*=IMAGE` means every container.

        Raises:
            CourseError: not of this form, or there is no such container.
        """
        pairs = [image.partition("=")[::2] for image in images]
        if not pairs or not all(name and image for name, image in pairs):
            raise CourseError(
                f"`{' '.join(images)}` names no image of a container",
                "CONTAINER=IMAGE",
                f'set_image("{self._service()}=IMAGE")',
            )
        groups = self._grouped(dict(pairs))
        change = {
            group: [{"name": name, "image": image} for name, image in found.items()]
            for group, found in groups.items()
        }
        return self._changed("image updated", {"spec": {"template": {"spec": change}}})

    def patch(self, change: Object) -> str:
        """Change anything else of it, as `kubectl patch` does.

        Args:
            change: a strategic merge patch of the Deployment.
        """
        return self._changed("patched", change)

    def restart(self) -> str:
        """Replace every pod by one like it.

        Raises:
            CourseError: it is paused, or was restarted within this second already: a restart is
                a time in the template, to the second, so that another one would change nothing.
        """
        template = self._not_paused("restarted")["spec"]["template"]
        notes = (template.get("metadata") or {}).get("annotations") or {}
        now = datetime.now(UTC).replace(microsecond=0)
        if moment(notes.get(_RESTARTED)) == now:
            raise CourseError(
                f"deployment {self.name} has been restarted within the past second: another "
                "restart now would be none",
                "a second between two restarts",
                "restart()   once more, a second later",
            )
        notes = {_RESTARTED: now.isoformat()}
        self._patch({"spec": {"template": {"metadata": {"annotations": notes}}}})
        return f"deployment.apps/{self.name} restarted"

    def pause(self) -> str:
        """Stop its rollout where it is; pods that run go on.

        Raises:
            CourseError: it is paused already.
        """
        if self._deployment()["spec"].get("paused"):
            raise CourseError(
                f"deployment {self.name} is paused already", "one that is not", "resume()"
            )
        self._patch({"spec": {"paused": True}})
        return f"deployment.apps/{self.name} paused"

    def resume(self) -> str:
        """Let a paused rollout go on.

        Raises:
            CourseError: it is not paused.
        """
        if not self._deployment()["spec"].get("paused"):
            raise CourseError(f"deployment {self.name} is not paused", "one that is", "pause()")
        self._patch({"spec": {"paused": None}})
        return f"deployment.apps/{self.name} resumed"

    def undo(self, to: int = 0) -> str:
        """Go back to an earlier revision, which becomes the newest.

        Args:
            to: a revision's number, as `kubectl rollout history` lists them; the one before the
                present by default.

        Raises:
            CourseError: it is paused, or there is no such revision.
        """
        deployment = self._not_paused("undone")
        sets = sorted(self._sets(deployment), key=reading.number)
        if not to and len(sets) < 2:
            raise CourseError(
                f"deployment {self.name} has one revision: there is nothing to undo",
                "an earlier revision",
                f"kubectl rollout history deployment/{self.name}",
            )
        target = sets[-2] if not to else next((s for s in sets if reading.number(s) == to), None)
        if target is None:
            known = ", ".join(str(reading.number(s)) for s in sets)
            raise CourseError(
                f"deployment {self.name} has no revision {to}",
                f"one of: {known}",
                f"kubectl rollout history deployment/{self.name}",
            )
        template = copy.deepcopy(target["spec"]["template"])
        (template["metadata"].get("labels") or {}).pop(reading.HASH, None)
        if template == deployment["spec"]["template"]:
            return (
                f"deployment.apps/{self.name} skipped undo: it is revision "
                f"{reading.number(target)} already"
            )
        mine = deployment["metadata"].get("annotations") or {}
        theirs = target["metadata"].get("annotations") or {}
        notes = {key: mine[key] for key in _KEPT if key in mine}
        notes |= {key: value for key, value in theirs.items() if key not in _KEPT}
        self._patch(
            [
                {"op": "replace", "path": "/spec/template", "value": template},
                # `add` also replaces, and does not fail where there are none.
                {"op": "add", "path": "/metadata/annotations", "value": notes},
            ]
        )
        return (
            f"deployment.apps/{self.name} rolled back to revision {reading.number(target)} "
            f"({reading.version(template)})"
        )

    # -- the API

    def _deployment(self) -> Object:
        try:
            return self._api.get("deployments", self.name)
        except ApiError as error:
            if error.code != NOT_FOUND:
                raise
            raise no_deployment(self._api, self.name) from error

    def _labels(self, deployment: Object) -> dict[str, str]:
        return {"labelSelector": reading.selector(deployment)}

    def _sets(self, deployment: Object) -> list[Any]:
        listed = self._api.select("replicasets", self._labels(deployment))["items"]
        return reading.owned(listed, deployment["metadata"]["uid"])

    def _not_paused(self, done: str) -> Object:
        deployment = self._deployment()
        if deployment["spec"].get("paused"):
            raise CourseError(
                f"deployment {self.name} is paused: it cannot be {done}",
                "one that is not paused",
                f"resume()   or: kubectl rollout resume deployment/{self.name}",
            )
        return deployment

    def _service(self) -> str:
        return str(containers.service(self._deployment()["spec"]["template"])["name"])

    def _grouped(self, wanted: dict[str, str]) -> dict[str, dict[str, str]]:
        """Names of containers and their values, by the list of the pod's spec they stand in."""
        spec = self._deployment()["spec"]["template"]["spec"]
        groups: dict[str, dict[str, str]] = {}
        known: list[str] = []
        for group in ("containers", "initContainers"):
            for container in spec.get(group) or []:
                name = container["name"]
                known.append(name)
                if name in wanted or "*" in wanted:
                    groups.setdefault(group, {})[name] = wanted.get(name, wanted.get("*", ""))
        missing = sorted(set(wanted) - set(known) - {"*"})
        if missing:
            raise CourseError(
                f"deployment {self.name} has no container `{missing[0]}`",
                f"one of: {', '.join(known)}",
                f"kubectl describe deployment {self.name}",
            )
        return groups

    def _changed(self, done: str, body: Object) -> str:
        """Patch it, and say so as `kubectl patch` does."""
        before = _asked(self._deployment())
        after = _asked(self._patch(body))
        same = " (no change)" if before == after else ""
        return f"deployment.apps/{self.name} {done}{same}"

    def _patch(self, body: Object | list[Object]) -> Object:
        return self._api.patch("deployments", self.name, body)


def _asked(deployment: Object) -> tuple[Any, ...]:
    """What somebody asks of a Deployment; the rest of it is the cluster's own."""
    meta = deployment.get("metadata") or {}
    notes = meta.get("annotations") or {}
    own = {key: value for key, value in notes.items() if not key.startswith(_OWN)}
    return deployment.get("spec"), meta.get("labels") or {}, own
