"""Answers to the exercises of 11-rolling.

They wait until the shop is at rest, so that a check finds it so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import serving_old
from course.exercises.kit.shop import CONTAINER, NAME
from course.measure.rollout import Rollout, containers
from tests.bank import Answer

CAREFUL = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
READY = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 3}
SLEEP = {"preStop": {"sleep": {"seconds": 4}}}
Change = Callable[[Lab], None]


def rest(lab: Lab, wait: float = 45.0) -> None:
    """Until the shop is at rest, or goes no further."""
    with Rollout(NAME).watch() as feed:
        while feed.seconds < wait:
            last = feed.samples()[-1]
            leaving = serving_old(last.pods)
            if last.status.state in ("paused", "stalled") or (
                last.status.state == "complete" and not leaving
            ):
                return
            if last.status.waiting and feed.seconds > 3:
                return
            time.sleep(0.2)


def patch(
    *,
    spec: dict[str, Any] | None = None,
    pod: dict[str, Any] | None = None,
    container: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
) -> Change:
    """A strategic merge patch of the shop's Deployment."""
    changed = {"name": CONTAINER, **(container or {})}
    if env:
        changed["env"] = [{"name": name, "value": value} for name, value in env.items()]
    template = {"spec": {**(pod or {}), "containers": [changed]}}
    body = {"spec": {**(spec or {}), "template": template}}

    def apply(lab: Lab) -> None:
        lab.run("kubectl", "patch", "deployment", NAME, "--patch", json.dumps(body))
        rest(lab)

    return apply


def nothing(lab: Lab) -> None:
    """The start state as it is."""
    rest(lab)


