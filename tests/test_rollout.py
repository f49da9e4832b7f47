"""course.rollout: what its objects say, what it changes, and its feed, on an API in memory."""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from course.errors import CourseError
from course.rollout import Feed, Rollout, Status
from course.rollout import status as reading
from course.rollout.api import ApiError, Kubernetes
from tests.loopback import reply, serving

MADE = "2026-01-01T00:00:00Z"
NOW = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
Object = dict[str, Any]


def template(image: str, **env: str) -> Object:
    variables = [{"name": key, "value": value} for key, value in env.items()]
    return {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {
            "containers": [{"name": "shop", "image": image, "env": variables}],
            "initContainers": [{"name": "migrate", "image": image}],
        },
    }


def deployment(image: str = "r/orders:1.0.0", *, revision: int = 1, **spec: Any) -> Object:
    return {
        "metadata": {
            "name": "shop",
            "uid": "d",
            "generation": 1,
            "annotations": {reading.REVISION: str(revision)},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template(image),
            **spec,
        },
        "status": {
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
        },
    }


def replicaset(revision: int, image: str, owner: str = "d") -> Object:
    made = copy.deepcopy(template(image))
    made["metadata"]["labels"][reading.HASH] = f"h{revision}"
    return {
        "metadata": {
            "name": f"shop-h{revision}",
            "uid": f"s{revision}",
            "annotations": {reading.REVISION: str(revision), "kubernetes.io/change-cause": "why"},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": made},
        "status": {"replicas": 2},
    }


def pod(name: str, revision: int = 1, image: str = "r/orders:1.0.0", **more: Any) -> Object:
    ready = more.pop("ready", True)
    waiting = more.pop("waiting", None)
    state: Object = {"waiting": waiting} if waiting else {"running": {}}
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": MADE,
            "ownerReferences": [{"uid": f"s{revision}", "controller": True}],
            **more,
        },
        "spec": template(image)["spec"],
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": 1, "state": state}],
        },
    }


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
        self.down = False
        self.lists = 0

    def get(self, kind: str, name: str) -> Object:
        if name not in self.things[kind]:
            raise ApiError(404, "not found")
        return copy.deepcopy(self.things[kind][name])

    def select(self, kind: str, query: dict[str, str]) -> Object:
        self.lists += 1
        if self.down:
            raise ApiError(0, "no Kubernetes API answers")
        items = list(self.things[kind].values())
        return {"items": copy.deepcopy(items), "metadata": {"resourceVersion": "1"}}

    def patch(self, kind: str, name: str, body: Any) -> Object:
        self.patches.append(body)
        return {}

    def watch(self, kind: str, query: dict[str, str], since: str, seconds: float) -> FakeEvents:
        if self.down:
            raise ApiError(0, "no Kubernetes API answers")
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
    assert reading.version(template("orders:1.0.0", LOG_LEVEL="debug")) == "1.0.0"


def test_pods_of_another_owner_with_the_same_label_are_left_out(api: Fake) -> None:
    sets = reading.owned(api.things["replicasets"].values(), "d")
    (found,) = reading.pods(api.things["pods"].values(), sets, NOW)
    assert (found.name, found.version, found.revision) == ("shop-h2-a", "1.1.0", 2)
    assert (found.phase, found.ready, found.restarts, found.age) == ("Running", True, 1, 30.0)


def test_a_pod_says_what_kubectl_says_of_it() -> None:
    sets = [replicaset(1, "r/orders:1.0.0")]
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    things = [
        pod("a", ready=True, deletionTimestamp=MADE),
        pod("b", ready=False, waiting=backoff),
        pod("c", ready=False, waiting={"reason": "ContainerCreating"}),
    ]
    found = reading.pods(things, sets, NOW)
    assert [p.phase for p in found] == ["Terminating", "ImagePullBackOff", "Pending"]
    assert [p.terminating for p in found] == [True, False, False]


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


def test_set_env_sets_and_takes_away(api: Fake) -> None:
    Rollout("shop", api=api).set_env(LOG_LEVEL="debug", OLD=None)
    (container,) = api.patches[0]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "shop"
    assert container["env"] == [
        {"name": "LOG_LEVEL", "value": "debug", "valueFrom": None},
        {"name": "OLD", "$patch": "delete"},
    ]
    with pytest.raises(CourseError, match="no variable"):
        Rollout("shop", api=api).set_env()


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


def test_with_one_revision_there_is_nothing_to_undo() -> None:
    api = Fake(("deployments", deployment()), ("replicasets", replicaset(1, "r/orders:1.0.0")))
    with pytest.raises(CourseError, match="nothing to undo"):
        Rollout("shop", api=api).undo()


def test_revisions_are_its_own_and_in_order(api: Fake) -> None:
    found = Rollout("shop", api=api).revisions()
    assert [(r.number, r.version) for r in found] == [(1, "1.0.0"), (2, "1.1.0")]


def test_a_wait_that_runs_out_says_what_it_waited_for(api: Fake) -> None:
    api.things["deployments"]["shop"]["status"]["updatedReplicas"] = 1
    with pytest.raises(CourseError, match=r"waited 0 s for the rollout of shop: 1 of 2"):
        Rollout("shop", api=api).wait(0)
    api.things["deployments"]["shop"]["spec"]["paused"] = True
    assert Rollout("shop", api=api).wait(0).state == "paused"


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


# -- the feed


def until(what: Any) -> None:
    deadline = time.monotonic() + 5
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
