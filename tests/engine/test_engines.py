"""course.core.environment: detection, configuration, ports; all without Docker."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
import yaml

from course.artifacts import images, tools
from course.core import environment, paths
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import detect, kind, lifecycle, ports, up
from course.engine import docker as docker_
from course.engine.docker import Docker
from course.engine.kind import Kind, NodeFacts
from course.engine.local_registry import Registry
from course.measure.docker_client import fault, refused
from tests.fake_docker import INFO, FakeDocker


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def choose(env: dict[str, str], *, docker: bool, install: bool) -> str:
    return detect.choose(env, docker_answers=lambda: docker, may_install=lambda: install)


@pytest.mark.parametrize(("docker", "install"), [(True, True), (True, False), (False, True)])
def test_kind_wherever_docker_is_or_can_be(docker: bool, install: bool) -> None:
    assert choose({}, docker=docker, install=install) == "kind"
    assert choose({"COURSE_ENGINE": "kind"}, docker=docker, install=install) == "kind"


def test_no_docker_and_no_right_to_install_one() -> None:
    with pytest.raises(CourseError) as caught:
        choose({}, docker=False, install=False)
    assert "no Docker answers" in caught.value.saw and "Install Docker" not in caught.value.saw


def test_an_engine_that_is_not_known_is_named() -> None:
    with pytest.raises(CourseError, match="COURSE_ENGINE is `podman`"):
        choose({"COURSE_ENGINE": "podman"}, docker=True, install=True)


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


def test_a_docker_of_our_own_comes_up_in_this_order(home: Path) -> None:
    docker = Docker(FakeRunner())
    assert [action.name for action in docker.actions()] == [
        "a Docker that the course can work with",
        "a dockerd",
        "its address",
        "the docker command and buildx",
        "a version that is new enough",
    ]
    # Its data is waited for when the one that held it has ended, and before the next one starts.
    names = [action.name for action in docker.starting()]
    assert names.index("none of ours") < names.index("its data, for it alone")
    assert names[-2:] == ["its process", "its answer"]


def test_a_dockerd_that_ends_at_once_is_not_waited_for(home: Path) -> None:
    docker_._log().parent.mkdir(parents=True)
    docker_._log().write_text("level=info\nfailed to start daemon: no space left on device\n")
    began = time.monotonic()
    with pytest.raises(CourseError, match="no space left on device") as caught:
        lifecycle.run(Docker(FakeRunner()).starting()[-1:], quiet)
    assert "an answer within 60 s" in caught.value.want
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("info", "has"),
    [
        ({"MemoryLimit": True, "CpuCfsQuota": True}, {"containers", "cgroups"}),
        ({"MemoryLimit": False, "CpuCfsQuota": True}, {"containers"}),
        ({"MemoryLimit": True}, {"containers"}),
    ],
)
def test_limits_are_asked_of_docker_and_not_assumed(
    monkeypatch: pytest.MonkeyPatch, info: dict[str, bool], has: set[str]
) -> None:
    with FakeDocker(**{"/info": {**INFO, **info}}) as answering:
        monkeypatch.setenv("DOCKER_HOST", answering.host)
        assert Docker(FakeRunner()).capabilities() == has


def test_a_docker_that_does_not_say_what_it_can_do_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeDocker(**{"/info": b"no JSON"}) as answering:
        monkeypatch.setenv("DOCKER_HOST", answering.host)
        with pytest.raises(CourseError, match="not `docker info`"):
            Docker(FakeRunner()).capabilities()


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


def test_the_variables_of_the_contract(home: Path) -> None:
    with pytest.raises(CourseError, match="engine is not running"):
        environment.environment()
    env = {"DOCKER_HOST": "unix:///x", **cluster(FakeRunner()).environment()}
    environment.save(environment.Engine("kind", env, ["cluster"], {"http": 8080}))
    seen = environment.environment()
    assert set(environment.LESSON_VARIABLES) <= set(seen)
    assert seen["ORDERS_URL"] == "http://orders.localhost:8080"
    assert seen["REGISTRY"] == "localhost:5001"
    assert seen["PATH"].startswith(str(paths.state() / "bin"))
    assert environment.has("cluster") and not environment.has("cgroups")


@pytest.mark.parametrize("work", ["/a/folder/of/theirs", ""])
def test_a_process_gets_the_variables_and_keeps_a_folder_that_it_was_given(
    home: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}))
    monkeypatch.setenv("COURSE_WORK", work) if work else monkeypatch.delenv("COURSE_WORK")
    environment.apply()
    assert os.environ["DOCKER_HOST"] == "unix:///x"
    assert os.environ["COURSE_WORK"] == (work or str(paths.ROOT / "work"))


@pytest.mark.parametrize("path", ["", "/usr/bin::/bin:", None])
def test_no_program_is_looked_for_in_the_folder_in_which_one_stands(
    home: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}))
    monkeypatch.delenv("PATH") if path is None else monkeypatch.setenv("PATH", path)
    first, *rest = environment.environment()["PATH"].split(os.pathsep)
    assert first == str(paths.state() / "bin")
    assert "" not in rest and bool(rest) == (path != "")


@pytest.mark.parametrize("text", ["null", "[]", '{"env": null}', '{"has": {}}', '{"ports": []}'])
def test_an_engine_file_of_another_form_is_no_engine(home: Path, text: str) -> None:
    environment.save(environment.Engine())
    (paths.state() / "engine.json").write_text(text)
    assert environment.current() is None
    with pytest.raises(CourseError, match="engine is not running"):
        environment.environment()


def test_after_down_the_ports_are_kept(home: Path) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "x"}, ["cluster"], {"http": 8081}))
    environment.forget()
    found = environment.current()
    assert found == environment.Engine("kind", {}, [], {"http": 8081})


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert ports.taken(port)
        assert ports.free(port) != port
        with pytest.raises(CourseError, match="all taken"):
            ports.free(port, tries=1)


def test_only_what_carries_the_label_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRunner(
        {"docker": "", "docker container ls": "abc\n", "docker volume ls --quiet": "v\n"}
    )
    Docker(fake).remove_owned()
    # A volume that is the course's may hold what was pushed; what a check left does not.
    assert {call[1]: call[-1] for call in fake.calls if "ls" in call} == {
        "container": "label=course.owner=course",
        "network": "label=course.owner=course",
        "volume": "label=course.process",
        "image": "reference=course-check:*",
    }
    removed = [call[1:] for call in fake.calls if "rm" in call]
    assert removed == [
        ("container", "rm", "--force", "--volumes", "abc"),
        ("volume", "rm", "--force", "v"),
    ]


def test_the_image_of_a_check_is_removed_by_its_name() -> None:
    # Of a copy that nothing was changed in, its content may be that of the learner's own image.
    fake = FakeRunner({"docker": "", "docker image ls": "course-check:1-2-3-x\n"})
    Docker(fake).remove_owned()
    assert {call for call in fake.calls if call[1] == "image" and "--quiet" in call} == {
        ("docker", "image", "ls", "--quiet", "--format", "{{.Repository}}:{{.Tag}}", "--filter")
        + ("reference=course-check:*",)
    }
    assert ("docker", "image", "rm", "--force", "course-check:1-2-3-x") in fake.calls


def test_a_docker_that_we_did_not_start_is_not_stopped(home: Path) -> None:
    fake = FakeRunner()
    Docker(fake).stop()
    assert fake.calls == []


def test_the_mirror_keeps_docker_hubs_names() -> None:
    fake = FakeRunner({"docker": ""})
    Registry(5001, fake).mirror("postgres:15")
    assert ("docker", "push", "--quiet", "localhost:5001/library/postgres:15") in fake.calls


def test_the_docker_host_of_the_environment_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    docker = Docker(FakeRunner())
    assert docker.host() == "tcp://127.0.0.1:1"
    assert not docker.answers()
    assert os.environ["DOCKER_HOST"] == "tcp://127.0.0.1:1"


@pytest.mark.parametrize(
    ("host", "said", "try_"),
    [
        ("ssh://me@vm.example", "paramiko", "ssh -fNT -L"),
        ("ssh://me@vm.example:2222/run/docker.sock", "paramiko", "ssh -fNT -L"),
        ("npipe:////./pipe/docker_engine", "a pipe of Windows", "WSL"),
        ("tcp://192.0.2.1:2376", "another machine", "run the course over there"),
        ("tcp://me:hunter22@192.0.2.1:2376", "another machine", "run the course over there"),
        ("tcp://127.0.0.1:port", "Port", "unset DOCKER_HOST"),
        ("http://127.0.0.1:2375", "`http://127.0.0.1:2375`", "unset DOCKER_HOST"),
        ("/var/run/docker.sock", "`/var/run/docker.sock`", "unset DOCKER_HOST"),
        ("unix://", "`unix://`", "unset DOCKER_HOST"),
    ],
)
def test_a_docker_that_the_course_cannot_work_with_is_named_before_anything_is_done(
    home: Path, monkeypatch: pytest.MonkeyPatch, host: str, said: str, try_: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    quiet = FakeRunner()
    assert not Docker(quiet).answers()
    for wanted in (up.engine, lambda: Docker(quiet).ensure(lambda *_: None)):
        with pytest.raises(CourseError) as caught:
            wanted()
        assert said in caught.value.saw and try_ in caught.value.try_
        assert "DOCKER_HOST" in caught.value.saw and "hunter22" not in str(caught.value)
    assert quiet.calls == []


@pytest.mark.parametrize(
    "host",
    [
        "unix:///var/run/docker.sock",
        "tcp://localhost:2375",
        "tcp://127.0.0.1:2375",
        "tcp://[::1]:1",
    ],
)
def test_a_docker_of_this_machine_may_be_at_a_socket_or_a_port(host: str) -> None:
    assert refused(host) is None


def test_the_address_that_is_another_machines_may_be_of_dockers_context(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    wrong = refused("ssh://vm.example")
    assert wrong and wrong.saw.startswith("the address of docker's context is ssh://vm.example")


def test_certificates_are_for_a_port_and_not_for_a_socket(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/nowhere")
    assert "certificate" in fault("tcp://127.0.0.1:1")
    assert "certificate" not in fault("unix:///nowhere")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert Docker(FakeRunner()).environment()["DOCKER_CERT_PATH"] == "/nowhere"
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    assert "DOCKER_CERT_PATH" not in Docker(FakeRunner()).environment()


def test_where_buildx_is_ours_the_learners_logins_and_proxies_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = tmp_path / ".docker", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    (theirs / "config.json").write_text('{"auths": {}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(ours))  # as in a terminal of JupyterLab
    monkeypatch.setenv("HOME", str(tmp_path))
    docker_._share_settings(ours)
    assert (ours / "config.json").read_text() == '{"auths": {}}'
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "elsewhere"))
    docker_._share_settings(ours)
    assert not (ours / "config.json").exists()
    (ours / "config.json").write_text("a login made in a terminal of ours")
    monkeypatch.delenv("DOCKER_CONFIG")
    docker_._share_settings(ours)
    assert (ours / "config.json").read_text() == "a login made in a terminal of ours"


def test_a_node_image_for_the_version_of_the_tools() -> None:
    assert kind.NODE_IMAGE in images.catalogue()
