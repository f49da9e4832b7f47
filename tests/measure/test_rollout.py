"""course.measure.rollout: what its objects say, what it changes, and its feed, on a fake API."""

from __future__ import annotations

import copy
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure.kube_api import ApiError, Kubernetes
from course.measure.rollout import Feed, Rollout, Status, containers, control
from course.measure.rollout import status as reading
from tests.deployments import MADE, Object, deployment, pod, replicaset, template
from tests.loopback import Answer, mixed, reply, serving
from tests.until import until

NOW = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)


class Fake:
    """An API in memory; a watch gives what `send` puts into it, and can be broken."""

    namespace = "learner"

    def __init__(self, *things: tuple[str, Object]) -> None:
        self.things: dict[str, dict[str, Object]] = {
            kind: {} for kind in ("deployments", "replicasets", "pods")
        }
        for kind, thing in things:
            self.things[kind][thing["metadata"]["name"]] = thing
        self.patches: list[Any] = []
        self.streams: dict[str, FakeEvents] = {}
        self.queries: dict[str, dict[str, str]] = {}
        self.down = False
        self.lists = 0
        self.calls: Counter[str] = Counter()

    def called(self, what: str) -> None:
        self.calls[what] += 1
        if self.down:
            raise ApiError(0, "no Kubernetes API answers")

    def get(self, kind: str, name: str) -> Object:
        self.called(f"get {kind}")
        if name not in self.things[kind]:
            raise ApiError(404, "not found")
        return copy.deepcopy(self.things[kind][name])

    def select(self, kind: str, query: dict[str, str]) -> Object:
        self.lists += 1
        self.called(f"list {kind}")
        named = query.get("fieldSelector", "").removeprefix("metadata.name=")
        items = [thing for name, thing in self.things[kind].items() if named in ("", name)]
        return {"items": copy.deepcopy(items), "metadata": {"resourceVersion": "1"}}

    def patch(self, kind: str, name: str, body: Any) -> Object:
        self.patches.append(body)
        return {}

    def watch(self, kind: str, query: dict[str, str], since: str, seconds: float) -> FakeEvents:
        self.called(f"watch {kind}")
        self.queries[kind] = query
        self.streams[kind] = FakeEvents()
        return self.streams[kind]

    def send(self, kind: str, type_: str, thing: Object) -> None:
        thing["metadata"].setdefault("resourceVersion", "2")
        self.streams[kind].queue.put({"type": type_, "object": thing})


class FakeEvents:
    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()

    def __iter__(self) -> Iterator[Object]:
        while True:
            event = self.queue.get(timeout=10)
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event

    def close(self) -> None:
        self.queue.put(None)


@pytest.fixture
def api() -> Fake:
    return Fake(
        ("deployments", deployment("r/orders:1.1.0", revision=2)),
        ("replicasets", replicaset(1, "r/orders:1.0.0")),
        ("replicasets", replicaset(2, "r/orders:1.1.0")),
        ("replicasets", replicaset(7, "r/orders:9", owner="another")),
        ("pods", pod("shop-h2-a", 2, "r/orders:1.1.0")),
        ("pods", pod("canary-x", 7, "r/orders:9")),
    )


# -- reading


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("orders", "latest"),
        ("orders:1.0.0", "1.0.0"),
        ("localhost:5001/orders", "latest"),
        ("localhost:5001/orders:1.1.0", "1.1.0"),
        ("localhost:5001/orders:1.1.0@sha256:0123456789abcdef", "1.1.0"),
        ("localhost:5001/orders@sha256:0123456789abcdef", "0123456789ab"),
        ("", "latest"),
    ],
)
def test_the_version_of_an_image_is_its_tag(image: str, expected: str) -> None:
    assert reading.tag(image) == expected


def test_the_variable_that_a_service_answers_with_comes_before_the_tag() -> None:
    assert reading.version(template("orders:1.0.0", ORDERS_VERSION="1.0.0-slow")) == "1.0.0-slow"


@pytest.mark.parametrize(
    ("value", "told"),
    [("$(A)-slow", "2-slow"), ("$$(A)", "$(A)"), ("$(B) $A $(A", "$(B) $A $(A"), ("$$$(A)", "$2")],
)
def test_a_variable_may_name_those_before_it_as_the_kubelet_reads_it(value: str, told: str) -> None:
    named = template("orders:1.0.0", A="2", ORDERS_VERSION=value, B="later")
    assert reading.version(named) == told
    assert reading.version(template("orders:1.0.0", LOG_LEVEL="debug")) == "1.0.0"


def test_pods_of_another_owner_with_the_same_label_are_left_out(api: Fake) -> None:
    sets = reading.owned(api.things["replicasets"].values(), "d")
    (found,) = reading.pods(api.things["pods"].values(), sets, NOW)
    assert (found.name, found.version, found.revision) == ("shop-h2-a", "1.1.0", 2)
    assert (found.phase, found.ready, found.restarts, found.age) == ("Running", True, 1, 30.0)


