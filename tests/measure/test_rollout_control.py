"""course.measure.rollout.control: what it changes, refuses and waits for, on a fake API."""

from __future__ import annotations

import copy
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure.kube_api import ApiError
from course.measure.rollout import Rollout, Status, control
from course.measure.rollout import status as reading
from tests.deployments import Object, deployment, pod, replicaset, template
from tests.measure.fake_api import Fake
from tests.until import until

MESH: Object = {
    "name": "mesh",
    "image": "r/mesh:9",
    "env": [{"name": "ORDERS_VERSION", "value": "9"}],
}


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
