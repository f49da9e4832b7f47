"""What the course runs on, as it is now: Docker, registry, node, API, DNS, gateway, service.

One call of Docker and one of the Kubernetes API tell it, and the ports that have to answer. The
verdicts are pure functions of what these say, and of the time.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

from course.core import environment, paths
from course.core.errors import CourseError
from course.core.names import (
    CLUSTER,
    CLUSTER_NAME,
    CONTAINERS,
    NODE_NAME,
    ORDERS,
    REGISTRY_NAME,
    SYSTEM_NAMESPACE,
)
from course.core.process import CommandError, Runner, default_runner

DEADLINE = 1.5
"""Seconds that all of it may take for one who waits."""
PATIENCE = 5.0
"""The same where a verdict depends on it: a busy machine is not to be taken for a silent one."""
LATELY = 600.0
"""Seconds for which a part that ended by itself is a fault, though it runs again."""
_STARTING = 120.0
"""Seconds after the node's start in which its parts may end until they find each other."""
_CLOCKS = 2.0
"""Seconds between the learner's clock and one that counts in whole seconds."""
REPEAT = "repeat what failed meanwhile; if it comes again: course doctor --report"
"""What to do where a part is well again by itself."""
DOCKER = "Docker"
_AGAIN = "course up"
_LESS = "send less at once (course load: a lower --rate or --timeout), then: course up"
_SCALE = "kubectl -n kube-system scale deployment/coredns --replicas=2"
_OUT_OF_MEMORY = "OOMKilled"
_FORBIDDEN = 403
_SYSTEM = ("kube-system", SYSTEM_NAMESPACE, "local-path-storage")

Object = Mapping[str, Any]
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Part:
    """One thing that the course runs on.

    Args:
        name: what it is, as a learner reads it.
        ok: whether it works; `None` where that could not be told.
        saw: what was found.
        try_: what mends it; empty where nothing has to.
    """

    name: str
    ok: bool | None
    saw: str
    try_: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


@dataclass(frozen=True)
class _Kind:
    """Pods that are one part."""

    name: str
    namespace: str
    label: str
    value: str
    needed_for: str = CLUSTER
    mend: str = _AGAIN

    def owns(self, pod: Object) -> bool:
        meta = pod["metadata"]
        return bool(
            meta.get("namespace") == self.namespace
            and (meta.get("labels") or {}).get(self.label) == self.value
        )


GATEWAY = "the gateway (Traefik)"
_KINDS = (
    _Kind("the API server", "kube-system", "component", "kube-apiserver"),
    _Kind("etcd", "kube-system", "component", "etcd"),
    _Kind("the controller manager", "kube-system", "component", "kube-controller-manager"),
    _Kind("the scheduler", "kube-system", "component", "kube-scheduler"),
    _Kind("kube-proxy", "kube-system", "k8s-app", "kube-proxy"),
    _Kind("DNS (CoreDNS)", "kube-system", "k8s-app", "kube-dns", mend=_SCALE),
    _Kind(GATEWAY, SYSTEM_NAMESPACE, "app", "traefik"),
    _Kind("the service orders", CLUSTER_NAME, "app", "orders", ORDERS),
    _Kind("PostgreSQL of orders", CLUSTER_NAME, "app", "postgres", ORDERS),
)


class Sources(Protocol):
    """Where it is read. Both calls raise `CourseError` if nobody answers."""

    def containers(self) -> Mapping[str, Object]:
        """Docker's `State` of the registry and of the node, by name, of those that are there."""

    def pods(self) -> Sequence[Object]:
        """All pods of the cluster."""


@dataclass(frozen=True)
class Commands:
    """Reads by the commands docker and kubectl, which start faster than their Python clients.

    Args:
        runner: runs them.
        env: variables for them.
        wait: seconds that each may take.
    """

    runner: Runner = field(default_factory=default_runner)
    env: Mapping[str, str] | None = None
    wait: float = DEADLINE

    def containers(self) -> dict[str, Object]:
        """See `Sources.containers`."""
        argv = ["docker", "container", "inspect", REGISTRY_NAME, NODE_NAME]
        argv += ["--format", "{{json .Name}} {{json .State}}"]
        done = self.runner.run(argv, timeout=self.wait, env=self.env, check=False)
        if done.code != 0 and "no such container" not in done.stderr.lower():
            raise CourseError(f"no Docker answers: {(done.stderr.strip() or '?').splitlines()[-1]}")
        found = {}
        for line in done.stdout.splitlines():
            name, _, state = line.partition(" ")
            found[json.loads(name).lstrip("/")] = json.loads(state)
        return found

    def pods(self) -> Sequence[Object]:
        """See `Sources.pods`."""
        argv = ["kubectl", "--kubeconfig", paths.kubeconfig(), "get", "--raw", "/api/v1/pods"]
        argv += [f"--request-timeout={self.wait}s"]
        done = self.runner.run(argv, timeout=self.wait, env=self.env, check=False)
        if done.code != 0:
            said = (done.stderr.strip() or "no answer").splitlines()[-1]
            raise CourseError(f"no Kubernetes API answers: {said[-160:]}")
        return list(json.loads(done.stdout)["items"])


