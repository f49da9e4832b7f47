"""course.engine.doctor and course.artifacts.debian: what is wrong, and the one thing to do.

A fault is injected for real wherever a test can: a taken port, a proxy that answers for loopback,
a loopback that is down, a small disk, a socket at which nobody answers, a server whose clock is
off. Docker's own answers come from a real socket.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.server
import io
import os
import shlex
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course import cli
from course.artifacts import debian
from course.core import environment, paths
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import FakeRunner
from course.engine import doctor, ports, up
from course.engine.doctor import Machine, clock, docker, hardware, network, trust
from tests.fake_docker import INFO, FakeDocker

NOBODY = {"DOCKER_HOST": "unix:///nowhere"}


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def on(fake: FakeDocker, monkeypatch: pytest.MonkeyPatch, **script: object) -> Machine:
    """A machine whose Docker is this one."""
    monkeypatch.setenv("DOCKER_HOST", fake.host)
    return Machine(FakeRunner(script))  # type: ignore[arg-type]


def only(findings: list[doctor.Finding]) -> doctor.Finding:
    assert len(findings) == 1, findings
    return findings[0]


def bad(findings: list[doctor.Finding]) -> doctor.Finding:
    found = only([f for f in findings if f.ok is False])
    assert found.try_, "a fault comes with the one thing to do"
    assert str(found).startswith("✗") and "\n  try:  " in str(found)
    return found


# -- all of them


def test_every_finder_answers_in_time_and_none_hides_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setenv("COURSE_OFFLINE", "1")

    def fails(machine: Machine) -> list[doctor.Finding]:
        raise RuntimeError("of the finder itself")

    monkeypatch.setitem(doctor.FINDERS, "memory", fails)
    began = time.monotonic()
    found = doctor.examine(Machine(FakeRunner({"docker": 1})))
    assert time.monotonic() - began < 10
    # What it says may hold a secret; what it was is enough.
    assert "· memory: could not be looked at: RuntimeError" in map(str, found)
    assert {"processor", "disk", "loopback", "clock"} <= {f.what for f in found}
    assert all(f.try_ for f in found if f.ok is False)


def test_a_finder_that_does_not_come_back_is_left_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr(doctor, "DEADLINE", 0.2)
    hang = threading.Event()
    monkeypatch.setattr(doctor, "FINDERS", {"slow": lambda _: [hang.wait(30)]})
    assert str(only(doctor.examine(Machine(FakeRunner())))) == "· slow: no answer within 0 s"
    hang.set()


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_the_command_fails_if_something_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, ok: bool | None, code: int
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("x", ok, "seen", "do")])
    done = CliRunner().invoke(cli.app, ["doctor"])
    assert done.exit_code == code
    assert done.output[0] == {True: "✓", None: "·", False: "✗"}[ok]


# -- hardware


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "total")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(2_000_000_000))
    assert "2.0 GB" in bad(hardware.memory(Machine())).saw


def test_a_processor_that_nothing_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in bad(hardware.processor(Machine())).saw


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_too_little_disk(home: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(small_disk / "cache"))
    found = bad(hardware.disk(Machine()))
    assert str(small_disk) in found.saw and "COURSE_CACHE" in found.try_
    monkeypatch.setenv("COURSE_WORK", str(small_disk / "work"))
    assert [f.what for f in hardware.disk(Machine())] == ["disk", "disk of work/"]


def test_less_disk_is_enough_once_everything_is_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(5_000_000_000))
    assert not only(hardware.disk(Machine())).ok
    environment.save(environment.Engine("kind", {}, ["orders"], {}))
    assert only(hardware.disk(Machine())).ok


def kernel(root: Path, files: dict[str, str]) -> Machine:
    """A machine whose kernel says this."""
    (root / "proc").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Machine(FakeRunner(), root)


def test_cgroups_of_either_version(tmp_path: Path) -> None:
    controllers = "sys/fs/cgroup/cgroup.controllers"
    two = kernel(tmp_path / "2", {controllers: "cpuset cpu io memory pids\n"})
    assert str(only(hardware.cgroups(two))) == "✓ cgroups: version 2"
    rootless = kernel(tmp_path / "r", {controllers: "pids\n"})
    assert "without cpu, memory" in bad(hardware.cgroups(rootless)).saw
    one = kernel(tmp_path / "1", {"sys/fs/cgroup/memory/tasks": ""})
    assert only(hardware.cgroups(one)).saw.startswith("version 1")
    assert "none" in bad(hardware.cgroups(kernel(tmp_path / "0", {}))).saw
    assert hardware.cgroups(Machine(FakeRunner(), tmp_path / "a mac")) == []


def test_inotify_limits_that_are_too_small(tmp_path: Path) -> None:
    folder = "proc/sys/fs/inotify"
    files = {f"{folder}/max_user_instances": "64\n", f"{folder}/max_user_watches": "524288\n"}
    instances, watches = hardware.inotify(kernel(tmp_path, files))
    assert bad([instances]).try_ == "sudo sysctl fs.inotify.max_user_instances=512"
    assert watches.ok


def alone(code: str, *how: str, env: dict[str, str] | None = None) -> str:
    """What a Python prints in namespaces of its own."""
    argv = ["unshare", *how, "sh", "-ec", code, sys.executable]
    if subprocess.run(["unshare", *how, "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"needs unshare {' '.join(how)}")
    done = subprocess.run(
        argv,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(env or {})},
    )
    return done.stdout.strip()


def test_inotify_instances_that_are_all_in_use() -> None:
    # A namespace in which this user may have none.
    ask = (
        '"$0" -c "from course.engine.doctor import hardware as h; print(h.instances_are_used_up())"'
    )
    assert alone(f"echo 0 >/proc/sys/user/max_inotify_instances; {ask}", "--user", "-r") == "True"
    assert alone(ask, "--user", "-r") == "False"


# -- Docker


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


def test_docker_that_answers_a_ping_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with FakeDocker(**{"/info": b"no JSON"}) as fake:
        found = doctor.examine(on(fake, monkeypatch))
    told = bad([f for f in found if f.what == "Docker"])
    assert "answers a ping, not `docker info`" in told.saw and told.try_ == "restart Docker"
    assert "disk" in {f.what for f in found}


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


# -- network


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


@contextlib.contextmanager
def server(answer: str = "no", date: float | None = None) -> Iterator[str]:
    """A server that answers everything so, and its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()
            self.wfile.write(answer.encode())

        do_HEAD = do_GET  # noqa: N815 - the base class's names

        def date_time_string(self, timestamp: float | None = None) -> str:
            return email.utils.formatdate(date or time.time(), usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        made.server_close()


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


# -- certificates


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
def test_a_variable_that_points_to_no_certificate(tmp_path: Path, variable: str) -> None:
    found = bad(trust.certificates(Machine(env={variable: "/nowhere/ca.pem"})))
    assert found.saw == f"{variable} is /nowhere/ca.pem, which is not there"
    (tmp_path / "ca.pem").write_text("no certificate")
    found = bad(trust.certificates(Machine(env={variable: str(tmp_path / "ca.pem")})))
    assert "holds no certificate" in found.saw


def test_a_folder_of_certificates_that_is_none() -> None:
    assert "SSL_CERT_DIR" in bad(trust.certificates(Machine(env={"SSL_CERT_DIR": "/no"}))).saw


def test_a_machine_without_certificates(tmp_path: Path) -> None:
    found = bad(trust.certificates(Machine(FakeRunner(), tmp_path, {})))
    assert found.try_ == "sudo apt-get install ca-certificates"


PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(("inside", "ok"), [("AAAA\nBBBB", True), ("CCCC", False)])
def test_an_authority_that_containers_do_not_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, ok: bool
) -> None:
    own = tmp_path / "usr/local/share/ca-certificates/corp"
    own.mkdir(parents=True)
    (own / "Corp.crt").write_text(PEM.format("AAAABBBB"))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("ca-certificates.crt")
        info.size = len(PEM.format(inside))
        tar.addfile(info, io.BytesIO(PEM.format(inside).encode()))
    answers = {
        "/containers/create": {"Id": "made"},
        "/containers/made/archive": archive.getvalue(),
        "/containers/made": b"",
    }
    with FakeDocker(**answers) as fake:
        machine = on(fake, monkeypatch)
        machine.root = tmp_path
        found = only(trust.in_containers(machine))
    assert found.ok is ok
    assert ok or "Corp.crt" in found.saw
    with FakeDocker() as fake:
        machine = on(fake, monkeypatch)
        machine.root = tmp_path
        assert only(trust.in_containers(machine)).ok is None


