"""course.measure.rollout.feed: what a fake API sends, and the gaps in it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from course.measure.kube_api import ApiError
from course.measure.rollout import Feed, Rollout
from tests.deployments import MADE, deployment, pod, replicaset
from tests.measure.fake_api import Fake, FakeEvents
from tests.until import until


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


def test_a_question_is_asked_again_when_something_changes(api: Fake) -> None:
    with Feed(api, "shop") as feed, ThreadPoolExecutor() as waiter:
        asked = waiter.submit(feed.until, lambda: feed.samples(-1)[0].status.state == "gone", 20)
        api.send("deployments", "DELETED", api.things["deployments"]["shop"])
        assert asked.result(timeout=10) is True


def test_a_question_that_stays_wrong_ends_with_its_time_or_with_the_feed(api: Fake) -> None:
    with Feed(api, "shop") as feed:
        assert feed.until(lambda: 0, 0.05) == 0
    assert feed.until(lambda: "", 60) == ""
