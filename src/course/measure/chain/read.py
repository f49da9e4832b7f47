"""Read a namespace once, by one client, with as few rights as there are.

Each kind is one call, the calls are made side by side. Then come the logs of its containers, and a
request to those ports at which nobody may listen: no object says whether somebody does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from course.core.errors import CourseError
from course.measure.chain.objects import Chain, Thing
from course.measure.kube_api import ApiError, Kubernetes, items

_EVERYWHERE = ["services", "pods", "gateways", "referencegrants", "nodes", "ingressclasses"]
_EVERYWHERE += ["storageclasses", "clusterroles", "clusterrolebindings"]
"""Kinds that have no namespace, or of which those of other namespaces are needed."""
_HERE = ["httproutes", "ingresses", "deployments", "replicasets", "statefulsets", "daemonsets"]
_HERE += ["jobs", "events", "configmaps", "secrets", "serviceaccounts", "roles", "rolebindings"]
_HERE += ["limitranges", "persistentvolumeclaims", "networkpolicies", "horizontalpodautoscalers"]
_HTTP = (80, 443, 3000, 5000, 8000, 8080, 8443)
_NO_SUCH_KIND = 404
_AT_ONCE = 8
_MOST_LOGS = 40
_LINES = 40
_ANSWER_WAIT = 1.0


def read(namespace: str = "", *, host: str = "", api: Kubernetes | None = None) -> Chain:
    """Read what requests pass.

    Args:
        namespace: the kubeconfig's own by default.
        host: a name at the gateway: only what is behind it is looked at.
        api: the client, whose namespace is read; by default one of `KUBECONFIG`.

    Returns:
        What there is, and what could not be read with the reason.

    Raises:
        CourseError: no API answers, or there is no such namespace.
    """
    api = api or Kubernetes(namespace)
    # Alone: where nobody answers, it is waited for once.
    answers = {"namespaces": _list(api, "namespaces")}
    _exists(api.namespace, answers["namespaces"][0])
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        kinds = [*_EVERYWHERE, *_HERE]
        answers |= zip(kinds, pool.map(lambda kind: _list(api, kind), kinds), strict=True)
        objects = {kind: found for kind, (found, _) in answers.items() if found is not None}
        unread = {kind: why for kind, (_, why) in answers.items() if why}
        option = f"-n {api.namespace}" if api.namespace != api.own else ""
        at = datetime.now(UTC)
        bare = Chain(api.namespace, objects, at, unread, host=host, option=option)
        logs = {key: pool.submit(_log, api, *key, last) for key, last in _with_log(bare)}
        replies = {key: pool.submit(_reply, api, *key, how) for key, how in _to_ask(bare)}
        said = {key: later.result() for key, later in logs.items()}
        got = {key: later.result() for key, later in replies.items()}
    return replace(bare, logs=said, replies=got)


def _list(api: Kubernetes, kind: str) -> tuple[list[Thing] | None, str]:
    """The objects of a kind, of this namespace alone if no more may be read, and the refusal."""
    refusal = ""
    if kind == "namespaces" or kind in _EVERYWHERE:
        try:
            return [*map(Thing, api.everywhere(kind))], ""
        except ApiError as error:
            if error.code in (0, _NO_SUCH_KIND):
                return _absent(error)
            refusal = error.saw
    try:
        return [_bare(Thing(one)) for one in items(api.select(kind, {}))], refusal
    except ApiError as error:
        if refusal:
            return None, refusal
        return _absent(error) if error.code in (0, _NO_SUCH_KIND) else (None, error.saw)


def _absent(error: ApiError) -> tuple[list[Thing], str]:
    """No objects, of a kind that is not installed."""
    if error.code == 0:
        raise error
    return [], ""


def _bare(thing: Thing) -> Thing:
    """An object without a Secret's values, also those in kubectl's annotation; its keys stay."""
    if thing["kind"] != "Secret":
        return thing
    meta = {key: value for key, value in thing["metadata"].items() if key != "annotations"}
    return Thing(kind="Secret", metadata=meta, data=dict.fromkeys(thing.get("data") or {}))


def _exists(namespace: str, there: list[Thing] | None) -> None:
    known = [thing.name for thing in there or []]
    if there is not None and namespace not in known:
        near = difflib.get_close_matches(namespace, known, n=1, cutoff=0.4)
        raise CourseError(
            f"the cluster has no namespace `{namespace}`",
            f"`{near[0]}`?" if near else f"one of: {', '.join(sorted(known))}",
            "kubectl get namespaces",
        )


def _with_log(chain: Chain) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield the containers that may have said something, and whether the one before them did."""
    ran = [(pod, c) for pod in chain.pods() for c in pod.containers if c.status.get("containerID")]
    for pod, c in ran[:_MOST_LOGS]:
        before = (c.status.get("lastState") or {}).get("terminated")
        yield (pod.name, c.name), bool(before and not c.state("terminated"))


def _log(api: Kubernetes, pod: str, container: str, previous: bool) -> str:
    try:
        return api.log(pod, container, lines=_LINES, previous=previous)
    except ApiError:  # it may be gone already
        return ""


def _to_ask(chain: Chain) -> Iterator[tuple[tuple[str, int], str]]:
    """Yield the ports of Services with ready pods that are HTTP's, or that no container names.

    A database is not asked on a port that it names: it would log that as an attack.
    """
    for service in chain.services():
        ready = [pod for pod in chain.selected(service) if pod.is_ready]
        for port in service.spec.get("ports") or [] if ready else []:
            number, word = port["port"], f"{port.get('name')} {port.get('appProtocol')}"
            target = port.get("targetPort", number)
            is_named = any(target in (p.get("name"), p["containerPort"]) for p in ready[0].ports)
            is_web = number in _HTTP or "http" in word
            if port.get("protocol", "TCP") == "TCP" and (is_web or not is_named):
                yield (service.name, number), "https" if number in (443, 8443) else ""


def _reply(api: Kubernetes, service: str, port: int, scheme: str) -> str:
    """How a request failed on its way; empty if somebody answered, whatever that was."""
    try:
        api.ask(service, port, scheme=scheme, wait=_ANSWER_WAIT)
    except ApiError as error:
        # The words of the API server's proxy: apimachinery/pkg/util/proxy/transport.go.
        return error.saw if "error trying to reach service" in error.saw else ""
    return ""