# -- the clock


@pytest.fixture
def dated(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose files have the date of today."""
    for name in ("pyproject.toml", "uv.lock"):
        (home / name).touch()
    monkeypatch.setattr(paths, "ROOT", home)
    return home


@pytest.mark.parametrize(("off", "told"), [(0, ""), (-7200, "2 h ahead of"), (400, "400 s behind")])
def test_the_clock_against_a_server_of_this_machines_sources(
    dated: Path, off: float, told: str
) -> None:
    with server(date=time.time() + off) as address:
        found = only(clock.clock(Machine(FakeRunner(), dated, {"UV_DEFAULT_INDEX": address})))
    assert found.ok is not bool(told)
    assert told in found.saw.replace("399", "400").replace("401", "400")


def test_the_clock_against_a_file_from_the_future(dated: Path) -> None:
    ahead = time.time() + 3 * 86400
    os.utime(dated / "uv.lock", (ahead, ahead))
    found = bad(clock.clock(Machine(FakeRunner(), dated, {"COURSE_OFFLINE": "1"})))
    assert "3 days behind" in found.saw and "timedatectl" in found.try_


def test_a_clock_that_nothing_can_be_compared_with(dated: Path) -> None:
    found = only(clock.clock(Machine(FakeRunner(), dated, {"COURSE_OFFLINE": "1"})))
    assert str(found).startswith("· clock: untried")


def test_the_sources_are_the_machines_own(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "debian.sources").write_text("URIs: http://mirror.corp/debian\nSuites: bookworm\n")
    env = {"GOPROXY": "https://go.corp,direct", "PIP_INDEX_URL": "off"}
    asked = list(clock.sources(Machine(FakeRunner(), tmp_path, env)))
    assert asked == ["https://go.corp", "http://mirror.corp/debian", "https://pypi.org/"]


def test_an_index_password_is_neither_sent_nor_told(dated: Path) -> None:
    with server() as address:
        env = {"UV_INDEX_URL": address.replace("//", "//build:hunter22@")}
        machine = Machine(FakeRunner(), dated, env)
        assert next(clock.sources(machine)) == address
        found = only(clock.clock(machine))
    assert found.ok and "127.0.0.1" in found.saw and "hunter22" not in str(found)


def test_an_index_whose_address_is_none_is_passed_over() -> None:
    assert clock._difference("http://127.0.0.1:hunter22/simple") is None


@pytest.mark.parametrize(("off", "ok"), [(1, True), (-3600, False), (90, False)])
def test_dockers_clock(monkeypatch: pytest.MonkeyPatch, off: float, ok: bool) -> None:
    seen = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(time.time() + off))
    with FakeDocker(**{"/info": {**INFO, "SystemTime": seen}}) as fake:
        assert only(clock.of_docker(on(fake, monkeypatch))).ok is ok


# -- Debian's packages


def test_installed_packages_are_left_alone() -> None:
    fake = FakeRunner({"dpkg-query": "installed"})
    debian.ensure(["gcc"], quiet, runner=fake)
    assert len(fake.calls) == 1


def test_without_the_right_to_install_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)
    with pytest.raises(CourseError) as caught:
        debian.ensure(["gcc", "mmdebstrap"], quiet, runner=FakeRunner({"dpkg-query": 1}))
    assert caught.value.try_ == "apt-get install gcc mmdebstrap"


def test_package_lists_are_fetched_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    fake = FakeRunner({"dpkg-query": 1, "apt-get install": [100, 0], "apt-get update": 0})
    debian.ensure(["gcc"], quiet, runner=fake)
    assert [c[1] for c in fake.calls if c[0] == "apt-get"] == ["install", "update", "install"]
