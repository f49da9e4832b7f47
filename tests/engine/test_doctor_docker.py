"""course.engine.doctor.docker: a Docker that is not there, not ours, too old or too small."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from course.artifacts import debian
from course.core import environment
from course.core.machine import arch
from course.core.process import FakeRunner
from course.engine.doctor import Machine, docker
from tests.engine.findings import bad, on, only
from tests.fake_docker import INFO, FakeDocker


def test_no_docker_for_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)
    monkeypatch.setattr("course.engine.doctor.finding.answers", lambda _: False)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert bad(docker.engine(Machine(FakeRunner()))).saw == "not installed"


def test_no_docker_for_root_on_debian_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    machine = Machine(FakeRunner({"docker context": 1}), env={})
    machine.__dict__["docker_info"] = None
    assert only(docker.engine(machine)).ok


def test_docker_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its socket is there, and nobody listens.
    with FakeDocker() as fake, socket.socket(socket.AF_UNIX) as left:
        path = f"{fake.host.removeprefix('unix://')}.left"
        left.bind(path)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        monkeypatch.setattr("shutil.which", lambda *_, **__: "/usr/bin/docker")
        found = bad(docker.engine(Machine(FakeRunner())))
        assert found.saw == f"stopped: nobody answers at unix://{path}"
        assert "unset DOCKER_HOST" in found.try_


def test_docker_that_this_user_may_not_use(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    with FakeDocker() as fake:
        code = (
            "from course.engine.doctor import docker; import sys; "
            "print(docker._forbidden(sys.argv[1]))"
        )
        os.chmod(fake.host.removeprefix("unix://"), 0o600)  # noqa: PTH101
        Path(fake.host.removeprefix("unix://")).parent.chmod(0o755)
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.setuid(65534)
            os.write(write, str(docker._forbidden(fake.host)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 10) == b"True", code
        assert not docker._forbidden(fake.host)


def test_docker_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeDocker(**{"/info": {**INFO, "ServerVersion": "20.10.24+dfsg1"}}) as fake:
        assert "20.10.24" in bad(docker.engine(on(fake, monkeypatch))).saw


def test_docker_desktop_with_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    info = {**INFO, "MemTotal": 2_067_000_000, "OperatingSystem": "Docker Desktop"}
    with FakeDocker(**{"/info": info}) as fake:
        found = bad(docker.memory(on(fake, monkeypatch)))
        assert found.saw == "2.1 GB" and "Docker Desktop: Settings" in found.try_


@pytest.mark.parametrize("root", ["/var/snap/docker/common/var-lib-docker", "/var/lib/docker"])
def test_docker_out_of_a_snap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    command = tmp_path / "snap" / "bin" / "docker"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    with FakeDocker(**{"/info": {**INFO, "DockerRootDir": root}}) as fake:
        machine = on(fake, monkeypatch)
        machine.env = {"PATH": str(command.parent) if "snap" not in root else ""}
        assert "snap remove docker" in bad(docker.snap(machine)).try_
        machine = on(fake, monkeypatch)
        machine.env = {"PATH": "/usr/bin"}
        assert bool(docker.snap(machine)) is ("snap" in root)


PORTS = {"registry": 5001, "http": 8080, "https": 8443}


def test_a_cluster_of_the_same_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = [{"Names": ["/course-control-plane"], "State": "running", "Ports": []}]
    with FakeDocker(**{"/containers/json": node}) as fake:
        inspect = {"docker container inspect": "8080\n"}
        environment.save(environment.Engine("kind", {}, [], PORTS | {"http": 8081}))
        found = bad(docker.cluster(on(fake, monkeypatch, **inspect)))
        assert "did not make" in found.saw and "kind delete cluster --name course" in found.try_
        environment.save(environment.Engine("kind", {}, [], PORTS))
        assert only(docker.cluster(on(fake, monkeypatch, **inspect))).ok
    with FakeDocker() as fake:
        assert docker.cluster(on(fake, monkeypatch)) == []


@pytest.mark.parametrize(("labels", "faults"), [({}, 1), ({"course.owner": "course"}, 0)])
def test_a_container_with_the_registrys_name(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, str], faults: int
) -> None:
    named = [{"Names": ["/course-registry"], "Labels": labels, "Image": "redis:7"}]
    with FakeDocker(**{"/containers/json": named}) as fake:
        found = docker.registry(on(fake, monkeypatch))
        assert len(found) == faults
        assert all("docker rename" in f.try_ and "redis:7" in f.saw for f in found)


def test_images_for_another_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"amd64": "arm64", "arm64": "amd64"}[arch()]
    listed = f'{other} ["mine:1","node:24-slim"]\n{arch()} ["registry:2"]\n'
    with FakeDocker() as fake:
        machine = on(fake, monkeypatch, **{"docker image inspect": listed})
        found = bad(docker.architecture(machine))
    assert (found.what, found.try_) == ("image node:24-slim", "docker image rm node:24-slim")
    assert other in found.saw
