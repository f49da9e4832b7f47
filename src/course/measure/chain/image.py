"""Images that a node cannot get; the reasons are of kubernetes/pkg/kubelet/images/types.go."""

from __future__ import annotations

from course.measure.chain.objects import Broken, Chain, line, told
from course.measure.chain.rules import Rule, explain

_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_REASONS |= {"ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}
_NO_REGISTRY = "a registry that answers"
_IN_REGISTRY = "an image that is in the registry"
_RULES = (
    Rule("pull policy of Never", "imagePullPolicy", "a policy that pulls", "Never, for {image}"),
    Rule("couldn't parse|invalid reference", "image", "the name of an image"),
    Rule("no such host|connection refused|timeout|timed out|x509", "image", _NO_REGISTRY),
    Rule("unauthorized|denied", "image", f"{_IN_REGISTRY}, and a login if it asks for one"),
    Rule("", "image", _IN_REGISTRY),
)


def image(chain: Chain) -> Broken | None:
    """Name an image that cannot be pulled."""
    for pod in chain.pods():
        for c in pod.containers:
            held = c.state("waiting")
            if held.get("reason") in _REASONS:
                # The state goes to and fro between two reasons; the event has the cause.
                called = str(c.spec.get("image"))
                event = chain.event(pod, "Failed", "InspectFailed", says=called)
                said = str((event or held).get("message") or held["reason"])
                proof = told(event) or line(f"{held['reason']} of {pod.title}: {said}")
                look = f"kubectl describe pod {pod.name}"
                default = Broken(pod.owner, c.place, "", called, proof, look)
                return explain(_RULES, said, chain, {"image": called}, default)
    return None