def test_a_pod_says_what_kubectl_says_of_it_and_columns_has_the_rest() -> None:
    sets = [replicaset(1, "r/orders:1.0.0")]
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    things = [
        pod("a", ready=True, deletionTimestamp=MADE),
        pod("b", ready=False, waiting=backoff),
        pod("c", ready=False, waiting={"reason": "ContainerCreating"}),
    ]
    found = reading.pods(things, sets, NOW)
    assert [p.phase for p in found] == ["Terminating", "ImagePullBackOff", "ContainerCreating"]
    assert [p.terminating for p in found] == [True, False, False]


@pytest.mark.parametrize(("phase", "reason"), [("Failed", "Evicted"), ("Succeeded", "")])
def test_a_finished_pod_is_listed_and_neither_ready_nor_waited_for(phase: str, reason: str) -> None:
    thing = pod("a", waiting={"reason": "ImagePullBackOff"})
    thing["status"] |= {"phase": phase, "reason": reason}
    sets = [replicaset(1, "r/orders:1.0.0")]
    (found,) = reading.pods([thing], sets, NOW)
    assert (found.finished, found.ready, found.terminating) == (True, False, False)
    assert reading.status(deployment(), sets, [thing]).waiting == ()


def test_restarts_are_counted_as_kubectl_does() -> None:
    thing = pod("a")
    thing["spec"]["initContainers"] = [{"name": "mesh", "image": "m", "restartPolicy": "Always"}]
    mesh = {"name": "mesh", "started": True, "ready": True, "restartCount": 3, "state": {}}
    thing["status"]["initContainerStatuses"] = [mesh]
    (found,) = reading.pods([thing], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert found.restarts == 4


def test_a_pod_of_a_node_whose_clock_is_ahead_keeps_its_place_and_has_no_age() -> None:
    early, late = pod("b"), pod("a", creationTimestamp="2026-01-01T00:10:05Z")
    early["metadata"]["creationTimestamp"] = "2026-01-01T00:10:00Z"
    found = reading.pods([late, early], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert [(p.name, p.age) for p in found] == [("b", 0.0), ("a", 0.0)]


def test_a_pod_belongs_to_its_controller_and_not_to_its_other_owners() -> None:
    other = {"uid": "x", "kind": "ConfigMap"}
    thing = pod("a", ownerReferences=[other, {"uid": "s1", "controller": True}])
    stray = pod("b", ownerReferences=[{"uid": "s1", "controller": False}])
    sets = [replicaset(1, "r/orders:1.0.0")]
    assert [p.name for p in reading.pods([thing, stray], sets, NOW)] == ["a"]


def test_a_pod_of_which_nothing_is_told_yet_is_there() -> None:
    thing = pod("a")
    del thing["status"], thing["metadata"]["creationTimestamp"]
    (found,) = reading.pods([thing], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert (found.phase, found.ready, found.restarts, found.age) == ("", False, 0, 0.0)


def test_a_pod_that_a_readiness_gate_holds_back_runs_and_is_not_ready() -> None:
    thing = pod("a", ready=False)
    gate = {"type": "example.com/gate", "status": "True"}
    thing["status"]["conditions"] = [gate, *thing["status"]["conditions"]]
    thing["status"]["containerStatuses"][0]["ready"] = True
    (found,) = reading.pods([thing], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert (found.phase, found.ready) == ("Running", False)


# -- which container is the service

MESH: Object = {
    "name": "mesh",
    "image": "r/mesh:9",
    "env": [{"name": "ORDERS_VERSION", "value": "9"}],
}
PORTS: Object = {"ports": [{"name": "http", "containerPort": 3000}]}


def with_containers(*own: Object, first: tuple[Object, ...] = (), chosen: str = "") -> Object:
    return {
        "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": chosen}},
        "spec": {
            "containers": list(own),
            "initContainers": list(first),
            "ephemeralContainers": [{"name": "shop", "image": "r/debug:7"}],
        },
    }


SHOP: Object = {"name": "shop", "image": "r/orders:1.1.0"}
WEB: Object = {"name": "web", "image": "r/orders:1.1.0"}
SIDECAR = {"restartPolicy": "Always"}
VERSION = [{"name": "ORDERS_VERSION", "value": "1.1.0"}]


@pytest.mark.parametrize(
    "thing",
    [
        with_containers(MESH, SHOP),
        with_containers(MESH, SHOP, chosen="mesh"),
        with_containers({**MESH, **PORTS}, {**SHOP, **PORTS}),  # two with the same port
        with_containers(MESH, {**WEB, **PORTS}),  # renamed
        with_containers(MESH, {**WEB, **PORTS}, first=({**MESH, "name": "shop"},)),
        with_containers({**WEB, **PORTS}, first=({**MESH, **SIDECAR, "name": "shop"},)),
        with_containers(MESH, first=({**SHOP, **SIDECAR},)),  # the service is a native sidecar
        with_containers(MESH, WEB, chosen="web"),
        with_containers(MESH, {**WEB, "ports": [{"containerPort": 3000}]}),
        with_containers({**MESH, "env": []}, {**WEB, "env": VERSION}),
        with_containers(WEB),
    ],
)  # fmt: skip
def test_the_service_is_found_by_its_name_and_not_by_its_place(thing: Object) -> None:
    assert reading.version(thing) == "1.1.0"
    assert containers.service(thing)["image"] == "r/orders:1.1.0"


def test_a_pod_without_a_container_has_no_version_and_is_no_crash() -> None:
    assert reading.version({"spec": {}}) == "latest"


def test_the_state_of_the_service_is_its_own_wherever_the_kubelet_puts_it() -> None:
    thing = with_containers(SHOP, {"name": "cache", "image": "r/cache"})
    states = [{"name": "cache", "imageID": "c"}, {"name": "shop", "imageID": "s"}]
    assert containers.state({**thing, "status": {"containerStatuses": states}})["imageID"] == "s"
    assert containers.state(thing) == {}


def test_a_selector_with_expressions_is_a_query() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "canary", "operator": "DoesNotExist"},
    ]
    thing = deployment(selector={"matchLabels": {"app": "shop"}, "matchExpressions": rules})
    assert reading.selector(thing) == "app=shop,tier in (a,b),!canary"


