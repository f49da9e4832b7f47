"""Containers that end: their command is not there, their memory is too small, or they say why."""

from __future__ import annotations

from course.measure.chain.dependency import called_first
from course.measure.chain.ends import last_end, last_words
from course.measure.chain.objects import Broken, Chain, Container, Thing, line, told
from course.measure.chain.rules import Rule, explain

_NOT_STARTED = ("StartError", "ContainerCannotRun", "RunContainerError")
_GOES_ON = "a process that goes on"
_WORDS = (
    Rule(r"no space left|disk (?:is )?full|disk quota", "volumeMounts", "room on the volume"),
    Rule("certificate|x509", "volumeMounts", "a certificate that is valid"),
    Rule("no such file|ENOENT|can(?:'t|not) open", "{files}", "the file where it is read"),
    Rule("permission denied|EACCES|read-only file", "securityContext", "the right to do it"),
    Rule(
        r"(?-i:\b(?!ERR_|MODULE_)([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b)",
        "env[{0}]",
        "a value that it starts with",
    ),
    Rule("", "{command}", _GOES_ON),
)


def crash(chain: Chain) -> Broken | None:
    """Name a container that ends, or never begins; what a probe kills is left to the probes."""
    for pod in called_first(chain):
        for c in pod.containers:
            end, held = last_end(chain, pod, c), c.state("waiting")
            if held.get("reason") in _NOT_STARTED and not end:
                end = {**held, "exitCode": 128}
            is_killed = chain.event(pod, "Killing", says=f"{c.name} failed")
            if end and (not is_killed or end.get("reason") == "OOMKilled"):
                return _why(chain, pod, c, end)
    for pod in chain.evicted():
        proof = told(chain.event(pod, "Evicted"))
        field, wanted = f"{pod.root}.volumes", "as much room as the pod fills"
        return Broken(pod.owner, field, wanted, line(pod.status.get("message", "")), proof)
    return None


def _why(chain: Chain, pod: Thing, c: Container, end: dict[str, object]) -> Broken:
    reason, code = str(end.get("reason")), end.get("exitCode") or 0
    own = [*(c.spec.get("command") or []), *(c.spec.get("args") or [])]
    command = next((key for key in ("command", "args") if c.spec.get(key)), "image")
    proof, words = (
        f"{c.name} of {pod.title} ended: {reason}, code {code}",
        last_words(chain, pod, c),
    )
    described = f"kubectl describe pod {pod.name}"
    if reason == "OOMKilled":
        limit = ((c.spec.get("resources") or {}).get("limits") or {}).get("memory", "no limit")
        seen, field = f"{limit}, and the kernel killed it for memory", "resources.limits.memory"
        wanted = "as much as the process needs"
        return Broken(pod.owner, f"{c.place}.{field}", wanted, seen, proof, described)
    if reason in _NOT_STARTED:
        # containerd puts what it was about to do in front of what went wrong.
        proof += f": {line(str(end.get('message')).rpartition('container process: ')[2])}"
        wanted, seen = "a command that the image has", " ".join(own) or str(c.spec["image"])
        return Broken(pod.owner, f"{c.place}.{command}", wanted, line(seen), proof, described)
    seen = f"it says: {line(words)}" if words else "it says nothing"
    look = f"kubectl logs {pod.name} -c {c.name} --previous"
    if not code:
        seen = f"it ends as if its work were done: {line(' '.join(own)) or c.spec['image']}"
        return Broken(pod.owner, f"{c.place}.{command}", _GOES_ON, seen, proof, look)
    default = Broken(pod.owner, c.place, "", seen, proof, look)
    files = "volumeMounts" if c.spec.get("volumeMounts") else command
    return explain(_WORDS, words, chain, {"command": command, "files": files}, default)
