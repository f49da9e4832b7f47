"""Ports, proxies, routes: whether what listens on this machine can be reached from it."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import ipaddress
import secrets
import shlex
import socket
import threading
import urllib.parse
from collections.abc import Iterator, Mapping

import psutil

from course.core import environment, inherited
from course.core.names import CLUSTER, CONTAINERS
from course.engine import ports, up
from course.engine.doctor.finding import DEADLINE, Finding, Machine
from course.measure.docker_client import client

_LOOPBACK = ("localhost", "127.0.0.1", "orders.localhost")
_GIVEN_BY = {"registry": CONTAINERS, "http": CLUSTER, "https": CLUSTER}
"""The capability with which a port of the course's is taken."""
_BRIDGES = ("docker", "br-", "veth", "lo")


def ports_of_the_course(machine: Machine) -> list[Finding]:
    """Whether the course's ports are its own, or can be."""
    engine = environment.current()
    chosen = engine.ports if engine else {}
    found = []
    for name, preferred in up.PORTS.items():
        port = chosen.get(name, preferred)
        what = f"port {port} ({name})"
        if not ports.taken(port) and engine is not None and _GIVEN_BY[name] in engine.has:
            saw = "nobody listens, and the course is to listen there"
            found.append(Finding(what, False, saw, "course up"))
        elif not ports.taken(port):
            found.append(Finding(what, True, "free"))
        elif name in chosen and _published_by_us(machine, port):
            found.append(Finding(what, True, "the course's own"))
        elif engine is not None and engine.env:
            saw = f"taken by {holder(port)}, and the course is to listen there"
            found.append(Finding(what, False, saw, f"end {holder(port)}; then: course up"))
        elif _next_free(preferred) is None:
            saw = f"taken by {holder(port)}, and so are the next {ports.TRIES - 1}"
            found.append(Finding(what, False, saw, f"end {holder(port)}"))
        else:
            another = _next_free(preferred)
            saw = f"taken by {holder(port)}; course up chooses {another}"
            found.append(Finding(what, True, saw))
    return found


def _next_free(preferred: int) -> int | None:
    candidates = range(preferred, preferred + ports.TRIES)
    return next((port for port in candidates if not ports.taken(port)), None)


def _published_by_us(machine: Machine, port: int) -> bool:
    every = machine.containers(publish=str(port))
    return any(name.startswith("/course-") for c in every for name in c["Names"])


def holder(port: int) -> str:
    """Who listens on a port of loopback, as far as this user may know."""
    with contextlib.suppress(psutil.Error, PermissionError):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                if connection.pid is None:
                    break
                with contextlib.suppress(psutil.Error):
                    return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return f"another user's program (sudo ss -ltnp 'sport = :{port}')"


def loopback(machine: Machine) -> list[Finding]:
    """Whether a listener of ours on 127.0.0.1 can be reached, directly and as programs do.

    Programs ask a proxy if the environment names one; a VPN or a firewall may hide loopback.
    """
    with _listener() as (port, word):
        direct = _ask(port, word)
        if direct:
            saw = f"a listener of our own on 127.0.0.1 cannot be reached: {direct}"
            try_ = "end the VPN or firewall that filters loopback; then: course doctor"
            return [Finding("loopback", False, saw, try_)]
        proxies = _proxies(machine.env)
        named = proxies.get("http") or proxies.get("all")
        through = _ask(port, word, named) if named and not _bypassed(machine.env) else ""
        if through:
            saw = f"the proxy of the environment answers for 127.0.0.1: {through}"
            return [Finding("loopback", False, saw, _no_proxy(machine.env))]
    names = _addresses("localhost")
    if names and not names & {"127.0.0.1", "::1"}:
        saw = f"localhost is {', '.join(sorted(names))}"
        return [Finding("loopback", False, saw, "restore `127.0.0.1 localhost` in /etc/hosts")]
    return [Finding("loopback", True, "a listener of our own answers")]