# -- now


def now(sources: Sources | None = None, engine: environment.Engine | None = None) -> list[Part]:
    """Every part of what `course up` made, as it is now; nothing where it has not run.

    Args:
        sources: where it is read; by commands by default.
        engine: what `course up` made; by default as it is recorded.

    Returns:
        A part a line, within `DEADLINE` seconds and a little; one of which nothing was heard by
        then is told as such.
    """
    engine = engine or environment.current()
    if engine is None or CONTAINERS not in engine.has:
        return []
    sources = sources or Commands(env=environment.environment())
    cluster, ports = CLUSTER in engine.has, engine.ports
    asked: dict[str, Callable[[], Any]] = {
        "containers": sources.containers,
        "registry": lambda: _answer(ports.get("registry", 0), "/v2/"),
    }
    if cluster:
        asked["pods"] = sources.pods
        asked["gateway"] = lambda: _answer(ports.get("http", 0), "/")
    said = _side_by_side(asked, DEADLINE)
    at = time.time()
    if isinstance(said["containers"], Exception):
        return [Part(DOCKER, False, _word(said["containers"]), _AGAIN)]
    states: Mapping[str, Object] = said["containers"]
    parts = [Part(DOCKER, True, "answers"), _container("the registry", REGISTRY_NAME, states, at)]
    if parts[-1].ok and said["registry"]:
        saw = f"it runs, and does not answer at 127.0.0.1:{ports['registry']}"
        saw += f": {_word(said['registry'])}"
        parts[-1] = Part("the registry", False, saw, f"docker restart {REGISTRY_NAME}")
    if not cluster:
        return parts
    parts.append(_container("the cluster's node", NODE_NAME, states, at))
    if parts[-1].ok is False:
        return parts  # what runs on it cannot
    if isinstance(said["pods"], Exception):
        parts.append(Part("the Kubernetes API", False, _word(said["pods"]), _AGAIN))
    else:
        started = _moment(states[NODE_NAME].get("StartedAt")) or 0.0
        parts += _of_pods(said["pods"], engine.has, at, started)
    return [*parts, _port(ports["http"], said["gateway"])]


def _side_by_side(asked: Mapping[str, Callable[[], Any]], wait: float) -> dict[str, Any]:
    """What each call returned or raised; one that does not come back is left behind."""
    said: dict[str, Any] = dict.fromkeys(asked, TimeoutError(f"no answer in {wait:g} s"))

    def ask(name: str, call: Callable[[], Any]) -> None:
        try:
            said[name] = call()
        except Exception as error:
            said[name] = error

    threads = [threading.Thread(target=ask, args=one, daemon=True) for one in asked.items()]
    end = time.monotonic() + wait + 0.2
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(said)


def _word(said: Any) -> str:
    if isinstance(said, CommandError):
        return f"`{said.completed.argv[0]}`: {said.reason}"
    return said.saw if isinstance(said, CourseError) else str(said) or type(said).__name__


def _answer(port: int, path: str, wait: float = DEADLINE) -> str:
    """Why nobody speaks HTTP at a port of loopback; empty if somebody does, whatever they say."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=wait)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        connection.getresponse()
    except TimeoutError:
        return f"no answer in {wait:g} s"
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return ""


def _container(what: str, name: str, states: Mapping[str, Object], at: float) -> Part:
    """A container of the course's."""
    state = states.get(name)
    if state is None:
        return Part(what, False, f"there is no container {name}", _AGAIN)
    if state.get("Paused"):
        return Part(what, False, f"the container {name} is paused", f"docker unpause {name}")
    killed, code = state.get("OOMKilled"), state.get("ExitCode")
    why = "killed for memory" if killed else f"exit code {code}"
    if state.get("Restarting"):  # Docker calls it running too, while it waits to start it again
        saw = f"the container {name} ends again and again ({why})"
        return Part(what, False, saw, f"docker logs {name}; then: course up")
    if not state.get("Running"):
        ago = _ago(at, _moment(state.get("FinishedAt")))
        return Part(what, False, f"the container {name} has stopped{ago} ({why})", _AGAIN)
    return Part(what, True, "runs")


