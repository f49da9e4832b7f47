"""course.artifacts.pulls: what Docker says of a pull, and the digest that is kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from course.artifacts import fetch, first_seen, images, pulls
from course.core.errors import CourseError
from course.core.process import Completed, FakeRunner

UPSTREAM = "docker.io/library/node:24-slim"
FIRST, SECOND = (f"sha256:{digit * 64}" for digit in "12")
HEAD = 'Head "https://registry-1.docker.io/v2/library/node/manifests/24-slim": '
RESOLVE = 'failed to resolve reference "docker.io/library/node:24-slim": '


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    monkeypatch.setattr(pulls, "_unreached", [])
    monkeypatch.setattr(pulls, "_named_now", lambda *_: "")
    monkeypatch.setattr(images, "can_assemble", lambda: False)


def failing(stderr: str, stdout: str = "", *, alive: bool = True) -> FakeRunner:
    """A docker whose pull ends with these words."""
    said = f"Error response from daemon: {stderr}"
    return FakeRunner(
        {
            "docker image inspect": 1,
            "docker pull": Completed(("docker", "pull"), 1, stdout, said),
            "docker version": "29" if alive else 1,
        }
    )


def pulled(*digests: str) -> FakeRunner:
    """A docker whose pull gives an image with these `RepoDigests`."""
    listed = ", ".join(f'"{digest}"' for digest in digests)
    return FakeRunner(
        {
            "docker image inspect": [1, f"[{listed}]"],
            "docker pull": "",
            "docker tag": "",
        }
    )


def asked(fake: FakeRunner) -> list[str]:
    return [call[2] for call in fake.calls if call[:2] == ("docker", "pull")]


def test_the_digest_of_the_first_pull_is_kept_and_pulled_from_then_on(home: Path) -> None:
    fake = pulled(f"localhost:5001/node@{SECOND}", f"node@{FIRST}")
    assert images.ensure("node:24-slim", quiet, runner=fake) == "pulled"
    assert asked(fake) == [UPSTREAM]
    assert first_seen.first(UPSTREAM) == first_seen.Sight(FIRST, time.strftime("%Y-%m-%d"))
    # Removed, on another Docker, after the tag has moved: that image, under the lessons' name.
    again = pulled()
    images.ensure("node:24-slim", quiet, runner=again)
    assert asked(again) == [f"docker.io/library/node@{FIRST}"]
    assert ("docker", "tag", f"docker.io/library/node@{FIRST}", "node:24-slim") in again.calls
    assert first_seen.first(UPSTREAM).value == FIRST  # type: ignore[union-attr]


def test_a_published_digest_is_pulled_and_nothing_else(home: Path) -> None:
    fake = pulled()
    images.ensure("kindest/node:v1.36.4", quiet, runner=fake)
    assert asked(fake) == [
        "docker.io/kindest/node@sha256:"
        "099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed"
    ]
    assert first_seen.first("docker.io/kindest/node:v1.36.4") is None


@pytest.mark.parametrize(
    "said",
    [
        "manifest for node@sha256:1 not found: manifest unknown: manifest unknown",
        f"{RESOLVE}docker.io/library/node@sha256:1: not found",
        f'failed commit on ref "index-{FIRST}": unexpected commit digest {SECOND}, expected x',
        f"manifest verification failed for digest {FIRST}",
    ],
)
def test_a_mirror_that_has_another_digest_is_named_with_what_was_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    first_seen.keep(UPSTREAM, FIRST)
    monkeypatch.setattr(pulls, "_named_now", lambda *_: SECOND)
    with pytest.raises(CourseError) as caught:
        images.ensure("node:24-slim", quiet, runner=failing(said))
    text = str(caught.value)
    assert f"does not give {FIRST}; its tag names {SECOND} now" in text
    assert f"pulled here first, on {time.strftime('%Y')}" in text
    assert "docker pull node:24-slim; then: course up" in text
    assert not isinstance(caught.value, fetch.UnreachableError)


def test_a_mirror_that_lacks_the_digest_is_not_taken_for_no_network(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Graph drivers go on from the mirror to Docker Hub, and tell of that alone.
    first_seen.keep(UPSTREAM, FIRST)
    monkeypatch.setattr(pulls, "_named_now", lambda *_: SECOND)
    with pytest.raises(CourseError, match=f"does not give {FIRST}; its tag names {SECOND} now"):
        images.ensure("node:24-slim", quiet, runner=failing(UNREACHED[0]))
    assert pulls._unreached == []


def test_what_the_learner_pulled_instead_is_kept_from_then_on(home: Path) -> None:
    first_seen.keep(UPSTREAM, FIRST)
    fake = FakeRunner({"docker image inspect": f'|amd64|["node@{SECOND}"]\n'})
    assert images.ensure("node:24-slim", quiet, runner=fake) == "present"
    assert first_seen.first(UPSTREAM).value == SECOND  # type: ignore[union-attr]


def test_an_image_that_we_did_not_pull_says_nothing_of_its_digest(home: Path) -> None:
    # The last one may have been built here: containerd's store gives that a digest too.
    for digests in ("null", "[]", '["localhost:5001/node@sha256:1"]', f'["node@{FIRST}"]'):
        fake = FakeRunner({"docker image inspect": f"|amd64|{digests}\n"})
        assert images.ensure("node:24-slim", quiet, runner=fake) == "present"
    assert first_seen.first(UPSTREAM) is None


KINDS = {
    "limit": (
        f"{RESOLVE}unexpected status from HEAD request to https://registry-1.docker.io/v2/library/"
        "node/manifests/24-slim: 429 Too Many Requests\ntoomanyrequests: You have reached your "
        "unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
        "limit of pulls",
        "docker login",
    ),
    "limit, graph driver": (
        "toomanyrequests: You have reached your pull rate limit. You may increase the limit",
        "HTTP 429",
        "mirror",
    ),
    "proxy login": (
        f"{RESOLVE}failed to do request: {HEAD}Proxy Authentication Required",
        "407",
        "PASSWORD",
    ),
    "authority": (
        f"{RESOLVE}failed to do request: {HEAD}tls: failed to verify certificate: x509: "
        "certificate signed by unknown authority",
        "does not trust",
        "authority",
    ),
    "clock": (f"{HEAD}x509: certificate has expired or is not yet valid: current", "time", "date"),
    "disk": (
        "failed to register layer: write /usr/bin/x: no space left on device",
        "disk .* full",
        "docker system df",
    ),
    "login": (
        f"{HEAD}unauthorized: incorrect username or password",
        "refuses this login",
        "docker logout",
    ),
    "denied": (
        "pull access denied for node, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied",
        "refuses this login",
        "docker login",
    ),
    "helper": (
        'error getting credentials - err: exec: "docker-credential-desktop.exe": executable file '
        "not found in $PATH, out: ``",
        "helper",
        "credsStore",
    ),
    "processor": (
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "other processors",
        "platforms",
    ),
    "daemon": (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon "
        "running?",
        "Docker has stopped",
        "course doctor",
    ),
    "right": (
        "permission denied while trying to connect to the Docker daemon socket",
        "may not use Docker",
        "usermod",
    ),
    "portal": (
        "error parsing HTTP 403 response body: invalid character '<' looking for beginning of "
        'value: "<html>"',
        "web page",
        "browser",
    ),
    "unpublished": (
        "manifest for kindest/node:v1.36.3 not found: manifest unknown: manifest unknown",
        "no such image",
        "git pull",
    ),
}


KINDS |= {
    "limit, as a page of Cloudflare": (
        "toomanyrequests: <!DOCTYPE html>",
        "HTTP 429",
        "mirror",
    ),
    "limit, in words of a gateway": (
        "error parsing HTTP 429 response body: invalid character 'T' looking for beginning of "
        'value: "Too Many Requests (HAP429).\\n"',
        "limit of pulls",
        "mirror",
    ),
    "daemon, as Docker 29 says it": (
        "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is "
        "correct and if the daemon is running: dial unix /var/run/docker.sock: connect: "
        "connection refused",
        "Docker has stopped",
        "course doctor",
    ),
    "daemon, behind Docker Desktop": (
        "request returned 500 Internal Server Error for API route and version http://%2FUsers%2Fx"
        "%2Fdocker.sock/v1.51/images/create, check if the server supports the requested version",
        "Docker has stopped",
        "course doctor",
    ),
    "daemon, paused": (
        "Docker Desktop is manually paused. Unpause it through the Whale menu or Dashboard.",
        "Docker has stopped",
        "course doctor",
    ),
    "daemon, its containerd": (
        'connection error: desc = "transport: Error while dialing: dial unix:///run/containerd/'
        'containerd.sock: timeout": unavailable',
        "Docker has stopped",
        "course doctor",
    ),
    "disk that takes no writes": (
        "error creating temporary lease: write /var/lib/desktop-containerd/daemon/meta.db: "
        "input/output error",
        "cannot write",
        "df -h",
    ),
    "disk, a thin pool": (
        "failed to register layer: devmapper: Thin Pool has 12 free data blocks which is less",
        "disk .* full",
        "docker system df",
    ),
    "ids, Docker without root": (
        "failed to register layer: lchown /etc/gshadow: invalid argument",
        "too few user ids",
        "subuids",
    ),
    "ids, Podman's socket": (
        'writing blob: adding layer with blob "sha256:1": processing tar file(potentially '
        "insufficient UIDs or GIDs available in user namespace (requested 0:42)): exit status 1",
        "too few user ids",
        "subuids",
    ),
    "processor, Podman's socket": (
        "choosing an image from manifest list docker://node:24-slim: no image found in image index "
        'for architecture "arm64", variant "v8", OS "linux"',
        "other processors",
        "platforms",
    ),
    "damaged layer": (
        f'failed commit on ref "layer-{FIRST}": unexpected commit digest {SECOND}, expected '
        f"{FIRST}: failed precondition",
        "arrived damaged",
        "virus scanner",
    ),
    "damaged layer, graph driver": (
        f"filesystem layer verification failed for digest {FIRST}",
        "arrived damaged",
        "virus scanner",
    ),
    "country": (
        "error parsing HTTP 403 response body: invalid character '<' looking for beginning of "
        'value: "<h1>403</h1> Docker must comply with US export control regulations"',
        "does not serve the country",
        "mirror",
    ),
    "a proxy that speaks no TLS": (
        f"{HEAD}proxyconnect tcp: tls: first record does not look like a TLS handshake",
        "speaks no TLS",
        "http://",
    ),
    "not there, in words of a mirror": (
        "error parsing HTTP 404 response body: invalid character 'p' after top-level value: "
        '"404 page not found\\n"',
        "no such image",
        "mirror",
    ),
}


@pytest.mark.parametrize(("said", "saw", "try_"), KINDS.values(), ids=KINDS)
def test_what_docker_says_is_named_with_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, said: str, saw: str, try_: str
) -> None:
    monkeypatch.setattr(images, "can_assemble", lambda: True)
    monkeypatch.setattr(images, "_assemble", lambda *_: pytest.fail("it was assembled"))
    with pytest.raises(CourseError, match=saw) as caught:
        images.ensure("node:24-slim", quiet, runner=failing(said))
    assert try_ in caught.value.try_
    assert "COURSE_OFFLINE=1 course up   assembles it" in caught.value.try_
    assert said.splitlines()[-1][:60] in caught.value.saw
    assert pulls._unreached == []


UNREACHED = [
    f"{RESOLVE}failed to do request: {HEAD}dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: "
    "no such host",
    'Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for '
    "connection (Client.Timeout exceeded while awaiting headers)",
    f"{HEAD}dial tcp 1.2.3.4:443: i/o timeout",
    f"{HEAD}dial tcp 1.2.3.4:443: connect: connection refused",
    f"{HEAD}dial tcp 1.2.3.4:443: connect: network is unreachable",
    f"{HEAD}context deadline exceeded",
    f"{HEAD}net/http: timeout awaiting response headers",
    f"{HEAD}net/http: TLS handshake timeout",
    f"{HEAD}proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused",
    f"{HEAD}Forbidden",
    f"{HEAD}EOF",
    "received unexpected HTTP status: 503 Service Unavailable",
]


UNREACHED += [
    # Podman's socket without a network; a firewall that refuses; macOS' own words.
    "initializing source docker://node:24-slim: pinging container registry registry-1.docker.io: "
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: '
    "dial udp 10.0.0.2:53: socket: permission denied",
    f"{HEAD}dial tcp 1.2.3.4:443: connect: operation not permitted",
    f"{HEAD}dial tcp 1.2.3.4:443: connect: operation timed out",
    f"{HEAD}http2: client connection lost",
    f"{HEAD}remote error: tls: handshake failure",
    # Proxies answer a CONNECT in words of their own.
    f"{HEAD}Access Denied",
    f"{HEAD}blocked-by-allowlist",
    f"{HEAD}Service Temporarily Unavailable",
    f"{RESOLVE}unexpected status from HEAD request to https://registry-1.docker.io/v2/: 522 <none>",
    "failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker"
    ".io/v2/library/node/blobs/sha256:1: 403 Forbidden - Server message: unknown",
    # The publisher's own faults, told by a web page.
    "error parsing HTTP 408 response body: invalid character '<' looking for beginning of value: "
    '"<html><body><h1>408 Request Time-out</h1>"',
    "error parsing HTTP 503 response body: invalid character '<' looking for beginning of value: "
    '"<html>"',
]


@pytest.mark.parametrize("said", UNREACHED)
def test_where_no_registry_is_in_reach_it_is_assembled_and_asked_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    made: list[str] = []
    told: list[str] = []
    monkeypatch.setattr(images, "can_assemble", lambda: True)
    monkeypatch.setattr(images, "_assemble", lambda image, *_: made.append(image.ref))
    fake = failing(said)
    for ref in ("node:24-slim", "postgres:15"):
        assert images.ensure(ref, lambda what, _: told.append(what), runner=fake) == "assembled"
    assert made == ["node:24-slim", "postgres:15"]
    assert len(asked(fake)) == 1
    assert any(said in line and line.endswith("; assembling node:24-slim") for line in told)


def test_where_it_cannot_be_assembled_the_network_is_named(home: Path) -> None:
    with pytest.raises(CourseError, match=r"no registry in reach: .*no such host"):
        images.ensure("node:24-slim", quiet, runner=failing(UNREACHED[0]))


def test_what_was_tried_is_said_where_assembling_fails_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise CourseError("mmdebstrap: no mirror")

    monkeypatch.setattr(images, "can_assemble", lambda: True)
    monkeypatch.setattr(images, "_assemble", broken)
    with pytest.raises(CourseError, match=r"no mirror\n.*could not be pulled(.|\n)*no such host"):
        images.ensure("node:24-slim", quiet, runner=failing(UNREACHED[0]))


def test_a_pull_that_breaks_off_is_gone_on_with_and_not_assembled(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "can_assemble", lambda: True)
    fake = failing(f"{HEAD}unexpected EOF", "24-slim: Pulling from x\na1: Pulling fs layer\n")
    with pytest.raises(CourseError, match="broke off") as caught:
        images.ensure("node:24-slim", quiet, runner=fake)
    assert "goes on where it stopped" in caught.value.try_


def test_a_docker_that_ends_during_a_pull_is_not_taken_for_the_network(home: Path) -> None:
    with pytest.raises(CourseError, match="Docker has stopped"):
        images.ensure("node:24-slim", quiet, runner=failing("unexpected EOF", alive=False))


def test_offline_nothing_is_pulled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetch.OFFLINE, "1")
    fake = FakeRunner({"docker image inspect": 1})
    with pytest.raises(CourseError, match="COURSE_OFFLINE=1 is set"):
        images.ensure("node:24-slim", quiet, runner=fake)
    monkeypatch.setattr(images, "can_assemble", lambda: True)
    monkeypatch.setattr(images, "_assemble", lambda *_: None)
    assert images.ensure("node:24-slim", quiet, runner=fake) == "assembled"
    assert asked(fake) == []


def test_a_warning_about_dockers_settings_is_not_taken_for_the_registrys_answer(home: Path) -> None:
    # After `sudo docker login` the file is root's.
    warning = "WARNING: Error loading config file: open /home/x/.docker/config.json: permission "
    said = f"{warning}denied\nError response from daemon: {UNREACHED[0]}"
    fake = FakeRunner(
        {"docker image inspect": 1, "docker pull": Completed(("docker", "pull"), 1, "", said)}
    )
    with pytest.raises(fetch.UnreachableError, match="no such host"):
        images.ensure("node:24-slim", quiet, runner=fake)


def test_of_a_web_page_in_the_answer_the_line_is_shown_that_tells(home: Path) -> None:
    page = "toomanyrequests: <!DOCTYPE html>\n<html>\n  <head>\n</html>"
    with pytest.raises(CourseError, match="\n      toomanyrequests: "):
        images.ensure("node:24-slim", quiet, runner=failing(page))


def test_a_disk_that_a_file_is_not_readable_on_is_no_login(home: Path) -> None:
    said = "failed to register layer: open /var/lib/docker/overlay2/x: permission denied"
    with pytest.raises(CourseError, match="overlay2/x: permission denied") as caught:
        images.ensure("node:24-slim", quiet, runner=failing(said))
    assert "login" not in str(caught.value)