@contextlib.contextmanager
def _listener() -> Iterator[tuple[int, str]]:
    word = secrets.token_hex(8)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(word.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: it is our own request."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], word
    finally:
        server.shutdown()
        server.server_close()


def _ask(port: int, word: str, proxy: str = "") -> str:
    """What is wrong with the answer of our listener, or nothing.

    Args:
        port: where it listens.
        word: what it answers.
        proxy: the address of who is asked to ask it; empty to dial it.
    """
    url = f"http://127.0.0.1:{port}/"
    try:
        dialled = _split(proxy or url)
        host, at = dialled.hostname or "", dialled.port or 80
    except ValueError as error:
        return str(error)
    connection = http.client.HTTPConnection(host, at, timeout=DEADLINE)
    try:
        connection.request("GET", url if proxy else "/")
        answer = connection.getresponse()
        if answer.read(100).decode(errors="replace") != word:
            return f"HTTP {answer.status} from somebody else"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    return ""


def _split(url: str) -> urllib.parse.SplitResult:
    """A proxy's address, which may be written without its scheme."""
    return urllib.parse.urlsplit(url if "//" in url else f"//{url}")


def _addresses(name: str) -> set[str]:
    try:
        return {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


def proxy(machine: Machine) -> list[Finding]:
    """A proxy that is set but leaves out loopback, or does not answer."""
    proxies = _proxies(machine.env)
    if not proxies:
        return [Finding("proxy", True, "none")]
    found = []
    if not _bypassed(machine.env):
        saw = "a proxy is set, and NO_PROXY does not leave out this machine: a shell of yours asks "
        saw += "it for 127.0.0.1 (what the course starts does not)"
        found.append(Finding("proxy", False, saw, _no_proxy(machine.env)))
    for name, url in sorted(proxies.items()):
        parts = _split(url)
        try:
            port = parts.port or _PORTS.get(parts.scheme, 80)
            socket.create_connection((parts.hostname or "", port), DEADLINE).close()
        except (OSError, ValueError) as error:
            where = parts.netloc.rpartition("@")[2]
            saw = f"the {name} proxy {where} does not answer: {error}"
            try_ = f"correct {name.upper()}_PROXY, or: unset {name.upper()}_PROXY"
            found.append(Finding("proxy", False, saw, try_))
    return found or [Finding("proxy", True, "set, answers, and leaves out loopback")]


def _proxies(env: Mapping[str, str]) -> dict[str, str]:
    both = {name: env.get(f"{name}_proxy") or env.get(f"{name.upper()}_PROXY") for name in _KINDS}
    return {name: value for name, value in both.items() if value}


_KINDS = ("http", "https", "all")
_PORTS = {"https": 443, "socks4": 1080, "socks5": 1080, "socks5h": 1080}


def _bypassed(env: Mapping[str, str]) -> bool:
    named = env.get("no_proxy") or env.get("NO_PROXY") or ""
    return all(inherited.left_out(named, name) for name in _LOOPBACK)


def _no_proxy(env: Mapping[str, str]) -> str:
    kept = env.get("no_proxy") or env.get("NO_PROXY") or ""
    value = ",".join(filter(None, [kept, "localhost,127.0.0.1,.localhost"]))
    quoted = shlex.quote(value)
    return f"export NO_PROXY={quoted} no_proxy={quoted}"


def routes(machine: Machine) -> list[Finding]:
    """A route, as a VPN sets it, that takes the addresses of Docker's networks."""
    table = machine.file("/proc/net/route")
    if not table.exists():
        return []  # not Linux: Docker's networks are in its own virtual machine
    if machine.docker_info is None:
        return [Finding("routes", None, "no Docker to compare with")]
    networks = _docker_networks(machine)
    found = []
    for interface, route in _routes(table.read_text()):
        for name, network in networks.items():
            # Only a route as narrow as Docker's own wins over it.
            if route.subnet_of(network):
                saw = f"{interface} takes {route}, which is in Docker's network {name} ({network})"
                try_ = f"disconnect the VPN behind {interface}, then: course up"
                found.append(Finding("routes", False, saw, try_))
    return found or [Finding("routes", True, "none takes the addresses of Docker's networks")]


def _routes(table: str) -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or words[0].startswith(_BRIDGES):
            continue
        prefix = int(words[7], 16).bit_count()
        network = ipaddress.IPv4Network((_swapped(words[1]), prefix), strict=False)
        if network.prefixlen:
            yield words[0], network


def _swapped(word: str) -> int:
    """An address of /proc/net/route, which is written in the machine's own byte order."""
    return int.from_bytes(int(word, 16).to_bytes(4, "little"), "big")


def _docker_networks(machine: Machine) -> dict[str, ipaddress.IPv4Network]:
    found = {}
    for network in client(machine.docker_host, timeout=3).api.networks():
        for config in (network.get("IPAM") or {}).get("Config") or []:
            subnet = config.get("Subnet", "")
            if "." in subnet:
                found[str(network["Name"])] = ipaddress.IPv4Network(subnet)
    return found
