"""course.engine.kind: the cluster made, started, left alone and deleted; all without Docker."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from course.artifacts import images, tools
from course.core import paths
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import kind, lifecycle, ports
from course.engine.docker import Docker
from course.engine.kind import Kind, NodeFacts, _kind, _unfinished
from course.engine.local_registry import Registry
from tests.calls import changed
from tests.fake_docker import FakeDocker


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def cluster(fake: FakeRunner) -> Kind:
    return Kind(fake, Registry(5001, fake), 8080, 8443)


def test_ports_are_bound_to_loopback() -> None:
    config = yaml.safe_load(cluster(FakeRunner()).config(NodeFacts()))
    assert config["networking"] == {"apiServerAddress": "127.0.0.1"}
    mapped = config["nodes"][0]["extraPortMappings"]
    assert {m["listenAddress"] for m in mapped} == {"127.0.0.1"}
    assert [(m["hostPort"], m["containerPort"]) for m in mapped] == [(8080, 30080), (8443, 30443)]
    patch = yaml.safe_load(config["kubeadmConfigPatches"][0])
    assert patch["failCgroupV1"] is False and "featureGates" not in patch


def test_a_node_with_a_network_of_its_own_gets_no_other() -> None:
    config = yaml.safe_load(cluster(FakeRunner()).config(NodeFacts(own_network=True)))
    assert config["networking"]["disableDefaultCNI"] is True
    assert config["networking"]["kubeProxyMode"] == "nftables"
    assert "containerdConfigPatches" not in config


def test_a_host_that_refuses_lower_oom_scores_is_tolerated_by_kubelet_and_containerd() -> None:
    config = yaml.safe_load(cluster(FakeRunner()).config(NodeFacts(oom_adjustable=False)))
    patch = yaml.safe_load(config["kubeadmConfigPatches"][0])
    assert patch["featureGates"] == {"KubeletInUserNamespace": True}
    assert "restrict_oom_score_adj = true" in config["containerdConfigPatches"][0]
    assert config["networking"] == {"apiServerAddress": "127.0.0.1"}


@pytest.mark.parametrize(
    ("seen", "facts"),
    [
        ("oom-adjustable\n", NodeFacts()),
        ("own-network\n", NodeFacts(own_network=True, oom_adjustable=False)),
    ],
)
def test_what_a_node_is_like_is_read_from_it_and_not_from_a_label(
    seen: str, facts: NodeFacts
) -> None:
    fake = FakeRunner({"docker run": seen})
    assert kind.node_facts(fake) == facts
    assert "--privileged" in fake.calls[0] and len(fake.calls) == 1


def test_a_node_asks_no_proxy_for_our_registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind._beside_the_proxy({})["NO_PROXY"] == "course-registry"
    left_out = kind._beside_the_proxy({"no_proxy": "corp.example"})["NO_PROXY"]
    assert left_out == "corp.example,course-registry"


@pytest.mark.parametrize(("ready", "enforced"), [("1", True), ("0", False), ("", False)])
def test_network_policies_hold_where_kinds_own_network_runs(ready: str, enforced: bool) -> None:
    fake = FakeRunner({"kubectl": ready})
    assert ("network-policy" in cluster(fake).capabilities()) is enforced


def create(cluster: Kind) -> None:
    """Come as far as its making, where kind's image is there."""
    making = [action for action in cluster.actions() if action.name == "a cluster"]
    lifecycle.run(making, quiet)


def test_half_a_cluster_is_removed(home: Path) -> None:
    kind_ = str(kind._kind())
    fake = FakeRunner(
        {"docker run": "own-network"}
        | {f"{kind_} get clusters": "", f"{kind_} create cluster": 1, f"{kind_} delete cluster": 0}
    )
    with pytest.raises(CourseError):
        create(cluster(fake))
    assert fake.calls[-1][:3] == (kind_, "delete", "cluster")
    assert fake.calls[-1][fake.calls[-1].index("--name") + 1] == "course"
    assert not kind._unfinished().exists()


def test_half_a_cluster_that_could_not_be_removed_is_remembered(home: Path) -> None:
    # Docker died: neither creating nor deleting works.
    kind_ = str(kind._kind())
    fake = FakeRunner({"docker run": "", f"{kind_} get clusters": "", kind_: 1})
    with pytest.raises(CourseError):
        create(cluster(fake))
    assert kind._unfinished().exists()


def a_machine(there: bool) -> FakeRunner:
    """One with Docker, on which a cluster of ours is made if it is not there."""
    kind_ = str(kind._kind())
    named = {"contexts": [{"context": {"cluster": "kind-course"}, "name": "kind-course"}]}
    system = {"metadata": {"name": "coredns-1", "namespace": "kube-system"}}
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    return FakeRunner(
        {
            f"{kind_} get clusters": "course\n" if there else "",
            f"{kind_} get kubeconfig": yaml.safe_dump(named),
            kind_: "",
            "docker": "",
            "docker run": "own-network oom-adjustable",
            "docker container inspect course-control-plane --format {{range": "8080",
            "docker container inspect course-control-plane --format {{.State.Running}}": "true",
            "docker container inspect course-registry": '{"kind": {}}',
            "kubectl": json.dumps({"items": [system | ready]}),
        }
    )