def _port(port: int, silent: Any) -> Part:
    """The gateway as it is reached from this machine: by a proxy of Docker's, which may end."""
    name = f"port {port}"
    if silent:
        return Part(name, False, f"the gateway does not answer there: {_word(silent)}", _AGAIN)
    return Part(name, True, "the gateway answers")


def _of_pods(pods: Iterable[Object], has: Iterable[str], at: float, started: float) -> list[Part]:
    """Each part that runs in pods, and what else of the system is not well."""
    parts, known = [], []
    for one in _KINDS:
        if one.needed_for not in has:
            continue
        own = [pod for pod in pods if one.owns(pod)]
        known += own
        parts.append(_part(one.name, own, at, started, one.mend))
    for pod in pods:
        if pod["metadata"].get("namespace") in _SYSTEM and pod not in known:
            part = _part(str(pod["metadata"]["name"]), [pod], at, started)
            if part.ok is False:
                parts.append(part)
    return parts


def _part(name: str, pods: Sequence[Object], at: float, started: float, mend: str = _AGAIN) -> Part:
    """A part as it is now, with how it ended last, other than by the node's own restart."""
    alive = _alive(pods)
    ends = [end for pod in alive for end in _ends(pod) if end.at > started + _STARTING]
    last = max(ends, key=lambda end: end.at, default=None)
    said = f"; it {_how(last, at)}" if last else ""
    count = sum(_restarts(pod) for pod in alive)
    if last and count > 1:
        said += f", {count} restarts in all"
    broken = _broken(name, alive, mend)
    if broken:
        return replace(broken, saw=broken.saw + said)
    if last and at - last.at < LATELY:
        return Part(name, False, f"it is ready again{said}", _mend(last))
    ready = sum(1 for pod in alive if _ready_since(pod) is not None)
    return Part(name, True, f"{ready} of {len(alive)} ready{said}")


def _broken(name: str, alive: Sequence[Object], mend: str) -> Part | None:
    """Why none of its pods can do its work, or `None` if one can."""
    if not alive:
        return Part(name, False, "it has no pod: scaled to nothing, or removed", mend)
    if all(_ready_since(pod) is None for pod in alive):
        return Part(name, False, f"not ready: {_why_not_ready(alive[0])}", mend)
    return None


def _alive(pods: Iterable[Object]) -> list[Object]:
    """Pods that are neither on their way out nor ended for good."""
    return [
        pod
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]


@dataclass(frozen=True)
class _End:
    """How a container of a pod ended last."""

    at: float
    reason: str


def _how(end: _End, at: float) -> str:
    killed = end.reason == _OUT_OF_MEMORY
    return ("was killed for memory" if killed else f"ended ({end.reason})") + _ago(at, end.at)


def _mend(end: _End) -> str:
    return _LESS if end.reason == _OUT_OF_MEMORY else REPEAT


def _statuses(pod: Object) -> list[Object]:
    return list(pod.get("status", {}).get("containerStatuses") or [])


def _ends(pod: Object) -> Iterator[_End]:
    """The last end of each container: of the one before, or of one that has not started again."""
    for status in _statuses(pod):
        for state in (status.get("lastState") or {}, status.get("state") or {}):
            ended = state.get("terminated")
            at = _moment((ended or {}).get("finishedAt"))
            if ended and at:
                yield _End(at, str(ended.get("reason") or f"exit code {ended.get('exitCode')}"))


def _restarts(pod: Object) -> int:
    return sum(int(status.get("restartCount", 0)) for status in _statuses(pod))


def _condition(pod: Object) -> Object:
    conditions = pod.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == "Ready"), {})


def _ready_since(pod: Object) -> float | None:
    """When it became ready last, or `None` if it is not."""
    ready = _condition(pod)
    return (
        (_moment(ready.get("lastTransitionTime")) or 0.0) if ready.get("status") == "True" else None
    )


def _why_not_ready(pod: Object) -> str:
    for status in _statuses(pod):
        for state in ("waiting", "terminated"):
            reason = (status.get("state") or {}).get(state, {}).get("reason")
            if reason:
                return str(reason)
    running = pod.get("status", {}).get("phase") == "Running"
    return "its readiness probe fails" if running else str(pod.get("status", {}).get("phase"))


