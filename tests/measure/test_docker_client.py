"""course.measure.docker_client: which Docker is meant, and which cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core.process import FakeRunner
from course.engine.docker import Docker
from course.measure.docker_client import fault, refused


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