@pytest.mark.parametrize(
    ("change", "state", "message"),
    [
        ({}, "complete", "2 of 2 replicas updated and available"),
        ({"observedGeneration": 0}, "progressing", "the change has not been observed yet"),
        ({"updatedReplicas": 1}, "progressing", "1 of 2 replicas updated"),
        ({"replicas": 3}, "progressing", "1 old replica still there"),
        ({"availableReplicas": 1}, "progressing", "1 of 2 updated replicas available"),
        (
            {
                "updatedReplicas": 1,
                "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}],
            },
            "stalled",
            "no progress within 600 s: 1 of 2 replicas updated, 2 available",
        ),
    ],
)
def test_a_rollout_is_as_far_as_kubectl_says(change: Object, state: str, message: str) -> None:
    thing = deployment()
    thing["status"] |= change
    found = reading.status(thing, [replicaset(1, "r/orders:1.0.0")])
    assert (found.state, found.message) == (state, message)


def test_a_deployment_scaled_to_nothing_is_complete() -> None:
    thing = deployment(replicas=0)
    thing["status"] = {"observedGeneration": 1}
    found = reading.status(thing, [])
    assert (found.state, found.desired) == ("complete", 0)


def test_a_deployment_without_a_status_has_not_been_observed() -> None:
    thing = deployment()
    del thing["status"]
    assert reading.status(thing, []).message == "the change has not been observed yet"


def test_a_paused_rollout_is_paused_whatever_else_it_is() -> None:
    thing = deployment(paused=True)
    thing["status"]["updatedReplicas"] = 1
    assert reading.status(thing, []).state == "paused"


def test_a_stalled_rollout_names_the_pod_and_its_reason() -> None:
    thing = deployment("r/orders:9.9.9", revision=2)
    thing["status"]["conditions"] = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    sets = [replicaset(1, "r/orders:1.0.0"), replicaset(2, "r/orders:9.9.9")]
    things = [pod("old", 1, waiting=backoff), pod("new", 2, ready=False, waiting=backoff)]
    found = reading.status(thing, sets, things)
    assert [str(w) for w in found.waiting] == ["new: ImagePullBackOff: Back-off pulling image"]
    assert (found.reason, found.previous, found.version) == (reading.DEADLINE, 1, "9.9.9")
    assert "(ProgressDeadlineExceeded)\n  new: ImagePullBackOff" in repr(found)