def _moment(text: str | None) -> float | None:
    """A time of Docker's or of Kubernetes', in seconds since the epoch."""
    if not text or text.startswith("0001"):
        return None
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _ago(at: float, then: float | None) -> str:
    if then is None:
        return ""
    seconds = max(0.0, at - then)
    if seconds < 120:
        return f" {seconds:.0f} s ago"
    return f" {seconds / 60:.0f} min ago" if seconds < 7200 else f" {seconds / 3600:.0f} h ago"


# -- behind an error


def explaining(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """A function of an address that says, where it fails, what of the course's own is not well."""

    @functools.wraps(function)
    def wrapped(*args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except CourseError as error:
            part = next((part for part in _behind(str(args[0])) if part.ok is False), None)
            if part is None:
                raise
            saw = f"{error.saw}; {part.name}: {part.saw}"
            raise CourseError(saw, error.want, part.try_) from error

    return wrapped


def _behind(url: str) -> list[Part]:
    """Every part, if an address is one of the course's."""
    engine = environment.current()
    with contextlib.suppress(ValueError):
        if engine is not None and urlsplit(url).port in engine.ports.values():
            return now(engine=engine)
    return []


# -- in the time of a check


def failed_since(
    since: float, sources: Sources, needs: Iterable[str], ports: Mapping[str, int]
) -> Part | None:
    """What of the course's own failed since a moment, however well it is now.

    Args:
        since: seconds since the epoch.
        sources: where it is read.
        needs: the capabilities that were relied on: `containers`, `cluster`.
        ports: the course's, by name.

    Returns:
        The part that failed, the one that others depend on first; `None` if all were well.
    """
    cluster = CLUSTER in needs
    if not cluster and CONTAINERS not in needs:
        return None
    port = ports.get("http", 0)
    asked: dict[str, Callable[[], Any]] = {"containers": sources.containers}
    if cluster:
        asked |= {"pods": sources.pods, "gateway": lambda: _answer(port, "/", PATIENCE)}
    said, at, since = _side_by_side(asked, PATIENCE), time.time(), since - _CLOCKS
    found: Iterator[Part | None]
    if isinstance(said["containers"], Exception):
        return Part(DOCKER, False, _word(said["containers"]), _AGAIN)
    names = {REGISTRY_NAME: "the registry"} | ({NODE_NAME: "the cluster's node"} if cluster else {})
    states = said["containers"]
    found = (_container_failed(what, name, states, since, at) for name, what in names.items())
    if cluster:
        gate = _port(port, said["gateway"])
        pods = _cluster_failed(said["pods"], since, at)
        found = itertools.chain(found, pods, () if gate.ok else (gate,))
    return next((part for part in found if part), None)


def _container_failed(
    what: str, name: str, states: Mapping[str, Object], since: float, at: float
) -> Part | None:
    part = _container(what, name, states, at)
    if part.ok is False:
        return part
    started = _moment(states[name].get("StartedAt"))
    if started and started > since:
        saw = f"its container was started again{_ago(at, started)}; did Docker restart?"
        return Part(what, False, saw, "course status")
    return None


def _cluster_failed(said: Any, since: float, at: float) -> Iterator[Part | None]:
    if getattr(said, "code", 0) == _FORBIDDEN:
        return  # on a cluster of somebody else's, a learner sees no system pods
    if isinstance(said, Exception):
        yield Part("the Kubernetes API", False, _word(said), _AGAIN)
        return
    for one in _KINDS:
        if one.needed_for == CLUSTER:
            yield _pods_failed(one, filter(one.owns, said), since, at)


def _pods_failed(one: _Kind, pods: Iterable[Object], since: float, at: float) -> Part | None:
    """A part that cannot do its work, or could not for a moment since then."""
    alive, name = _alive(pods), one.name
    broken = _broken(name, alive, one.mend)
    if broken:
        return broken
    for end in (end for pod in alive for end in _ends(pod)):
        if end.at > since:
            return Part(name, False, f"it {_how(end, at)}", _mend(end))
    # Where one of several stayed ready, there was somebody to ask.
    ready = min(moment for pod in alive if (moment := _ready_since(pod)) is not None)
    if ready > since:
        return Part(name, False, f"it became ready only{_ago(at, ready)}", REPEAT)
    return None
