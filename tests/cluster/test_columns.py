"""course.measure.rollout.columns against the rows that a real API server prints."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from course.artifacts import orders_image
from course.core import environment
from course.measure.rollout.columns import columns
from tests import shop as shops
from tests.pod_rows import ROWS, drawn
from tests.shop import kubectl

DRAWN = 150
FINALIZER = "example.com/stays"
WORDS = {
    "Running",
    "Completed",
    "Error",
    "CrashLoopBackOff",
    "OOMKilled",
    "Init:0/1",
    "Init:Error",
    "Init:CrashLoopBackOff",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "Pending",
    "SchedulingGated",
    "NotReady",
    "Terminating",
}
IMAGE_WAITS = {"ErrImagePull", "ImagePullBackOff"}
WAIT = 150.0
Object = dict[str, Any]


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shops.namespace(tmp_path_factory.mktemp("kube")) as name:
        kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        yield name


def rows(namespace: str) -> list[tuple[Object, list[str]]]:
    """Each pod with the row that the server prints of it: one answer has both."""
    from kubernetes import config

    client = config.new_client_from_config(environment.environment()["KUBECONFIG"])
    answer = client.call_api(
        f"/api/v1/namespaces/{namespace}/pods",
        "GET",
        query_params=[("includeObject", "Object")],
        header_params={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
        auth_settings=["BearerToken"],
        _return_http_data_only=True,
        _preload_content=False,
        _request_timeout=(3, 20),
    )
    table = json.loads(answer.data)
    assert table["kind"] == "Table"
    return [(row["object"], [str(cell) for cell in row["cells"]][:5]) for row in table["rows"]]


def differ(thing: Object, printed: list[str], asked: datetime, had: datetime) -> str:
    """How our row differs from the server's, which it made between question and answer."""
    row = columns(thing)
    for late in range(int((had - asked).total_seconds()) + 2):
        ours = list(row.cells(asked + timedelta(seconds=late)))
        if ours == printed:
            return ""
    return f"{printed} is not {ours}: {json.dumps(thing['status'])[:600]}"


def compare(namespace: str) -> list[tuple[Object, list[str]]]:
    asked = datetime.now(UTC)
    found = rows(namespace)
    had = datetime.now(UTC)
    wrong = [said for thing, printed in found if (said := differ(thing, printed, asked, had))]
    assert not wrong, f"{len(wrong)} of {len(found)}:\n" + "\n".join(wrong)
    return found