def test_a_replicaset_that_may_make_no_pods_is_named() -> None:
    newest = replicaset(1, "r/orders:1.0.0")
    newest["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    ]
    found = reading.status(deployment(), [newest])
    assert [str(w) for w in found.waiting] == ["shop-h1: FailedCreate: quota"]


# -- control


def test_an_unknown_deployment_is_told_with_the_nearest_name(api: Fake) -> None:
    with pytest.raises(CourseError, match="no Deployment `shopp` in namespace `learner`; there is"):
        Rollout("shopp", api=api)


def test_set_image_reaches_the_containers_it_names(api: Fake) -> None:
    shop = Rollout("shop", api=api)
    shop.set_image("shop=r/orders:2", "migrate=r/orders:2")
    spec = api.patches[0]["spec"]["template"]["spec"]
    assert spec == {
        "containers": [{"name": "shop", "image": "r/orders:2"}],
        "initContainers": [{"name": "migrate", "image": "r/orders:2"}],
    }
    shop.set_image("*=r/orders:3")
    assert [c["image"] for group in api.patches[1]["spec"]["template"]["spec"].values()
            for c in group] == ["r/orders:3", "r/orders:3"]  # fmt: skip


@pytest.mark.parametrize("images", [(), ("orders:2",), ("=orders:2",), ("shop=",)])
def test_what_names_no_image_is_refused(api: Fake, images: tuple[str, ...]) -> None:
    with pytest.raises(CourseError, match="names no image"):
        Rollout("shop", api=api).set_image(*images)
    assert api.patches == []


def test_a_container_that_is_not_there_is_told_with_those_that_are(api: Fake) -> None:
    with pytest.raises(CourseError, match="has no container `web`") as caught:
        Rollout("shop", api=api).set_image("web=orders:2")
    assert caught.value.want == "one of: shop, migrate"


def test_what_stands_beside_the_service_is_not_changed_in_its_place(api: Fake) -> None:
    spec = api.things["deployments"]["shop"]["spec"]["template"]["spec"]
    spec["containers"].insert(0, copy.deepcopy(MESH))
    shop = Rollout("shop", api=api)
    with pytest.raises(CourseError) as caught:
        shop.set_image("orders:2")
    assert caught.value.try_ == 'set_image("shop=IMAGE")'
    shop.set_image("mesh=r/mesh:10")
    spec["containers"][0]["image"] = "r/mesh:10"
    assert shop.status().version == "1.1.0"


def test_a_change_that_changes_nothing_says_so(api: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, now = Rollout("shop", api=api), api.things["deployments"]["shop"]
    monkeypatch.setattr(api, "patch", lambda *_: copy.deepcopy(now))
    assert shop.set_image("shop=r/orders:1.1.0").endswith("image updated (no change)")
    assert shop.patch({}).endswith("patched (no change)")
    other = copy.deepcopy(now)
    other["metadata"]["labels"] = {"new": "1"}
    monkeypatch.setattr(api, "patch", lambda *_: other)
    assert shop.patch({"metadata": {"labels": {"new": "1"}}}).endswith("patched")


def test_a_restart_within_a_second_of_the_last_one_is_refused(
    api: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [datetime(2026, 1, 1, 0, 0, 30, 100_000, tzinfo=UTC)]
    monkeypatch.setattr(control, "datetime", type("D", (), {"now": lambda *_: at[0]}))
    shop, template = Rollout("shop", api=api), api.things["deployments"]["shop"]["spec"]["template"]
    assert shop.restart() == "deployment.apps/shop restarted"
    template["metadata"] |= api.patches[0]["spec"]["template"]["metadata"]
    at[0] = at[0].replace(microsecond=900_000)
    with pytest.raises(CourseError, match="has been restarted within the past second"):
        shop.restart()
    # kubectl writes the hour of its own place.
    note = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T02:00:30+02:00"}
    template["metadata"]["annotations"] = note
    with pytest.raises(CourseError, match="within the past second"):
        shop.restart()
    assert len(api.patches) == 1
    at[0] = at[0].replace(second=31)
    assert shop.restart() == "deployment.apps/shop restarted"


def test_pause_and_resume_refuse_what_is_so_already(api: Fake) -> None:
    shop = Rollout("shop", api=api)
    with pytest.raises(CourseError, match="not paused"):
        shop.resume()
    shop.pause()
    api.things["deployments"]["shop"]["spec"]["paused"] = True
    for action in (shop.pause, shop.undo, shop.restart):
        with pytest.raises(CourseError, match="is paused"):
            action()
    shop.resume()
    assert api.patches == [{"spec": {"paused": True}}, {"spec": {"paused": None}}]


def test_undo_goes_back_to_the_revision_before(api: Fake) -> None:
    api.things["deployments"]["shop"]["metadata"]["annotations"]["note"] = "of the present"
    said = Rollout("shop", api=api).undo()
    assert said == "deployment.apps/shop rolled back to revision 1 (1.0.0)"
    ((first, second),) = api.patches
    assert first["path"] == "/spec/template"
    assert first["value"] == template("r/orders:1.0.0")
    assert second["value"] == {reading.REVISION: "2", "kubernetes.io/change-cause": "why"}


def test_undo_to_a_revision_that_is_not_there_names_those_that_are(api: Fake) -> None:
    with pytest.raises(CourseError, match="no revision 5") as caught:
        Rollout("shop", api=api).undo(5)
    assert caught.value.want == "one of: 1, 2"


def test_undo_to_what_it_is_changes_nothing(api: Fake) -> None:
    assert "is revision 2 already" in Rollout("shop", api=api).undo(2)
    assert api.patches == []


def test_who_may_not_list_deployments_is_told_that_one_is_not_there(
    api: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Object:
        raise ApiError(403, "forbidden")

    monkeypatch.setattr(api, "select", refuse)
    with pytest.raises(CourseError, match="no Deployment `web` in namespace"):
        Rollout("web", api=api)


def test_with_one_revision_there_is_nothing_to_undo() -> None:
    api = Fake(("deployments", deployment()), ("replicasets", replicaset(1, "r/orders:1.0.0")))
    with pytest.raises(CourseError, match="nothing to undo"):
        Rollout("shop", api=api).undo()


def test_without_a_cluster_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(CourseError, match="engine is not running"):
        Kubernetes()


def kubeconfig(folder: Path, port: int) -> Path:
    file = folder / "config"
    file.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}],"
        f" clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{port}'}}}}],"
        " contexts: [{name: c, context: {cluster: k, user: u, namespace: mine}}]}"
    )
    return file


def test_an_api_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kubeconfig(tmp_path, 9)
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert Kubernetes().namespace == "mine"
    began = time.monotonic()
    with pytest.raises(CourseError, match=r"no Kubernetes API answers at http://127.0.0.1:9"):
        Rollout("shop")
    assert time.monotonic() - began < 3
    config.write_text("{")
    with pytest.raises(CourseError, match="cannot be used"):
        Kubernetes()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy"])
def test_an_api_on_loopback_is_asked_directly_whatever_proxy_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(reply("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        assert Kubernetes().get("deployments", "shop") == {}


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\nContent-Length: 99\n\n{",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    ],
)
def test_an_answer_that_is_cut_off_is_no_answer(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(reply(answer)) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        with pytest.raises(ApiError, match="no Kubernetes API answers") as caught:
            Kubernetes().get("deployments", "shop")
    assert caught.value.code == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "shop.localhost"])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
def test_the_api_of_this_machine_is_never_asked_through_a_proxy(
    variable: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with serving(said({"kind": "Pod"})) as server:
        config = kubeconfig(tmp_path, server.port)
        config.write_text(config.read_text().replace("127.0.0.1", host))
        monkeypatch.setenv("KUBECONFIG", str(config))
        if host == "shop.localhost":  # many resolvers do not know it
            assert Kubernetes()._client.configuration.proxy is None
        else:
            assert Kubernetes().get("pods", "a") == {"kind": "Pod"}


def test_an_api_elsewhere_is_asked_through_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    config = kubeconfig(tmp_path, 1)
    config.write_text(config.read_text().replace("127.0.0.1", "192.0.2.1"))
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert Kubernetes()._client.configuration.proxy == "http://127.0.0.1:9"


def said(thing: Object, status: str = "200 OK") -> Answer:
    text = json.dumps(thing)
    head = f"HTTP/1.1 {status}\nContent-Length: {len(text)}\nConnection: close"
    return reply(f"{head}\n\n{text}")


def test_a_list_in_parts_is_whole_and_begins_anew_when_its_rest_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = said({"items": [1], "metadata": {"continue": "t", "resourceVersion": "5"}})
    last = said({"items": [2], "metadata": {"resourceVersion": "5"}})
    gone = said({"message": "The provided continue parameter is too old"}, "410 Gone")
    with serving(mixed(first, gone, first, last)) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        found = Kubernetes().select("pods", {"labelSelector": "app=shop"})
        asked = [head.split("\r\n")[0] for head in server.heads]
    assert found["items"] == [1, 2]
    assert ["continue=t" in line for line in asked] == [False, True, False, True]
    assert all("labelSelector=app%3Dshop" in line for line in asked)


def test_a_list_whose_rest_expires_each_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(said({"message": "too old"}, "410 Gone")) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        with pytest.raises(ApiError, match="the API says 410: too old"):
            Kubernetes().select("pods", {})


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda api: api.select("replicasets", {}), "list replicasets"),
        (lambda api: api.get("pods", "a"), "get pods"),
        (lambda api: api.watch("pods", {}, "1", 1), "watch pods"),
        (lambda api: api.patch("deployments", "a", {}), "patch deployments"),
    ],
)
def test_a_right_that_is_missing_is_named(
    call: Any, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(said({"message": "pods is forbidden"}, "403 Forbidden")) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        with pytest.raises(ApiError, match="the API says 403: pods is forbidden") as caught:
            call(Kubernetes())
    assert caught.value.want == f"the right to {right} in namespace mine"
    assert caught.value.try_ == f"kubectl auth can-i {right} --namespace=mine"


# -- the feed


def states(feed: Feed) -> list[list[tuple[str, str, bool]]]:
    return [[(p.name, p.version, p.ready) for p in sample.pods] for sample in feed.samples()]


def test_a_feed_has_a_sample_for_each_change_and_none_for_what_changes_nothing(api: Fake) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        api.send("pods", "ADDED", pod("shop-h2-b", 2, "r/orders:1.1.0", ready=False))
        api.send("pods", "MODIFIED", pod("shop-h2-b", 2, "r/orders:1.1.0", ready=False))
        api.send("pods", "MODIFIED", pod("shop-h2-b", 2, "r/orders:1.1.0"))
        api.send("pods", "BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        api.send("pods", "DELETED", pod("shop-h2-a", 2, "r/orders:1.1.0"))
        until(lambda: len(feed.samples()) == 4)
    a, b = ("shop-h2-a", "1.1.0", True), ("shop-h2-b", "1.1.0", True)
    assert states(feed) == [[a], [a, ("shop-h2-b", "1.1.0", False)], [a, b], [b]]
    assert [s.at for s in feed.samples()] == sorted(s.at for s in feed.samples())
    assert feed.samples(since=3)[0].pods[0].name == "shop-h2-b"
    assert not feed.running
    assert feed.gaps == []


def test_a_deployment_that_is_deleted_is_gone_and_may_come_back(api: Fake) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        again = deployment("r/orders:1.1.0")
        api.send("deployments", "DELETED", deployment("r/orders:1.1.0", revision=2))
        until(lambda: feed.samples()[-1].status.state == "gone")
        again["metadata"]["uid"] = "d2"
        api.send("deployments", "ADDED", again)
        until(lambda: feed.samples()[-1].status.state == "complete")
        assert feed.samples()[-1].pods == ()


def test_a_deployment_made_anew_with_another_selector_is_followed(api: Fake) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        former = api.streams["pods"]
        again = deployment("r/orders:2.0.0", selector={"matchLabels": {"app": "shop-2"}})
        again["metadata"]["uid"] = "d2"
        anew = replicaset(1, "r/orders:2.0.0", owner="d2")
        anew["metadata"] |= {"name": "shop-n1", "uid": "n1"}
        made = pod("shop-n1-a", image="r/orders:2.0.0")
        made["metadata"]["ownerReferences"][0]["uid"] = "n1"
        api.things |= {"replicasets": {"shop-n1": anew}, "pods": {"shop-n1-a": made}}
        api.send("deployments", "DELETED", deployment("r/orders:1.1.0", revision=2))
        api.send("deployments", "ADDED", again)
        until(lambda: [p.name for p in feed.samples()[-1].pods] == ["shop-n1-a"])
        until(lambda: api.streams["pods"] is not former)
        assert api.queries["pods"] == {"labelSelector": "app=shop-2"}
        assert api.queries["replicasets"] == {"labelSelector": "app=shop-2"}
        assert (feed.samples()[-1].status.state, feed.trouble) == ("complete", "")
        assert {gap.why for gap in feed.gaps} == {
            "Deployment shop was made anew with another selector"
        }
        # And what happens to the new one's pods is seen.
        made["metadata"]["deletionTimestamp"] = MADE
        api.send("pods", "MODIFIED", made)
        until(lambda: feed.samples()[-1].pods[0].terminating)


def test_a_pod_that_came_back_under_its_name_stays_when_the_former_is_gone(api: Fake) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        api.send("pods", "ADDED", pod("shop-h2-a", 2, "r/orders:1.1.0", uid="new", ready=False))
        api.send("pods", "DELETED", pod("shop-h2-a", 2, "r/orders:1.1.0", uid="old"))
        api.send("pods", "ADDED", pod("shop-h2-b", 2, "r/orders:1.1.0"))
        until(lambda: len(feed.samples()[-1].pods) == 2)


def test_a_connection_that_is_lost_is_a_gap_and_nothing_is_missed(api: Fake) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        api.down = True
        api.streams["pods"].queue.put(ApiError(0, "no Kubernetes API answers"))
        until(lambda: feed.trouble)
        api.things["pods"]["new"] = pod("new", 2, "r/orders:1.1.0")
        api.down = False
        until(lambda: "new" in {p.name for p in feed.samples()[-1].pods})
        until(lambda: not feed.trouble)
        (gap,) = feed.gaps
        assert gap.seconds > 0
        assert "no Kubernetes API answers" in gap.why


def test_a_watch_that_the_api_has_forgotten_is_listed_anew(api: Fake) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        listed, old = api.lists, api.streams["pods"]
        api.things["pods"]["new"] = pod("new", 2, "r/orders:1.1.0")
        expired = {"kind": "Status", "code": 410, "message": "too old resource version"}
        old.queue.put({"type": "ERROR", "object": expired})
        until(lambda: "new" in {p.name for p in feed.samples()[-1].pods})
        assert api.lists == listed + 1
        until(lambda: feed.gaps)
        assert feed.gaps[0].seconds >= 0.2
        assert "too old resource version" in feed.gaps[0].why


def test_an_api_that_ends_each_watch_at_once_is_asked_with_pauses(
    api: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rollout("shop", api=api).watch() as feed:
        until(lambda: len(api.streams) == 3)
        listed, watch = api.lists, api.watch

        def refuse(*args: Any) -> FakeEvents:
            stream = watch(*args)
            stream.queue.put({"type": "ERROR", "object": {"kind": "Status", "code": 500}})
            return stream

        monkeypatch.setattr(api, "watch", refuse)
        api.streams["pods"].queue.put(None)
        until(lambda: "500" in feed.trouble)
        time.sleep(0.5)
        assert api.lists - listed <= 3


def test_a_feed_ends_at_its_deadline_and_leaves_no_thread(api: Fake) -> None:
    before = threading.active_count()
    feed = Rollout("shop", api=api).watch(maximum=0.05)
    until(lambda: not feed.running)
    until(lambda: threading.active_count() == before)


def test_a_machine_that_slept_is_a_gap(api: Fake) -> None:
    ahead = [0.0]
    feed = Feed(api, "shop", wall=lambda: time.time() + ahead[0])
    ahead[0] = 60.0
    until(lambda: feed.gaps)
    feed.stop()
    assert feed.gaps[0].why == "the machine slept for 60 s"


def test_a_status_shows_itself() -> None:
    assert repr(Status("complete", "2 of 2")) == "complete: 2 of 2"


# -- waiting

BY_LIST_AND_WATCH = {
    f"{verb} {kind}": 1
    for verb in ("list", "watch")
    for kind in ("deployments", "replicasets", "pods")
}


@pytest.fixture
def waiter() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def part(updated: int, *, revision: int = 2) -> Object:
    """The Deployment with so many of its two replicas updated."""
    thing = deployment("r/orders:1.1.0", revision=revision)
    thing["status"]["updatedReplicas"] = updated
    return thing


def change(api: Fake, thing: Object) -> None:
    api.things["deployments"]["shop"] = thing
    api.send("deployments", "MODIFIED", thing)


def watched(api: Fake, waiting: Future[Status]) -> None:
    until(lambda: len(api.streams) == 3 or waiting.done())
    assert not waiting.done()


def test_a_wait_asks_no_more_than_a_list_and_a_watch_of_each_kind(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    shop, before = Rollout("shop", api=api), threading.active_count() + 1
    api.things["deployments"]["shop"] = part(0)
    api.calls.clear()
    waiting = waiter.submit(shop.wait, 30)
    watched(api, waiting)
    for number in range(20):
        api.send("pods", "ADDED", pod(f"shop-h2-{number}", 2, "r/orders:1.1.0", ready=False))
    change(api, part(1))
    time.sleep(0.3)
    assert not waiting.done()
    change(api, part(2))
    assert waiting.result(5).state == "complete"
    assert api.calls == BY_LIST_AND_WATCH
    assert threading.active_count() <= before


def test_a_wait_for_what_has_ended_already_ends_at_once(api: Fake) -> None:
    shop = Rollout("shop", api=api)
    api.calls.clear()
    assert shop.wait(30).message == "2 of 2 replicas updated and available"
    assert api.calls <= Counter(BY_LIST_AND_WATCH)


def test_a_wait_uses_the_feed_that_runs_and_leaves_it_running(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    api.things["deployments"]["shop"] = part(0)
    shop = Rollout("shop", api=api)
    with shop.watch() as feed:
        until(lambda: len(api.streams) == 3)
        api.calls.clear()
        waiting = waiter.submit(shop.wait, 30)
        change(api, part(1))
        change(api, part(2))
        assert waiting.result(5).state == "complete"
        assert feed.running
        assert api.calls == {"get deployments": 1}


def test_a_wait_is_not_over_while_its_feed_has_not_seen_the_last_change(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    shop = Rollout("shop", api=api)
    with shop.watch() as feed:
        until(lambda: len(api.streams) == 3)
        api.things["deployments"]["shop"] = part(0, revision=3)
        api.calls.clear()
        waiting = waiter.submit(shop.wait, 30)
        until(lambda: api.calls["get deployments"])
        assert feed.samples()[-1].status.state == "complete"
        change(api, part(1, revision=3))
        change(api, part(2, revision=3))
        assert waiting.result(5).revision == 3


def test_a_wait_whose_feed_is_stopped_goes_on_with_one_of_its_own(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    api.things["deployments"]["shop"] = part(0)
    shop = Rollout("shop", api=api)
    feed = shop.watch()
    until(lambda: len(api.streams) == 3)
    waiting = waiter.submit(shop.wait, 30)
    former = dict(api.streams)
    feed.stop()
    until(lambda: all(api.streams[kind] is not former[kind] for kind in former))
    change(api, part(2))
    assert waiting.result(5).state == "complete"


def test_a_question_is_asked_again_when_something_changes(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    with Feed(api, "shop") as feed:
        asked = waiter.submit(feed.until, lambda: feed.samples(-1)[0].status.state == "gone", 20)
        api.send("deployments", "DELETED", api.things["deployments"]["shop"])
        assert asked.result(timeout=10) is True


def test_a_question_that_stays_wrong_ends_with_its_time_or_with_the_feed(api: Fake) -> None:
    with Feed(api, "shop") as feed:
        assert feed.until(lambda: 0, 0.05) == 0
    assert feed.until(lambda: "", 60) == ""


def test_a_wait_that_runs_out_says_what_it_waited_for(api: Fake) -> None:
    api.things["deployments"]["shop"] = part(1)
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off"}
    api.things["pods"]["b"] = pod("b", 2, "r/orders:1.1.0", ready=False, waiting=backoff)
    said = r"waited 0 s for the rollout of shop: 1 of 2 .*\n      b: ImagePullBackOff: Back-off"
    with pytest.raises(CourseError, match=said):
        Rollout("shop", api=api).wait(0)
    shop = Rollout("shop", api=api)
    with shop.watch(), pytest.raises(CourseError, match=said):
        shop.wait(0)
    api.things["deployments"]["shop"]["spec"]["paused"] = True
    assert Rollout("shop", api=api).wait(0).state == "paused"


def test_a_wait_ends_at_its_deadline(api: Fake) -> None:
    api.things["deployments"]["shop"] = part(1)
    shop, began = Rollout("shop", api=api), time.monotonic()
    with pytest.raises(CourseError, match="waited 1 s"):
        shop.wait(0.6)
    assert 0.6 <= time.monotonic() - began < 2


def test_a_rollout_that_stalls_ends_a_wait(api: Fake, waiter: ThreadPoolExecutor) -> None:
    api.things["deployments"]["shop"] = part(1)
    waiting = waiter.submit(Rollout("shop", api=api).wait, 30)
    watched(api, waiting)
    thing = part(1)
    thing["status"]["conditions"] = [{"type": "Progressing", "reason": reading.DEADLINE}]
    change(api, thing)
    assert (waiting.result(5).state, waiting.result().reason) == ("stalled", reading.DEADLINE)


def test_a_deployment_that_goes_while_it_is_waited_for_is_told(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    api.things["deployments"]["shop"] = part(1)
    waiting = waiter.submit(Rollout("shop", api=api).wait, 30)
    watched(api, waiting)
    api.send("deployments", "DELETED", api.things["deployments"].pop("shop"))
    with pytest.raises(CourseError, match="no Deployment `shop` in namespace `learner`"):
        waiting.result(5)


def test_a_deployment_that_is_gone_is_told_with_the_nearest_name(api: Fake) -> None:
    shop = Rollout("shop", api=api)
    api.things["deployments"] = {"shop-2": {"metadata": {"name": "shop-2"}}}
    for action in (shop.watch, lambda: shop.wait(30)):
        with pytest.raises(CourseError, match=r"no Deployment `shop` .*; there is `shop-2`"):
            action()


def test_an_api_that_does_not_answer_for_a_moment_says_nothing_of_a_rollout(
    api: Fake, waiter: ThreadPoolExecutor
) -> None:
    api.things["deployments"]["shop"] = part(1)
    shop = Rollout("shop", api=api)
    api.down = True
    waiting = waiter.submit(shop.wait, 30)
    until(lambda: api.calls["list deployments"] > 1)
    api.down = False
    watched(api, waiting)
    # And once more while it waits; what ended meanwhile is found after.
    api.down = True
    for stream in list(api.streams.values()):
        stream.queue.put(ApiError(0, "no Kubernetes API answers"))
    time.sleep(0.3)
    assert not waiting.done()
    api.things["deployments"]["shop"] = part(2)
    api.down = False
    assert waiting.result(5).state == "complete"


@pytest.mark.parametrize("from_the_start", [True, False])
def test_an_api_that_stays_away_until_the_deadline_is_told(
    api: Fake, waiter: ThreadPoolExecutor, *, from_the_start: bool
) -> None:
    api.things["deployments"]["shop"] = part(1)
    shop = Rollout("shop", api=api)
    api.down = from_the_start
    waiting = waiter.submit(shop.wait, 0.7)
    if not from_the_start:
        watched(api, waiting)
        api.down = True
        api.streams["deployments"].queue.put(ApiError(0, "no Kubernetes API answers"))
    with pytest.raises(ApiError, match="no Kubernetes API answers"):
        waiting.result(5)


@pytest.mark.parametrize("call", ["select", "watch"])
def test_a_right_that_is_missing_ends_a_wait_at_once(
    api: Fake, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    api.things["deployments"]["shop"] = part(1)
    shop, began = Rollout("shop", api=api), time.monotonic()

    def refuse(*_: Any) -> Any:
        raise ApiError(403, "pods is forbidden", "the right to it")

    monkeypatch.setattr(api, call, refuse)
    with pytest.raises(ApiError, match="pods is forbidden"):
        shop.wait(30)
    assert time.monotonic() - began < 3
