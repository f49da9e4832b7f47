"""course.engine.doctor.network: ports, proxies, loopback and routes."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import environment
from course.core.process import FakeRunner
from course.engine import ports, up
from course.engine.doctor import Machine, network
from tests.engine.findings import alone, bad, kernel, on, only, server
from tests.fake_docker import FakeDocker


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """A port that another process listens on, and the process."""
    code = (
        "import socket, sys\ns = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\nsys.stdin.read()"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        yield int(other.stdout.readline()), other.pid
        other.stdin.close()


@pytest.fixture
def one_port(monkeypatch: pytest.MonkeyPatch, taken: tuple[int, int]) -> int:
    monkeypatch.setattr(up, "PORTS", {"http": taken[0]})
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    return taken[0]


def test_before_up_a_taken_port_is_told_with_the_one_that_takes_its_place(
    home: Path, one_port: int, taken: tuple[int, int]
) -> None:
    found = only(network.ports_of_the_course(Machine(FakeRunner())))
    assert found.ok and f"(pid {taken[1]})" in found.saw
    assert int(found.saw.rsplit(maxsplit=1)[1]) > one_port


def test_before_up_with_every_port_taken(
    home: Path, one_port: int, taken: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "TRIES", 1)
    assert f"(pid {taken[1]})" in bad(network.ports_of_the_course(Machine(FakeRunner()))).try_


def test_after_up_a_port_that_somebody_else_has(
    home: Path, one_port: int, taken: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "x"}, [], {"http": one_port}))
    found = bad(network.ports_of_the_course(Machine(FakeRunner())))
    assert f"(pid {taken[1]})" in found.saw and found.try_.endswith("course up")
    ours = [{"Names": ["/course-control-plane"], "State": "running"}]
    with FakeDocker(**{"/containers/json": ours}) as fake:
        assert only(network.ports_of_the_course(on(fake, monkeypatch))).saw == "the course's own"


@pytest.mark.parametrize(("has", "ok"), [([], True), (["containers"], True), (["cluster"], False)])
def test_a_port_of_a_running_course_that_nobody_listens_at_is_a_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch, has: list[str], ok: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setattr(up, "PORTS", {"http": port})
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "x"}, has, {"http": port}))
    found = only(network.ports_of_the_course(Machine(FakeRunner())))
    assert found.ok is ok
    assert ok or (found.try_ == "course up" and "nobody listens" in found.saw)


def test_loopback_that_is_down() -> None:
    code = (
        "from course.engine.doctor import network as n, Machine; "
        "[print(f) for f in n.loopback(Machine())]"
    )
    told = alone(f'"$0" -c "{code}"', "--net")
    assert told.startswith("✗ loopback: a listener of our own on 127.0.0.1 cannot be reached")
    assert "VPN or firewall" in told


def test_a_proxy_that_answers_for_loopback() -> None:
    with server() as address:
        env = {"HTTP_PROXY": address.replace("//", "//me:hunter22@"), "NO_PROXY": "corp"}
        found = bad(network.loopback(Machine(env=env)))
        assert "answers for 127.0.0.1: HTTP 403" in found.saw and "hunter22" not in str(found)
        assert "NO_PROXY=corp,localhost,127.0.0.1,.localhost" in found.try_
        assert "leave out" in bad(network.proxy(Machine(env=env))).saw
        env["NO_PROXY"] = "localhost,127.0.0.1,.localhost"
        assert only(network.loopback(Machine(env=env))).ok
        assert only(network.proxy(Machine(env=env))).ok


@pytest.mark.parametrize(
    "no_proxy", ["localhost,127.0.0.0/8", "LOCALHOST, 127.0.0.1", "*.localhost 127.0.0.1:8080", "*"]
)
def test_a_proxy_that_leaves_out_loopback_in_any_of_the_ways_that_clients_read(
    no_proxy: str,
) -> None:
    with server() as address:
        for name in ("NO_PROXY", "no_proxy"):
            machine = Machine(env={"HTTP_PROXY": address, "https_proxy": address, name: no_proxy})
            assert only(network.loopback(machine)).ok
            assert only(network.proxy(machine)).ok


def test_a_proxy_whose_address_is_none_is_told() -> None:
    found = bad(
        network.proxy(Machine(env={"https_proxy": "http://me:hunter22@p:x", "no_proxy": "*"}))
    )
    assert "p:x does not answer" in found.saw and "hunter22" not in str(found)


def test_what_is_to_be_typed_for_a_proxy_can_be_typed() -> None:
    env = {"HTTP_PROXY": "http://me:hunter22@p:x", "NO_PROXY": "*.corp 10.0.0.1;ls"}
    found = bad(network.loopback(Machine(env=env)))
    assert "hunter22" not in str(found)
    words = shlex.split(found.try_)
    assert words[0] == "export" and len(words) == 3
    assert words[1] == "NO_PROXY=*.corp 10.0.0.1;ls,localhost,127.0.0.1,.localhost"


def test_a_proxy_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    env = {"https_proxy": f"http://me:hunter22@127.0.0.1:{port}", "no_proxy": "*"}
    found = bad(network.proxy(Machine(env=env)))
    assert f"127.0.0.1:{port} does not answer" in found.saw and "hunter22" not in str(found)


def test_a_name_localhost_that_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_addresses", lambda _: {"10.1.2.3"})
    assert "/etc/hosts" in bad(network.loopback(Machine(env={}))).try_


ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0
{more}"""


@pytest.mark.parametrize(
    ("more", "saw"),
    [
        ("", ""),
        ("tun1\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n", "172.18.0.0/16"),
        ("tun1\t058012AC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "172.18.128.0/24"),
    ],
)
def test_a_route_that_takes_dockers_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, saw: str
) -> None:
    subnets = [{"Subnet": "172.18.0.0/16"}, {"Subnet": "fc00:f853::/64"}]
    kind = {"Name": "kind", "IPAM": {"Config": subnets}}
    with FakeDocker(**{"/networks": [kind, {"Name": "host", "IPAM": {"Config": None}}]}) as fake:
        machine = on(fake, monkeypatch)
        machine.root = kernel(tmp_path, {"proc/net/route": ROUTES.format(more=more)}).root
        found = only(network.routes(machine))
    # tun0's 172.16.0.0/12 is wider than Docker's network, which therefore wins.
    assert found.ok is not bool(saw)
    if saw:
        assert f"tun1 takes {saw}" in found.saw and "network kind" in found.saw
