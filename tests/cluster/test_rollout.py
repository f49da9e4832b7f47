"""course.rollout on the real cluster, in a namespace of its own that is removed after."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from course import engines
from course.addons import orders
from course.errors import CourseError
from course.rollout import Rollout
from course.run import runner

# It is ready as soon as it listens, and ends at once when it is asked to.
SERVER = "process.on('SIGTERM', process.exit); require('http').createServer((q, s) => s.end())"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """A repository of the registry with two tags of one image."""
    repository = f"{engines.environment()['REGISTRY']}/rollout-test"
    made = f"{engines.environment()['REGISTRY']}/orders:{orders.VERSION}"
    env = engines.environment()
    tags = [f"{repository}:{tag}" for tag in ("1.0.0", "1.1.0")]
    for name in tags:
        runner().run(["docker", "tag", made, name], timeout=60, env=env)
        runner().run(["docker", "push", "--quiet", name], timeout=120, env=env)
    yield repository
    for name in tags:
        runner().run(["docker", "rmi", name], timeout=60, env=env, check=False)


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace, and a kubeconfig whose context is in it."""
    name = f"rollout-test-{os.getpid()}"
    source = engines.environment()["KUBECONFIG"]
    kubectl("create", "namespace", name)
    config = yaml.safe_load(Path(source).read_text())
    config["contexts"][0]["context"]["namespace"] = name
    file = tmp_path_factory.mktemp("kube") / "config"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(config))
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(file)
    try:
        yield name
    finally:
        if before is None:
            del os.environ["KUBECONFIG"]
        else:
            os.environ["KUBECONFIG"] = before
        kubectl("delete", "namespace", name, "--wait=false")


def kubectl(*words: str, input: str | None = None) -> str:
    env = engines.environment() | (
        {"KUBECONFIG": os.environ["KUBECONFIG"]} if "KUBECONFIG" in os.environ else {}
    )
    return runner().run(["kubectl", *words], timeout=60, env=env, input=input).stdout


@pytest.fixture
def shop(namespace: str, image: str) -> Iterator[Rollout]:
    """A Deployment of two small pods, complete at version 1.0.0."""
    manifest: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 5,
            "selector": {"matchLabels": {"app": "shop"}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {
                    "terminationGracePeriodSeconds": 2,
                    "containers": [
                        {
                            "name": "shop",
                            "image": f"{image}:1.0.0",
                            "command": ["node", "-e", f"{SERVER}.listen(3000)"],
                            "readinessProbe": {
                                "httpGet": {"path": "/", "port": 3000},
                                "periodSeconds": 1,
                            },
                            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                        }
                    ],
                },
            },
        },
    }
    kubectl("apply", "-f", "-", input=yaml.safe_dump(manifest))
    try:
        made = Rollout("shop")
        deadline = time.monotonic() + 60
        # A node that is busy may pass the deadline of 5 s once; what counts is that it ends.
        while made.status().state != "complete":
            assert time.monotonic() < deadline, made.status()
            time.sleep(0.2)
        yield made
    finally:
        kubectl("delete", "deployment", "shop", "--wait=true")


def test_a_rollout_is_seen_pod_by_pod_and_agrees_with_kubectl(shop: Rollout, image: str) -> None:
    with shop.watch(maximum=90) as feed:
        assert shop.set_image(f"shop={image}:1.1.0") == "deployment.apps/shop image updated"
        status = shop.wait(60)
        said = kubectl("rollout", "status", "deployment/shop", "--timeout=20s")
        assert "successfully rolled out" in said
        deadline = time.monotonic() + 20
        while {pod.version for pod in feed.samples()[-1].pods} != {"1.1.0"}:
            assert time.monotonic() < deadline, feed.samples()[-1]
            time.sleep(0.1)
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
    assert shop.wait(60).version == "1.1.0"
    shop.undo()
    done = shop.wait(60)
    assert (done.state, done.version, done.revision) == ("complete", "1.0.0", 3)
    assert [r.number for r in shop.revisions()] == [2, 3]
    template = Rollout("shop")._deployment()["spec"]["template"]
    assert template["metadata"]["labels"] == {"app": "shop"}


def test_a_restart_is_a_new_revision_of_the_same_version(shop: Rollout) -> None:
    shop.restart()
    done = shop.wait(60)
    assert (done.version, done.revision) == ("1.0.0", 2)


def test_an_image_that_is_not_there_stalls_and_says_why(shop: Rollout, image: str) -> None:
    shop.set_image(f"shop={image}:9.9.9")
    status = shop.wait(60)
    assert (status.state, status.reason) == ("stalled", "ProgressDeadlineExceeded")
    assert status.waiting[0].reason in ("ImagePullBackOff", "ErrImagePull")
    assert status.available == 2
    # A kernel that died leaves nothing behind that a new one would need.
    Rollout("shop").undo()
    assert Rollout("shop").wait(60).state == "complete"


def test_env_is_set_and_taken_away(shop: Rollout) -> None:
    shop.set_env(ORDERS_VERSION="1.0.0-slow")
    assert shop.wait(60).version == "1.0.0-slow"
    shop.set_env(ORDERS_VERSION=None)
    assert shop.wait(60).version == "1.0.0"


def test_a_change_that_the_api_refuses_is_one_clear_message(shop: Rollout) -> None:
    with pytest.raises(CourseError, match="Invalid value") as caught:
        shop.patch({"spec": {"replicas": -1}})
    assert "\n" not in caught.value.saw


def test_a_deployment_that_goes_while_it_is_watched_is_gone(shop: Rollout) -> None:
    with shop.watch(maximum=60) as feed:
        kubectl("delete", "deployment", "shop")
        deadline = time.monotonic() + 20
        while feed.samples()[-1].status.state != "gone":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kubectl("create", "deployment", "shop", "--image=unused", "--replicas=0")