def ensured(fake: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What kind was asked for while a cluster was made sure of."""
    monkeypatch.setattr(tools, "ensure", lambda name, *_, **__: {name: Path("/nowhere") / name})
    monkeypatch.setattr(images, "ensure", lambda *_, **__: "present")
    monkeypatch.setattr(ports, "taken", lambda _: True)
    cluster(fake).ensure(quiet)
    return [call[1] for call in fake.calls if call[0] == str(kind._kind())]


def test_a_cluster_whose_making_was_killed_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind._unfinished().parent.mkdir(parents=True)
    kind._unfinished().touch()
    fake = a_machine(there=False)
    assert ensured(fake, monkeypatch) == ["delete", "get", "create", "get"]
    assert not kind._unfinished().exists()


def test_a_cluster_that_runs_is_left_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = a_machine(there=True)
    assert set(ensured(fake, monkeypatch)) == {"get"}
    assert not [call for call in fake.calls if {"start", "restart", "connect"} & set(call)]


def test_what_an_engine_does_to_come_up_changes_no_variable_of_this_process(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/docker")
    before = dict(os.environ)
    ensured(a_machine(there=False), monkeypatch)
    with FakeDocker() as answering:
        context = {"docker context inspect": f"{answering.host}\n"}
        docker = Docker(FakeRunner({**context, "docker buildx version": ""}))
        docker.ensure(quiet)
        assert docker.environment() == {"DOCKER_HOST": answering.host}
    assert dict(os.environ) == before


def test_a_node_that_goes_while_it_is_waited_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRunner({"kubectl": 1, "docker container inspect": 1})
    with pytest.raises(CourseError, match="the cluster's node has gone"):
        cluster(fake)._waits_for(quiet)


@pytest.mark.parametrize(
    ("running", "listens", "done"),
    [("true", True, ""), ("true", False, "restart"), ("false", False, "start")],
)
def test_a_node_is_started_whose_ports_docker_has_given_up(
    running: str, listens: bool, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "taken", lambda port: listens)
    fake = FakeRunner({"docker container inspect": running, "docker": 0})
    cluster(fake)._start_node(quiet)
    words = [call[1] for call in fake.calls if call[1] != "container"]
    assert words == ([done] if done else [])


def test_pods_that_are_not_ready_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def item(name: str, ready: str, namespace: str | None = "kube-system") -> dict[str, object]:
        meta = {"name": name} | ({"namespace": namespace} if namespace else {})
        return {"metadata": meta, "status": {"conditions": [{"type": "Ready", "status": ready}]}}

    items = [
        item("course-control-plane", "True", None),
        item("coredns-1", "False"),
        item("etcd", "True"),
        item("learner", "False", "course"),
    ]
    fake = FakeRunner({"kubectl": json.dumps({"items": items})})
    assert cluster(fake).not_ready() == ["coredns-1"]


def test_a_kubeconfig_of_our_own_with_a_namespace(home: Path) -> None:
    config = {"contexts": [{"context": {"cluster": "kind-course"}, "name": "kind-course"}]}
    fake = FakeRunner({f"{kind._kind()} get kubeconfig": yaml.safe_dump(config)})
    cluster(fake)._write_kubeconfig(quiet)
    written = yaml.safe_load(paths.kubeconfig().read_text())
    assert written["contexts"][0]["context"]["namespace"] == "course"
    assert paths.kubeconfig().stat().st_mode & 0o077 == 0


def test_a_node_image_for_the_version_of_the_tools() -> None:
    assert kind.NODE_IMAGE in images.catalogue()


def kind_with(port: str) -> tuple[Kind, FakeRunner]:
    """A Docker whose cluster `course` publishes this port; ours would be 8080."""
    there = {f"{_kind()} get clusters": "course\n"}
    fake = FakeRunner({**there, "docker container inspect": f"{port}\n"})
    return Kind(fake, Registry(5001, fake), 8080, 8443), fake


@pytest.mark.parametrize("port", ["9090", ""])
def test_a_cluster_of_our_name_is_refused_and_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    cluster, fake = kind_with(port)
    monkeypatch.setattr(Kind, "_tools", lambda *_: None)
    with pytest.raises(CourseError, match="named course that this course did not make") as caught:
        cluster.ensure(quiet)
    assert "kind delete cluster --name course" in caught.value.try_
    assert changed(fake) == []


@pytest.mark.parametrize(("port", "deleted"), [("8080", True), ("9090", False), ("", False)])
def test_down_deletes_our_cluster_only(home: Path, port: str, deleted: bool) -> None:
    cluster, fake = kind_with(port)
    kind = home / "state" / "bin" / "kind"
    kind.parent.mkdir(parents=True)
    kind.touch()
    fake.script = {**fake.script, f"{kind} delete cluster": ""}
    cluster.stop()
    assert bool([call for call in fake.calls if "delete" in call]) is deleted


def test_half_a_cluster_is_ours_whatever_it_publishes(home: Path) -> None:
    cluster, fake = kind_with("")
    kind = home / "state" / "bin" / "kind"
    kind.parent.mkdir(parents=True)
    kind.touch()
    _unfinished().touch()
    fake.script = {**fake.script, f"{kind} delete cluster": ""}
    cluster.stop()
    assert [call for call in fake.calls if "delete" in call]
