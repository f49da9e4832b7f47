"""course.measure.rollout on the real cluster, in a namespace of its own that is removed after."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from course.core.errors import CourseError
from course.measure.rollout import Rollout
from tests import shop as shops
from tests.shop import WAIT, kubectl
from tests.until import until


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shops.images() as repository, shops.namespace(tmp_path_factory.mktemp("kube")):
        yield repository


@pytest.fixture
def shop(image: str) -> Iterator[Rollout]:
    with shops.deployed(image) as made:
        yield made


def test_a_rollout_is_seen_pod_by_pod_and_agrees_with_kubectl(shop: Rollout, image: str) -> None:
    with shop.watch(maximum=2 * WAIT) as feed:
        assert shop.set_image(f"shop={image}:1.1.0") == "deployment.apps/shop image updated"
        status = shop.wait(WAIT)
        said = kubectl("rollout", "status", "deployment/shop", "--timeout=20s")
        assert "successfully rolled out" in said
        until(lambda: {pod.version for pod in feed.samples()[-1].pods} == {"1.1.0"})
    assert (status.state, status.version, status.revision) == ("complete", "1.1.0", 2)
    samples = feed.samples()
    # maxUnavailable 0, maxSurge 1: never fewer than two ready, never more than three running.
    ready = [sum(p.ready and not p.terminating for p in s.pods) for s in samples]
    alive = [sum(not p.terminating for p in s.pods) for s in samples]
    assert min(ready) >= 2
    assert max(alive) == 3
    mixed = [s for s in samples if {p.version for p in s.pods if p.ready} == {"1.0.0", "1.1.0"}]
    assert mixed
    assert any(p.terminating and p.phase == "Terminating" for s in samples for p in s.pods)
    assert {p.revision for p in samples[-1].pods} == {2}
    assert samples[0].status.state == "complete"
    assert {"progressing"} <= {s.status.state for s in samples}
    assert feed.gaps == []


def test_pause_resume_and_undo_do_what_they_say(shop: Rollout, image: str) -> None:
    shop.pause()
    shop.set_image(f"shop={image}:1.1.0")
    time.sleep(2)
    assert shop.status().state == "paused"
    assert shop.status().revision == 1
    with pytest.raises(CourseError, match="is paused"):
        shop.undo()
    shop.resume()
    assert shop.wait(WAIT).version == "1.1.0"
    shop.undo()
    done = shop.wait(WAIT)
    assert (done.state, done.version, done.revision) == ("complete", "1.0.0", 3)
    template = Rollout("shop")._deployment()["spec"]["template"]
    assert template["metadata"]["labels"] == {"app": "shop"}


def test_a_restart_is_a_new_revision_of_the_same_version(shop: Rollout) -> None:
    shop.restart()
    done = shop.wait(WAIT)
    assert (done.version, done.revision) == ("1.0.0", 2)


def test_a_second_restart_within_a_second_is_refused_as_kubectl_refuses_it(shop: Rollout) -> None:
    time.sleep(1 - time.time() % 1)  # a second begins
    shop.restart()
    made = shop._deployment()["metadata"]["generation"]
    with pytest.raises(CourseError, match="within the past second"):
        shop.restart()
    assert shop._deployment()["metadata"]["generation"] == made
    assert shop.patch({"metadata": {"labels": {"none": None}}}).endswith("(no change)")
    assert shop.wait(WAIT).revision == 2


def test_a_deployment_made_anew_with_another_selector_is_followed(shop: Rollout) -> None:
    thing = json.loads(kubectl("get", "deployment", "shop", "--output=json"))
    former = thing["metadata"]["uid"]
    thing["metadata"] = {"name": "shop"}
    thing["spec"]["selector"] = {"matchLabels": {"app": "shop-anew"}}
    thing["spec"]["template"]["metadata"]["labels"] = {"app": "shop-anew"}
    with shop.watch(maximum=2 * WAIT) as feed:
        kubectl("delete", "deployment", "shop", "--wait=true")
        kubectl("create", "-f", "-", input=json.dumps(thing))
        assert shop._deployment()["metadata"]["uid"] != former
        until(lambda: sum(pod.ready for pod in feed.samples()[-1].pods) >= 2, wait=WAIT)
        shown = {pod.name for pod in feed.samples()[-1].pods}
        listed = kubectl("get", "pods", "-l", "app=shop-anew", "--output=name").split()
        assert {name.removeprefix("pod/") for name in listed} == shown
        assert not feed.trouble
        assert any("another selector" in gap.why for gap in feed.gaps)


def test_an_image_that_is_not_there_stalls_and_says_why(shop: Rollout, image: str) -> None:
    shop.patch({"spec": {"progressDeadlineSeconds": 5}})
    shop.set_image(f"shop={image}:9.9.9")
    status = shop.wait(WAIT)
    assert (status.state, status.reason) == ("stalled", "ProgressDeadlineExceeded")
    assert status.waiting[0].reason in ("ImagePullBackOff", "ErrImagePull")
    assert status.available == 2
    # A kernel that died leaves nothing behind that a new one would need.
    shop.patch({"spec": {"progressDeadlineSeconds": 120}})
    Rollout("shop").undo()
    assert Rollout("shop").wait(WAIT).state == "complete"


def test_a_change_that_the_api_refuses_is_one_clear_message(shop: Rollout) -> None:
    with pytest.raises(CourseError, match="Invalid value") as caught:
        shop.patch({"spec": {"replicas": -1}})
    assert "\n" not in caught.value.saw


def test_who_may_not_list_replicasets_is_told_the_right_that_is_missing(
    shop: Rollout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "role", "reader", "--verb=get,list,watch", "--resource=deployments.apps")
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    namespace = config["contexts"][0]["context"]["namespace"]
    account = f"--serviceaccount={namespace}:reader"
    kubectl("create", "rolebinding", "reader", "--role=reader", account)
    config["users"][0]["user"] = {"token": kubectl("create", "token", "reader").strip()}
    file = tmp_path / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(config))
    with monkeypatch.context() as patch:
        patch.setenv("KUBECONFIG", str(file))
        with pytest.raises(CourseError, match=r"403: replicasets\.apps is forbidden") as caught:
            Rollout("shop").watch()
    assert caught.value.want == f"the right to list replicasets in namespace {namespace}"


def test_a_deployment_that_goes_while_it_is_watched_is_gone(shop: Rollout) -> None:
    with shop.watch(maximum=60) as feed:
        kubectl("delete", "deployment", "shop")
        until(lambda: feed.samples()[-1].status.state == "gone")
        kubectl("create", "deployment", "shop", "--image=unused", "--replicas=0")