def _edited(lab: Lab, *changes: tuple[str, str]) -> str:
    text = (lab.folder() / "shop.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def _applied(*changes: tuple[str, str]) -> Change:
    def apply(lab: Lab) -> None:
        lab.write("shop.yaml", _edited(lab, *changes))
        lab.run("kubectl", "apply", "-f", lab.folder() / "shop.yaml")
        rest(lab)

    return apply


def _paused(lab: Lab) -> None:
    patch(spec={"strategy": CAREFUL}, container={"readinessProbe": READY, "lifecycle": SLEEP})(lab)
    lab.run("kubectl", "rollout", "pause", f"deployment/{NAME}")


def _other_deployment(lab: Lab) -> None:
    """A Deployment that is right, and gets no traffic."""
    text = _edited(lab).split("---")
    old = (
        text[0]
        .replace(f"name: {NAME}\n", f"name: {NAME}-old\n")
        .replace(f"app: {NAME} }}", f"app: {NAME}-old }}")
    )
    service = text[1].replace(f"selector: {{ app: {NAME} }}", f"selector: {{ app: {NAME}-old }}")
    lab.write("old.yaml", "---".join([old, service]))
    lab.run("kubectl", "apply", "-f", lab.folder() / "old.yaml")
    lab.run("kubectl", "rollout", "status", f"deployment/{NAME}-old", "--timeout=40s")
    patch(spec={"strategy": CAREFUL}, container={"readinessProbe": READY, "lifecycle": SLEEP})(lab)


def _forged(lab: Lab) -> None:
    """The header that the check reads, written by the route."""
    header = [{"name": "x-orders-version", "value": "1.2.0"}]
    rule = {
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": header}}],
        "backendRefs": [{"name": NAME, "port": 80}],
    }
    body = json.dumps({"spec": {"rules": [rule]}})
    lab.run("kubectl", "patch", "httproute", NAME, "--type=merge", "--patch", body)
    patch(spec={"strategy": CAREFUL}, container={"readinessProbe": READY, "lifecycle": SLEEP})(lab)


_BY_SHELL = (
    "trap 'sleep 4; kill -TERM $node; wait $node' TERM; DRAIN_MS=10000 node dist/index.js & "
    "node=$!; wait $node"
)
_ASK = (
    "fetch('http://127.0.0.1:3000/').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
)


def _rolled_back(then: dict[str, Any] | None) -> Change:
    def apply(lab: Lab) -> None:
        lab.run("kubectl", "rollout", "undo", f"deployment/{NAME}")
        if then:
            lab.run("kubectl", "patch", "deployment", NAME, "--patch", json.dumps(then))
        rest(lab)

    return apply


def _only_paused(lab: Lab) -> None:
    lab.run("kubectl", "rollout", "pause", f"deployment/{NAME}")


def _only_noticed(lab: Lab) -> None:
    limit = json.dumps({"spec": {"progressDeadlineSeconds": 8}})
    lab.run("kubectl", "patch", "deployment", NAME, "--patch", limit)
    Rollout(NAME).wait(30)


def _stuck_pods_deleted(lab: Lab) -> None:
    limit = json.dumps({"spec": {"progressDeadlineSeconds": 8}})
    lab.run("kubectl", "patch", "deployment", NAME, "--patch", limit)
    bad = [
        p["metadata"]["name"] for p in lab.objects("pods", labelSelector=f"app={NAME}") if _waits(p)
    ]
    if bad:
        lab.run("kubectl", "delete", "pod", "--wait=false", *bad)
    rest(lab)


def _waits(pod: dict[str, Any]) -> bool:
    return "waiting" in containers.state(pod).get("state", {})


def _tag_filled(lab: Lab) -> None:
    bad = lab.recall("bad")
    lab.run("docker", "tag", f"{lab.registry}/{NAME}:1.1.0", bad)
    lab.run("docker", "push", "--quiet", bad)
    # The kubelet waits longer and longer between its attempts; a new pod tries at once.
    _stuck_pods_deleted(lab)
    Rollout(NAME).wait(30)
    rest(lab)


def _made_anew(lab: Lab) -> None:
    text = _edited(lab, ("spec:\n  replicas", "spec:\n  progressDeadlineSeconds: 8\n  replicas"))
    lab.write("shop.yaml", text)
    lab.run("kubectl", "delete", "deployment", NAME)
    lab.run("kubectl", "apply", "-f", lab.folder() / "shop.yaml")
    rest(lab)


def _forward(version: str) -> Change:
    def apply(lab: Lab) -> None:
        image = f"{lab.registry}/{NAME}:{version}"
        lab.run("kubectl", "set", "image", f"deployment/{NAME}", f"{CONTAINER}={image}")
        limit = json.dumps({"spec": {"progressDeadlineSeconds": 8}})
        lab.run("kubectl", "patch", "deployment", NAME, "--patch", limit)
        rest(lab)

    return apply


def _by_digest(lab: Lab) -> None:
    served = lab.manifest(NAME, "1.1.0")
    assert served
    image = f"{lab.registry}/{NAME}@{served[0]}"
    spec = {"progressDeadlineSeconds": 9}
    # Another template than the first: its pods are replaced one by one by the same image.
    patch(spec=spec, container={"image": image})(lab)


def _strategy(unavailable: int | str, surge: int | str, **more: Any) -> Change:
    rolling = {"type": "RollingUpdate"}
    figures = {"maxUnavailable": unavailable, "maxSurge": surge}

    def apply(lab: Lab) -> None:
        body = json.dumps({"spec": {"strategy": {**rolling, "rollingUpdate": figures}, **more}})
        lab.run("kubectl", "patch", "deployment", NAME, "--patch", body)
        rest(lab)

    return apply


def _decision(
    seconds: float = 13.0, peak: int = 4, rejected: int = 5, rejected_s: float = 24.0
) -> Change:
    figures = {
        "surge": {"seconds": rejected_s, "peak": rejected, "fewest_ready": 4},
        "unavailable": {"seconds": seconds, "peak": peak, "fewest_ready": 2},
    }

    def write(lab: Lab) -> None:
        text = json.dumps({"choice": "unavailable", "measured": figures})
        lab.write("decision.json", text)

    return write


def _restarted(lab: Lab) -> None:
    """Two releases, which leave what two measurements leave; nobody has to wait for the first."""
    for _ in range(2):
        lab.run("kubectl", "rollout", "restart", f"deployment/{NAME}")
        time.sleep(1.5)
    rest(lab)


def _measured_otherwise(lab: Lab) -> None:
    """Percentages in the manifest, releases by a setting and its undo, pods as the API has them."""
    old = "{ maxUnavailable: 0, maxSurge: 1 }"
    setting = ("set", "env", f"deployment/{NAME}", "MEASURED=once")
    undo = ("rollout", "undo", f"deployment/{NAME}")
    measured = {}
    for share, change in (("75%", setting), ("60%", undo)):
        text = _edited(lab, (old, f'{{ maxUnavailable: "{share}", maxSurge: 0 }}'))
        (lab.folder() / "applied.yaml").write_text(text)
        lab.run("kubectl", "apply", "-f", lab.folder() / "applied.yaml")
        rest(lab)
        began = time.monotonic()
        counts: list[tuple[int, int]] = []
        lab.run("kubectl", *change)
        while not counts or Rollout(NAME).status().state != "complete":
            pods = lab.objects("pods", labelSelector=f"app={NAME}")
            here = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
            counts.append((len(here), sum(_is_ready(pod) for pod in here)))
            time.sleep(0.2)
        measured[share] = {
            "seconds": time.monotonic() - began,
            "peak": max(there for there, _ in counts),
            "fewest_ready": min(ready for _, ready in counts),
        }
        rest(lab)
    lab.write("decision.json", json.dumps({"choice": "60%", "measured": measured}))


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _sidecar(lab: Lab, **more: Any) -> dict[str, Any]:
    """A container that does nothing, of an image that is there; a patch puts it in front."""
    ends = "process.on('SIGTERM', () => process.exit())"
    idle = ["node", "-e", f"setInterval(() => {{}}, 1e6); {ends}"]
    image = f"{lab.registry}/{NAME}:1.1.0"
    requests = {"requests": {"cpu": "5m", "memory": "32Mi"}}
    return {"name": "beside", "image": image, "command": idle, "resources": requests, **more}


def beside(
    *, shop: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **sidecar: Any
) -> Change:
    """A sidecar in front of the shop, with changes of both."""

    def apply(lab: Lab) -> None:
        own = [_sidecar(lab, **sidecar), {"name": CONTAINER, **(shop or {})}]
        body = {"spec": {**(spec or {}), "template": {"spec": {"containers": own}}}}
        lab.run("kubectl", "patch", "deployment", NAME, "--patch", json.dumps(body))
        first = Rollout(NAME)._deployment()["spec"]["template"]["spec"]["containers"][0]
        assert first["name"] == "beside"
        rest(lab)

    return apply


def _renamed(lab: Lab) -> None:
    """The solution, in a container of another name, behind a native sidecar of the shop's name."""
    at = "/spec/template/spec"
    native = _sidecar(lab, name=CONTAINER, restartPolicy="Always")
    changes = [
        {"op": "replace", "path": "/spec/strategy", "value": CAREFUL},
        {"op": "replace", "path": f"{at}/containers/0/name", "value": "web"},
        {"op": "add", "path": f"{at}/containers/0/readinessProbe", "value": READY},
        {"op": "add", "path": f"{at}/containers/0/lifecycle", "value": SLEEP},
        {"op": "add", "path": f"{at}/initContainers", "value": [native]},
    ]
    text = json.dumps(changes)
    lab.run("kubectl", "patch", "deployment", NAME, "--type=json", "--patch", text)
    drain = ("--containers=web", "DRAIN_MS=10000")
    lab.run("kubectl", "set", "env", f"deployment/{NAME}", *drain)
    rest(lab)


def _evicted(lab: Lab) -> None:
    """One pod fills its disk and is evicted; it stays in the list, and another takes its place."""
    limit = {"limits": {"ephemeral-storage": "20Mi", "memory": "256Mi"}}
    patch(container={"resources": limit})(lab)
    rest(lab)
    with Rollout(NAME).watch() as feed:
        name = next(pod.name for pod in feed.samples()[-1].pods if pod.ready and pod.counts)
        fill = "require('fs').writeFileSync('/tmp/fill', Buffer.alloc(5e7))"
        lab.run("kubectl", "exec", name, "--", "node", "-e", fill)
        while not any(pod.name == name and pod.finished for pod in feed.samples()[-1].pods):
            assert feed.seconds < 60, feed.samples()[-1]
            time.sleep(0.2)
    rest(lab)


def both(*changes: Change) -> Change:
    """One after the other."""

    def apply(lab: Lab) -> None:
        for change in changes:
            change(lab)

    return apply


BANK: dict[str, list[Answer]] = {
    "rolling-1": [
        Answer(
            "a sidecar in front that is probed, the shop as it was",
            beside(readinessProbe={"exec": {"command": ["true"]}}),
            "no-probe",
            "not-the-serving-object",
        ),
        Answer(
            "a probe, and all pods at once",
            patch(container={"readinessProbe": READY, "lifecycle": SLEEP}),
            "none-left",
            "works-once",
        ),
        Answer(
            "no time to leave",
            patch(spec={"strategy": CAREFUL}, container={"readinessProbe": READY}),
            "instant-exit",
            "works-once",
        ),
        Answer(
            "the slow start switched off",
            patch(
                spec={"strategy": CAREFUL},
                container={"lifecycle": SLEEP},
                env={"FAULT_START_MS": "0"},
            ),
            "slow-start-hidden",
            "symptom-hidden",
        ),
        Answer(
            "every pod on the node's own network",
            patch(pod={"hostNetwork": True}),
            "does-not-start",
            "special-cased",
        ),
        Answer(
            "a container of another name, behind a sidecar of the shop's",
            _renamed,
            "",
            "alternative",
        ),
        Answer("paused: nothing changes, nothing is lost", _paused, "paused", "symptom-hidden"),
        Answer(
            "a Deployment that nobody asks",
            _other_deployment,
            "not-behind-route",
            "not-the-serving-object",
        ),
        Answer("a version header by hand", _forged, "forged-version", "special-cased"),
        Answer(
            "as in the solution",
            patch(
                spec={"strategy": CAREFUL},
                container={"readinessProbe": READY, "lifecycle": SLEEP},
                env={"DRAIN_MS": "10000"},
            ),
            "",
            "solution",
        ),
        Answer(
            "a startup probe, a sleep of the shell, a pod less in place of a pod more",
            patch(
                spec={
                    "strategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
                    }
                },
                container={
                    "startupProbe": {**READY, "failureThreshold": 30},
                    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "4"]}}},
                },
            ),
            "",
            "alternative",
        ),
        Answer(
            "as many new pods as old ones, a command that asks, a shell that waits",
            patch(
                spec={
                    "replicas": 3,
                    "strategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"},
                    },
                },
                container={
                    "readinessProbe": {
                        "exec": {"command": ["node", "-e", _ASK]},
                        "timeoutSeconds": 3,
                    },
                    "command": ["sh", "-c", _BY_SHELL],
                },
            ),
            "",
            "alternative",
        ),
    ],
    "rolling-2": [
        Answer(
            "a probe of a sidecar's own, the shop's as it was",
            beside(readinessProbe={"exec": {"command": ["true"]}}),
            "lying-probe",
            "not-the-serving-object",
        ),
        Answer(
            "a wait after Ready",
            patch(spec={"minReadySeconds": 4}),
            "min-ready-only",
            "symptom-hidden",
        ),
        Answer(
            "a delay twice as long as the last start",
            patch(container={"readinessProbe": {"initialDelaySeconds": 4}}),
            "guessed-delay",
            "special-cased",
        ),
        Answer(
            "the port in place of the path",
            patch(container={"readinessProbe": {"httpGet": None, "tcpSocket": {"port": "http"}}}),
            "port-only",
            "warned-means",
        ),
        Answer(
            "the true probe, on a sidecar in front",
            beside(readinessProbe={"exec": {"command": ["node", "-e", _ASK]}, "timeoutSeconds": 3}),
            "",
            "alternative",
        ),
        Answer(
            "a path that is not there",
            patch(container={"readinessProbe": {"httpGet": {"path": "/ready"}}}),
            "never-ready",
            "wrong-name",
        ),
        Answer(
            "the slow start switched off",
            patch(env={"FAULT_START_MS": "0"}),
            "slow-start-hidden",
            "symptom-hidden",
        ),
        Answer(
            "the probe taken away",
            patch(container={"readinessProbe": None}),
            "no-probe",
            "symptom-hidden",
        ),
        Answer(
            "as in the solution",
            patch(container={"readinessProbe": {"httpGet": {"path": "/readyz"}}}),
            "",
            "solution",
        ),
        Answer(
            "a command that asks the service itself",
            patch(
                container={
                    "readinessProbe": {
                        "httpGet": None,
                        "exec": {"command": ["node", "-e", _ASK]},
                        "timeoutSeconds": 3,
                    }
                }
            ),
            "",
            "alternative",
        ),
        Answer(
            "a startup probe, readiness as it was",
            patch(container={"startupProbe": {**READY, "failureThreshold": 30}}),
            "",
            "alternative",
        ),
    ],
    "rolling-3": [
        Answer(
            "a sidecar in front that waits before it ends",
            beside(lifecycle=SLEEP),
            "instant-exit",
            "not-the-serving-object",
        ),
        Answer("draining alone", patch(env={"DRAIN_MS": "10000"}), "drain-only", "works-once"),
        Answer(
            "more grace for a process that does not use it",
            patch(pod={"terminationGracePeriodSeconds": 60}),
            "grace-unused",
            "symptom-hidden",
        ),
        Answer(
            "time for the gateway, none for the request",
            patch(container={"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}),
            "prestop-too-short",
            "works-once",
        ),
        Answer(
            "less work",
            patch(container={"lifecycle": SLEEP}, env={"FAULT_LATENCY_MS": "1"}),
            "latency-hidden",
            "symptom-hidden",
        ),
        Answer(
            "as in the solution",
            patch(container={"lifecycle": SLEEP}, env={"DRAIN_MS": "10000"}),
            "",
            "solution",
        ),
        Answer(
            "a sleep longer than the longest request",
            patch(container={"lifecycle": {"preStop": {"sleep": {"seconds": 6}}}}),
            "",
            "alternative",
        ),
        Answer(
            "a shell that takes the signal and waits",
            patch(container={"command": ["sh", "-c", _BY_SHELL]}),
            "",
            "alternative",
        ),
    ],
    "rolling-4": [
        Answer("nothing changed", nothing, "still-stuck", "stale"),
        Answer("the deadline, and no way back", _only_noticed, "only-noticed", "works-once"),
        Answer(
            "paused",
            _only_paused,
            "paused",
            "symptom-hidden",
        ),
        Answer(
            "back, and nobody notices the next", _rolled_back(None), "not-noticed", "works-once"
        ),
        Answer("the name filled with what is at hand", _tag_filled, "tag-filled", "warned-means"),
        Answer("forward to 1.2.0", _forward("1.2.0"), "other-version", "wrong-name"),
        Answer("made anew", _made_anew, "made-anew", "symptom-hidden"),
        Answer(
            "a deadline that good releases miss",
            _rolled_back({"spec": {"progressDeadlineSeconds": 1}}),
            "deadline-too-short",
            "special-cased",
        ),
        Answer(
            "as in the solution",
            _rolled_back({"spec": {"progressDeadlineSeconds": 8}}),
            "",
            "solution",
        ),
        Answer(
            "back, with a sidecar in front",
            both(
                _rolled_back({"spec": {"progressDeadlineSeconds": 8}}),
                beside(spec={"progressDeadlineSeconds": 9}),
            ),
            "",
            "alternative",
        ),
        Answer("the good image named again", _forward("1.1.0"), "", "alternative"),
        Answer("the good image by its digest, pod by pod", _by_digest, "", "alternative"),
    ],
    "rolling-5": [
        Answer("the careful one", both(nothing, _decision()), "too-many-pods", "stale"),
        Answer("one by one", both(_strategy(1, 0), _decision()), "too-slow", "works-once"),
        Answer("three at once", both(_strategy(3, 0), _decision()), "too-few-ready", "works-once"),
        Answer(
            "a smaller shop",
            both(_strategy(0, 1, replicas=3), _decision()),
            "replicas-changed",
            "symptom-hidden",
        ),
        Answer("no figures", _strategy(2, 0), "no-decision", "stale"),
        Answer(
            "figures of another release",
            both(_strategy(2, 0), _restarted, _decision(seconds=2.0)),
            "figures-differ",
            "special-cased",
        ),
        Answer(
            "nothing to compare with",
            both(_strategy(2, 0), _decision(rejected=4, rejected_s=13.0)),
            "no-comparison",
            "special-cased",
        ),
        Answer(
            "figures without a release",
            both(_strategy(2, 0), _decision()),
            "not-measured",
            "special-cased",
        ),
        Answer(
            "one made up beside one measured",
            both(_strategy(2, 0), _restarted, _decision(rejected_s=9.0)),
            "impossible-figures",
            "symptom-hidden",
        ),
        Answer(
            "as in the solution", both(_strategy(2, 0), _restarted, _decision()), "", "solution"
        ),
        Answer(
            "as in the solution, and a pod was evicted before",
            both(_evicted, _strategy(2, 0), _restarted, _decision()),
            "",
            "alternative",
        ),
        Answer(
            "in percent", both(_strategy("50%", "0%"), _restarted, _decision()), "", "alternative"
        ),
        Answer("measured by other means", _measured_otherwise, "", "alternative"),
    ],
}