def test_any_state_is_told_in_the_servers_own_words(namespace: str) -> None:
    things = [thing for thing, *_ in ROWS.values() if "spec" in thing]
    things += [drawn(seed) for seed in range(DRAWN)]
    leaving: list[str] = []
    for number, thing in enumerate(things):
        meta: Object = {"name": f"p{number}", "namespace": namespace, "labels": {"made": "up"}}
        if thing["metadata"].get("deletionTimestamp"):
            meta["finalizers"] = [FINALIZER]
            leaving.append(meta["name"])
        thing |= {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
        thing["spec"]["schedulerName"] = "nobody"  # no kubelet ever sees it
    kubectl("create", "-f", "-", input=listed(things))
    made = json.loads(kubectl("get", "pods", "-l", "made=up", "-o", "json"))["items"]
    told = {thing["metadata"]["name"]: thing["status"] for thing in things}
    for thing in made:
        thing["status"] |= told[thing["metadata"]["name"]]
    kubectl("replace", "--subresource=status", "-f", "-", input=listed(made))
    try:
        kubectl("delete", "pod", "--wait=false", *leaving)
        printed = [row for _, row in compare(namespace)]
        assert len(printed) == len(things)
        words = {row[2] for row in printed}
        assert {"Unknown", "Signal:9", "ContainerStatusUnknown", "SchedulingGated"} <= words
        assert any(" ago)" in row[3] for row in printed)
    finally:
        left = json.loads(kubectl("get", "pods", "-l", "made=up", "-o", "json"))["items"]
        for thing in left:
            thing["metadata"].pop("finalizers", None)
        kubectl("replace", "-f", "-", input=listed(left))
        kubectl("delete", "pods", "-l", "made=up", "--now", "--wait=false")


def listed(things: list[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": things})


def test_real_pods_are_told_in_the_servers_own_words_at_every_moment(namespace: str) -> None:
    things = list(real())
    kubectl("create", "-f", "-", input=listed(things))
    names = {thing["metadata"]["name"] for thing in things}
    kubectl("delete", "pod", "leaves", "--wait=false")
    seen: set[str] = set()
    evicted, restarted, deadline = False, False, time.monotonic() + WAIT
    try:
        while not (seen >= WORDS and seen & IMAGE_WAITS and evicted and restarted):
            assert time.monotonic() < deadline, (
                f"not seen: {WORDS - seen}, {evicted=}, {restarted=}"
            )
            for thing, (name, _, word, restarts, _) in compare(namespace):
                if name in names:
                    seen.add(word)
                # Its container has ended: that is the word, and not `Evicted`.
                evicted |= thing["status"].get("reason") == "Evicted"
                restarted |= name == "sidecar" and not restarts.startswith("0")
            time.sleep(0.2)
    finally:
        for name in names:
            # The others go with the namespace.
            if name == "leaves":
                kubectl(
                    "patch", "pod", name, "--type=merge", "-p", '{"metadata":{"finalizers":[]}}'
                )
        kubectl("delete", "pods", "-l", "made=real", "--now", "--wait=false")


def real() -> Iterator[Object]:
    """Pods that come to each of the words, of an image that the node has."""
    image = f"{environment.environment()['REGISTRY']}/orders:{orders_image.VERSION}"

    def container(code: str, name: str = "a", **more: Any) -> Object:
        small = {"requests": {"cpu": "5m", "memory": "16Mi"}}
        command = ["node", "-e", code]
        return {"name": name, "image": image, "command": command, "resources": small, **more}

    def pod(name: str, *own: Object, **spec: Any) -> Object:
        meta: Object = {"name": name, "labels": {"made": "real"}}
        if name == "leaves":
            meta["finalizers"] = [FINALIZER]
        spec = {"terminationGracePeriodSeconds": 1, "containers": list(own), **spec}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    stays, fails = "setInterval(() => {}, 1e6)", "process.exit(3)"
    never = {"restartPolicy": "Never"}
    yield pod("runs", container(stays))
    yield pod("done", container("0"), **never)
    yield pod("fails", container(fails), **never)
    yield pod("crashes", container(fails))
    hungry = "const all = []; setInterval(() => all.push(Buffer.alloc(2e7, 1)), 20)"
    limit = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "96Mi"}}
    for number in range(3):
        # Of a busy node the runtime may tell the end before its cause: then the word is `Error`.
        yield pod(f"hungry-{number}", container(hungry, resources=limit), **never)
    yield pod("init-fails", container(stays), initContainers=[container(fails, "i")])
    slow = "setTimeout(() => {}, 3000)"
    yield pod("init-slow", container(stays), initContainers=[container(slow, "i")])
    missing = f"{environment.environment()['REGISTRY']}/nowhere:0"
    yield pod("no-image", {"name": "a", "image": missing})
    yield pod("not-pulled", {"name": "a", "image": missing, "imagePullPolicy": "Never"})
    reference = {"configMapKeyRef": {"name": "nowhere", "key": "k"}}
    yield pod("no-config", container(stays, env=[{"name": "A", "valueFrom": reference}]))
    much = {"requests": {"cpu": "4000"}}
    yield pod("no-room", container(stays, resources=much))
    yield pod("gated", container(stays), schedulingGates=[{"name": "example.com/gate"}])
    yield pod("half-done", container("0"), container(stays, "b"), **never)
    sidecar = container("setTimeout(() => process.exit(1), 1500)", "s", restartPolicy="Always")
    yield pod("sidecar", container(stays), initContainers=[sidecar])
    room = {"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}
    fills = f"require('fs').writeFileSync('/d/f', Buffer.alloc(2e7)); {stays}"
    mount = [{"name": "d", "mountPath": "/d"}]
    yield pod("fills", container(fills, volumeMounts=mount), volumes=[room])
    yield pod("leaves", container(stays))
