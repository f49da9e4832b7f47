"""Names of services in a container's variables, commands and probes that no Service has.

A variable counts only of a container that does not get on, or says itself that the name has no
address: one that runs well may have been given what it never asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from course.measure.chain.ends import last_end, last_words
from course.measure.chain.objects import Broken, Chain, Container, Thing, line, nearest

_HOST = r"([a-z][a-z0-9-]*)(?:\.([a-z0-9-]+))?(?:\.svc(?:\.[a-z.]+)?)?"
_END = r"(?=[\s:/?;|&>\"',)\]]|$)"
_FLAGS = r"(?: -\w+(?: \d+)?)*"
_NAMED = (
    re.compile(rf"\b[a-z][a-z0-9+]*://(?:[^@/\s\"']*@)?{_HOST}{_END}"),
    re.compile(rf"\b(?:nslookup|getent hosts|ping){_FLAGS} {_HOST}{_END}"),
    re.compile(rf"\bnc{_FLAGS} {_HOST} \d+"),
    re.compile(rf"\b(?:curl|wget)\b[^|;&]*?\s{_HOST}:\d+"),
    re.compile(rf"\b(?:curl|wget)(?: -[a-zA-Z])* {_HOST}$"),
    re.compile(
        rf"\b(?:psql|pg_isready|mysql\w*|redis-cli)\b[^|;&]*? (?:-h|--host)[ =]?{_HOST}{_END}"
    ),
    re.compile(rf"^{_HOST}:\d+$"),
)
"""A URL, what a script asks for, and a value `host:port`."""
_NO_ADDRESS = re.compile(
    r"ENOTFOUND|EAI_AGAIN|no such host|not translate host|name resolution|bad address|NXDOMAIN"
    r"|Name or service not known|not resolve|can't resolve|unknown host",
    re.IGNORECASE,
)
_PATIENCE = 10.0


def dependency(chain: Chain) -> Broken | None:
    """Name a Service that a container waits for, or asks, and that is not there."""
    for pod in chain.pods() if chain.knows("services", "namespaces") else []:
        for c in pod.containers:
            words, is_held = last_words(chain, pod, c), _is_held(chain, pod, c)
            is_done = c.state("terminated") and not is_held
            for field, host, space in () if is_done else _names(c):
                is_unknown = bool(_NO_ADDRESS.search(words)) and host in words
                proof = f"{c.name} of {pod.title} says: {line(words) or 'nothing'}"
                if not _has_address(chain, pod, host, space):
                    if is_unknown or is_held or not field.startswith("env["):
                        seen = f"{host}, and no Service is called so"
                        seen += nearest(host, chain.all("services"))
                        where, wanted = f"{c.place}.{field}", "the name of a Service"
                        return Broken(pod.owner, where, wanted, seen, proof, "kubectl get services")
                elif is_unknown and pod.spec.get("dnsPolicy") == "None":
                    seen = f"None, {line(pod.spec.get('dnsConfig'))}"
                    return Broken(pod.owner, f"{pod.root}.dnsPolicy", "ClusterFirst", seen, proof)
    return None


def callers(chain: Chain, service: Thing) -> list[Thing]:
    """Return the pods of the namespace that name a Service, without its own."""
    return [
        pod
        for pod in chain.all("pods")
        if not service.selector.items() <= pod.labels.items()
        and any(
            host == service.name and space in ("", service.space)
            for c in pod.containers
            for _, host, space in _names(c)
        )
    ]


def called_first(chain: Chain) -> list[Thing]:
    """Return the pods, those that others call first: what calls them may fail with them."""
    calls = {s.name: callers(chain, s) for s in chain.services()}
    called = {p.name for s in chain.services() if calls[s.name] for p in chain.selected(s)}
    return sorted(chain.pods(), key=lambda pod: pod.name not in called)


def _names(c: Container) -> Iterator[tuple[str, str, str]]:
    """Yield field, host and namespace of each service that a container's texts name."""
    texts = {f"env[{e['name']}]": str(e.get("value") or "") for e in c.spec.get("env") or []}
    texts |= {key: " ".join(c.spec.get(key) or []) for key in ("command", "args")}
    for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
        run = (c.spec.get(kind) or {}).get("exec") or {}
        texts[f"{kind}.exec.command"] = " ".join(run.get("command") or [])
    for field, text in texts.items():
        for pattern in _NAMED:
            yield from ((field, found[1], found[2] or "") for found in pattern.finditer(text))


def _has_address(chain: Chain, pod: Thing, host: str, space: str) -> bool:
    """Whether a name has an address, or one of which nothing can be said here."""
    is_foreign = bool(space) and not any(t.name == space for t in chain.objects["namespaces"])
    is_unread = "services" in chain.unread and space not in ("", chain.namespace)
    others = ["localhost", *(other.name for other in chain.all("pods"))]
    others += [name for alias in pod.spec.get("hostAliases") or [] for name in alias["hostnames"]]
    return is_foreign or is_unread or host in others or bool(chain.named("services", host, space))


def _is_held(chain: Chain, pod: Thing, c: Container) -> bool:
    """Whether a container ends again and again, or runs and gets nowhere."""
    running = c.state("running")
    waits = running and not pod.is_ready and not c.status.get("ready")
    late = chain.seconds_since(running.get("startedAt")) > _PATIENCE
    return bool(last_end(chain, pod, c) or (waits and late))
