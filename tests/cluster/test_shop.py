"""The labs' shop on the real cluster: known again after a rollout whose kernel died."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from course.core import environment
from course.core.process import default_runner
from course.exercises.kit import exercise, probe_release, start
from course.exercises.kit.lab import Lab
from course.exercises.kit.shop import NAME, Shop
from course.measure import traffic
from course.measure.rollout import Rollout, containers
from tests.exercises import shops
from tests.until import until

# As a lesson does, and then the kernel is gone: traffic runs, a rollout is half-way and paused.
DIES = f"""
import os, signal, sys, time
from course.exercises.kit import start
from course.exercises.kit.lab import Lab
from course.exercises.kit.shop import Shop
from course.measure import Rollout, traffic
start.goto("rolling-1")
run = traffic.start(Shop(Lab("rolling-1")).url, rate=20, seconds=600)
shop = Rollout("{NAME}")
shop.set_image("shop=localhost:1/never:1")
time.sleep(1)
shop.pause()
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A learner of their own: a namespace, a kubeconfig whose context is in it, a folder."""
    name = f"shop-test-{secrets.token_hex(4)}"
    env = environment.environment()
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    kubectl("create", "namespace", name)
    config = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
    config["contexts"][0]["context"]["namespace"] = name
    file = tmp_path / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv("COURSE_NAMESPACE", name)
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    (tmp_path / "work").mkdir()
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def kubectl(*words: str) -> str:
    return default_runner().run(["kubectl", *words], timeout=60).stdout


def get(kind: str, name: str) -> dict[str, Any]:
    return dict(json.loads(kubectl("get", kind, name, "--output=json")))


def test_reset_after_a_rollout_whose_kernel_died(learner: str) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIES], capture_output=True, text=True, timeout=300, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    before = get("deployment", NAME)
    assert before["spec"]["paused"] is True

    start.goto("rolling-1")  # what `course reset` does

    after = get("deployment", NAME)
    assert "paused" not in after["spec"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    container = containers.service(after["spec"]["template"])
    assert container["image"].endswith(f"/{NAME}:1.1.0")
    given = containers.service(shops.start("rolling-1")[0]["spec"]["template"])
    assert container["env"] == given["env"]
    assert Rollout(NAME).wait(120).state == "complete"
    pods = Lab("rolling-1").objects("pods", labelSelector=f"app={NAME}")
    images = {containers.service(pod)["image"] for pod in pods}
    assert images == {container["image"]}, "a pod of the interrupted rollout is still there"

    # Nobody sends any more, and what was there is kept.
    host = Shop(Lab("rolling-1")).host
    until(
        lambda: all(urlsplit(r.plan.url).hostname != host for r in traffic.running()),
        "the end of the traffic",
        wait=10,
    )
    saved = list((Path(os.environ["COURSE_WORK"]) / ".saved").rglob("cluster.yaml"))
    assert "localhost:1/never:1" in "".join(file.read_text() for file in saved)


def test_reset_while_the_former_shop_is_being_deleted_and_others_make_its_pods(
    learner: str,
) -> None:
    start.goto("rolling-2")
    Rollout(NAME).wait(120)
    thing = get("deployment", NAME)
    other = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "beside", "labels": {"app": NAME}},
        "spec": {**{k: thing["spec"][k] for k in ("selector", "template")}, "serviceName": NAME},
    }
    default_runner().run(["kubectl", "create", "-f", "-"], timeout=60, input=json.dumps(other))
    kubectl("delete", "deployment", NAME, "--cascade=foreground", "--wait=false")

    start.goto("rolling-2")

    assert get("deployment", NAME)["metadata"]["uid"] != thing["metadata"]["uid"]
    assert Rollout(NAME).wait(120).state == "complete"
    pods = Lab("rolling-2").objects("pods", labelSelector=f"app={NAME}")
    assert {pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods} == {"ReplicaSet"}


def test_two_learners_have_a_shop_each(learner: str) -> None:
    start.goto("rolling-2")
    assert Shop(Lab("rolling-2")).host == f"{NAME}.{learner}.localhost"
    assert get("httproute", NAME)["spec"]["hostnames"] == [f"{NAME}.{learner}.localhost"]
    Rollout(NAME).wait(120)
    url = Shop(Lab("rolling-2")).url
    until(lambda: traffic.probe(url) == 200, "an answer of 200", wait=30, pause=0.2)


@pytest.mark.parametrize("id_", [f"rolling-{number}" for number in range(1, 6)])
def test_a_server_accepts_each_start_state_as_its_file_has_it(learner: str, id_: str) -> None:
    code = exercise.find(id_)
    kubectl("apply", "--dry-run=server", "-f", str(code.files / "shop.yaml"))


def test_a_release_of_a_check_leaves_the_history_as_it_found_it(learner: str) -> None:
    start.goto("rolling-2")
    shop = Rollout(NAME)
    shop.wait(120)
    shop.restart()
    shop.wait(120)
    before = history()
    url = Shop(Lab("rolling-2")).url
    until(lambda: traffic.probe(url) == 200, "an answer of 200", wait=30, pause=0.2)
    with probe_release.borrowed(shop, url) as borrowed:
        seen = borrowed.release({}, wait=60)
    assert seen.seconds and history() == before
    assert "rolled back to revision 1" in shop.undo()


def history() -> dict[str, str]:
    """ReplicaSet → its revision."""
    found = Lab("rolling-2").objects("replicasets", labelSelector=f"app={NAME}")
    note = "deployment.kubernetes.io/revision"
    return {one["metadata"]["name"]: one["metadata"]["annotations"][note] for one in found}
