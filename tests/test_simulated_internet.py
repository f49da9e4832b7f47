"""tests.internet: what stands for the outside answers as the outside does. No Docker is needed."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from course.artifacts import images
from tests.internet import gate as gates
from tests.internet import hub as hubs
from tests.internet.gate import Gate
from tests.internet.hub import Hub
from tests.internet.published import INDEX, Published, invented
from tests.internet.releases import Releases
from tests.internet.web import Answer, Web

TEA = "https://github.com/tea/pot/releases/download/v1/pot"
CONTENT = bytes(range(256)) * 4000
Get = Callable[..., Any]


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return invented(["debian:bookworm-slim", "kindest/node:v1.36.4"], tmp_path / "blobs")


@pytest.fixture
def web(published: Published) -> Web:
    files = Releases()
    files.publish(TEA, CONTENT, TEA + ".sha256sum")
    return Web(Hub(published).sites() | files.sites())


@pytest.fixture
def gate(web: Web) -> Iterator[Gate]:
    with Gate(web, sealed=True) as gate:
        yield gate


@pytest.fixture
def get(gate: Gate, tmp_path: Path) -> Get:
    trusted = ssl.create_default_context(cafile=str(gate.authority.bundle(tmp_path / "ca.pem")))
    proxy = urllib.request.ProxyHandler({"https": gate.proxy})

    def get(url: str, *, context: ssl.SSLContext = trusted, **headers: str) -> Any:
        https = urllib.request.HTTPSHandler(context=context)
        opener = urllib.request.build_opener(proxy, https)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return opener.open(urllib.request.Request(url, headers=named), timeout=10)

    return get


def status(get: Get, url: str, **headers: str) -> int:
    try:
        return int(get(url, **headers).status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_release_comes_from_another_host_than_it_is_asked_of(get: Get, web: Web) -> None:
    assert get(TEA).read() == CONTENT
    assert [request.host for request in web.asked] == [
        "github.com",
        "release-assets.githubusercontent.com",
    ]
    line = get(TEA + ".sha256sum").read().decode()
    assert line == f"{hashlib.sha256(CONTENT).hexdigest()}  pot\n"


def test_kinds_own_site_and_kubernetes_send_elsewhere(get: Get, web: Web) -> None:
    files = Releases()
    files.publish("https://kind.sigs.k8s.io/dl/v9/kind-linux-amd64", b"kind")
    files.publish("https://dl.k8s.io/v9/kubectl", b"kubectl", "https://dl.k8s.io/v9/kubectl.sha256")
    web.sites |= files.sites()
    assert get("https://kind.sigs.k8s.io/dl/v9/kind-linux-amd64").read() == b"kind"
    assert "/kubernetes-sigs/kind/releases/download/v9/kind-linux-amd64" in web.asked[1].path
    assert get("https://dl.k8s.io/v9/kubectl").read() == b"kubectl"
    told = get("https://dl.k8s.io/v9/kubectl.sha256").read().decode()
    assert told == hashlib.sha256(b"kubectl").hexdigest()


def test_a_part_is_given_and_what_is_beyond_the_end_refused(get: Get) -> None:
    answer = get(TEA, Range="bytes=1000-")
    assert (answer.status, answer.read()) == (206, CONTENT[1000:])
    assert answer.headers["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert status(get, TEA, Range=f"bytes={len(CONTENT)}-") == 416
    tag = answer.headers["ETag"]
    assert status(get, TEA, Range="bytes=1-", If_Range=tag) == 206
    assert status(get, TEA, Range="bytes=1-", If_Range='"of another file"') == 200


def test_every_fault_is_what_it_says_and_is_over_with_its_block(get: Get, web: Web) -> None:
    assets = "release-assets.githubusercontent.com"
    for wanted in (403, 404, 429, 500):
        with web.fault("github.com", "*/pot", status=wanted):
            assert status(get, TEA) == wanted
            assert status(get, TEA + ".sha256sum") == 200
    with web.fault(assets, cut=5000), pytest.raises(http.client.IncompleteRead) as broken:
        get(TEA).read()
    assert len(broken.value.partial) == 5000
    with web.fault(assets, whole=True):
        assert get(TEA, Range="bytes=1000-").status == 200
    with web.fault(assets, body=b"another"):
        assert get(TEA).read() == b"another"
    with web.fault(assets, status=500, times=1):
        assert [status(get, TEA), status(get, TEA)] == [500, 200]
    assert get(TEA).read() == CONTENT


def test_the_proxy_refuses_what_is_not_simulated_and_who_does_not_say_its_name(
    get: Get, gate: Gate, web: Web
) -> None:
    with pytest.raises(OSError, match="403"):
        get("https://example.com/")
    with web.fault("proxy", "github.com", status=407), pytest.raises(OSError, match="407"):
        get(TEA)
    gate.credentials = "ada:secret"
    with pytest.raises(OSError, match="407"):
        get(TEA)
    assert web.tunnelled == set()


def test_who_does_not_know_the_authority_refuses_us(get: Get) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(TEA, context=ssl.create_default_context())


def test_another_host_is_connected_through_unread(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there, Gate(web) as gate:
        port = there.getsockname()[1]
        with socket.create_connection(("127.0.0.1", int(gate.proxy.rsplit(":", 1)[1]))) as here:
            here.sendall(f"CONNECT localhost:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b" 200 " in here.recv(1000)
            theirs, _ = there.accept()
            with theirs:
                here.sendall(b"anything")
                assert theirs.recv(100) == b"anything"
                theirs.sendall(b"back")
                assert here.recv(100) == b"back"
    assert web.tunnelled == {"localhost"}


def test_the_name_is_found_in_the_first_message_of_every_tls_client() -> None:
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ours, theirs, server_hostname="auth.docker.io")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = theirs.read()
    assert gates.server_name(hello) == "auth.docker.io"
    assert {gates.server_name(hello[:n]) for n in range(len(hello))} == {""}
    assert gates.server_name(b"GET / HTTP/1.1\r\n\r\n") == ""


def test_names_are_resolved_to_the_gate(gate: Gate) -> None:
    def ask(name: str, kind: int) -> bytes:
        labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
        question = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + labels + b"\0" + bytes([0, kind, 0, 1])
        return gates.resolved(question, gate)

    assert ask("github.com", 1)[3] & 0x0F == 3  # behind a proxy, names lead nowhere
    gate.direct = True
    assert ask("github.com", 1).endswith(socket.inet_aton("127.0.0.1"))
    assert ask("github.com", 28)[3:8] == b"\x80\x00\x01\x00\x00"
    for unknown in ("example.com", "postgres"):
        assert ask(unknown, 1)[3] & 0x0F == 3


def _token(get: Get, challenge: str) -> str:
    said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    url = f"{said['realm']}?service={said['service']}&scope={said['scope']}"
    return str(json.load(get(url))["token"])


def test_an_image_is_pulled_as_docker_hub_wants_it(
    get: Get, web: Web, published: Published
) -> None:
    url = f"https://{hubs.REGISTRY}/v2/library/debian/manifests/bookworm-slim"
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(url)
    assert refused.value.code == 401
    bearer = "Bearer " + _token(get, refused.value.headers["WWW-Authenticate"])
    answer = get(url, Authorization=bearer)
    assert answer.headers["Docker-Content-Digest"] == published.digest("debian:bookworm-slim")
    assert answer.headers["ratelimit-limit"] == "100;w=21600"
    assert answer.headers["Content-Type"] == INDEX
    index = json.load(answer)
    of = {e["platform"]["architecture"]: e for e in reversed(index["manifests"])}
    here = of["amd64"]["digest"]
    manifest = json.load(get(url.replace("bookworm-slim", here), Authorization=bearer))
    layer = manifest["layers"][0]["digest"]
    data = get(f"https://{hubs.REGISTRY}/v2/library/debian/blobs/{layer}", Authorization=bearer)
    assert urlsplit(data.url).hostname == hubs.CDN
    assert "verify" in parse_qs(urlsplit(data.url).query)
    assert f"sha256:{hashlib.sha256(data.read()).hexdigest()}" == layer
    # A token is for one repository.
    other = url.replace("library/debian", "kindest/node").replace("bookworm-slim", "v1.36.4")
    assert status(get, other, Authorization=bearer) == 401
    unknown = url.replace("bookworm-slim", "sid")
    assert status(get, unknown, Authorization=bearer) == 404


def test_what_is_published_has_platforms_and_attestations_and_no_label_of_ours(
    published: Published,
) -> None:
    digest = published.digest("kindest/node:v1.36.4")
    found = published.manifest("kindest/node", digest)
    assert found is not None
    entries = json.loads(found[2])["manifests"]
    platforms = [(e["platform"]["os"], e["platform"]["architecture"]) for e in entries]
    assert platforms == [("linux", "amd64"), ("linux", "arm64"), ("unknown", "unknown")] + [
        ("unknown", "unknown")
    ]
    for entry, subject in zip(entries[2:], entries[:2], strict=True):
        assert entry["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
        assert entry["annotations"]["vnd.docker.reference.digest"] == subject["digest"]
    for entry in entries:
        manifest = published.manifest("kindest/node", entry["digest"])
        assert manifest is not None
        config = published.blob(json.loads(manifest[2])["config"]["digest"])
        assert config is not None
        assert images.KEY not in config.read_text()


def test_docker_hubs_limit_is_told_as_docker_hub_tells_it(get: Get, web: Web) -> None:
    with (
        web.fault(hubs.REGISTRY, "*/manifests/*", **hubs.too_many()),
        pytest.raises(urllib.error.HTTPError) as refused,
    ):
        get(f"https://{hubs.REGISTRY}/v2/library/debian/manifests/bookworm-slim")
    assert refused.value.code == 429
    assert json.load(refused.value)["errors"][0]["code"] == "TOOMANYREQUESTS"


def test_a_mirror_wants_no_token_and_gives_the_blobs_itself(
    web: Web, published: Published, gate: Gate
) -> None:
    web.sites[gates.MIRROR] = Hub(published, tokens=False, redirects=False).registry
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"{gate.mirror}/v2/library/debian/manifests/bookworm-slim"
    assert json.load(opener.open(url, timeout=10))["mediaType"] == INDEX
    web.sites[gates.MIRROR] = lambda _: Answer(503)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        opener.open(url, timeout=10)
