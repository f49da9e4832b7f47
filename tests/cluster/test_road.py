"""The road outside: the official images and releases, through a simulated internet.

Both of Docker's image stores; a proxy, a mirror, no proxy; and what goes wrong on the way.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from course.artifacts import debian, fetch, first_seen, gateway_api, images, pulls, tools
from course.core import paths
from course.core.errors import CourseError
from course.core.process import default_runner
from tests.internet import gate as gates
from tests.internet import hub as hubs
from tests.internet import releases
from tests.internet.gate import Gate
from tests.internet.machine import STORES, Machine, wait_for
from tests.internet.outside import Outside, publish
from tests.internet.published import repository
from tests.internet.web import Web

DEBIAN = "debian:bookworm-slim"
NODE = "node:24-slim"
UPSTREAM = images.catalogue()[NODE].upstream
KIND = next(e for e in releases.catalogue() if e.name == "kind")

FIRST = f"sha256:{'ab' * 32}"
"""What somebody pulled once, and nobody has any more."""

pytestmark = pytest.mark.skipif(
    not debian.is_root_on_debian(), reason="a network of its own needs root, and Debian's tools"
)


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """One image as it is, for what runs; the others have a few bytes."""
    return publish(tmp_path_factory.mktemp("outside"), [DEBIAN])


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine() as machine:
        yield machine


@pytest.fixture(scope="module")
def gate(outside: Outside, machine: Machine) -> Iterator[Gate]:
    with Gate(outside.web(), machine.gate, sealed=True) as gate:
        yield gate


@pytest.fixture(scope="module")
def bundle(gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gate.authority.bundle(tmp_path_factory.mktemp("trust") / "ca.pem")


@pytest.fixture(scope="module", params=list(STORES))
def docker(
    request: pytest.FixtureRequest, machine: Machine, gate: Gate, bundle: Path
) -> Iterator[str]:
    """A Docker that is set to the company's proxy, and trusts its authority."""
    with machine.docker(request.param, gates.proxied(gate, bundle)) as host:
        yield host


@dataclass
class Learner:
    """Somebody with an empty cache, a shell that is set to the proxy, and the catalogue."""

    web: Web
    outside: Outside
    cache: Path

    def pull(self, ref: str) -> str:
        """Where an image came from."""
        _forget_what_was_reached()
        return images.ensure(ref, quiet)

    def refused(self, ref: str) -> str:
        """The message instead of an image."""
        _forget_what_was_reached()
        with pytest.raises(CourseError) as refused:
            self.pull(ref)
        return str(refused.value)


@pytest.fixture
def learner(
    tmp_path: Path, outside: Outside, gate: Gate, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Learner]:
    served, catalogue = outside.tools(), outside.catalogue()
    for name in ("COURSE_STATE", "COURSE_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name, value in gates.proxied(gate, bundle).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tools, "RELEASES", served)
    monkeypatch.setattr(tools, "CATALOGUE", {n: t for n, t in served.items() if t.commands})
    monkeypatch.setattr(images, "catalogue", lambda: catalogue)
    # Somebody on a Mac: what cannot be had from its publisher cannot be had.
    monkeypatch.setattr(images, "can_assemble", lambda: False)
    gate.web.asked.clear()
    fetch._session.cache_clear()
    _forget_what_was_reached()
    yield Learner(gate.web, outside, tmp_path / "course_cache")
    fetch._session.cache_clear()
    _forget_what_was_reached()
    assert gate.web.faults == []


def _forget_what_was_reached() -> None:
    """Each try is a process of its own, as far as the network is concerned."""
    fetch._unreached.clear()
    pulls._unreached.clear()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the shell to a Docker that has none of our images yet."""

    def use(host: str) -> None:
        monkeypatch.setenv("DOCKER_HOST", host)
        listed = (
            default_runner().run(["docker", "image", "ls", "--all", "--quiet"], timeout=30).stdout
        )
        if listed:
            default_runner().run(
                ["docker", "image", "rm", "--force", *set(listed.split())], timeout=60
            )

    return use


def inspected(ref: str, form: str) -> str:
    argv = ["docker", "image", "inspect", ref, "--format", form]
    return default_runner().run(argv, timeout=30).stdout.strip()


MAKER = """
import time
from tests.internet.machine import Machine
with Machine() as machine:
    machine.run("sh", "-c", "sleep 604.8 >/dev/null 2>&1 &")
    print(machine.folder, machine.gate, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_a_machine_ends_with_its_maker_however_that_ends(how: signal.Signals) -> None:
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert maker.stdout is not None
    folder, gate = maker.stdout.readline().split()
    assert gate in addresses()
    assert sleepers() == 1
    maker.send_signal(how)
    maker.wait(20)
    maker.stdout.close()
    wait_for(lambda: sleepers() == 0 and gate not in addresses(), "its end", wait=20)
    # A killed one leaves a folder, which the next machine removes.
    with Machine(number=250):
        assert not Path(folder).exists()


def sleepers() -> int:
    return sum(p.info["cmdline"] == ["sleep", "604.8"] for p in psutil.process_iter(["cmdline"]))


def addresses() -> set[str]:
    return {a.address for known in psutil.net_if_addrs().values() for a in known}


# -- the catalogue


def test_every_address_of_the_catalogue_is_served_and_no_other(
    learner: Learner, outside: Outside
) -> None:
    assert {release.address() for release in tools.RELEASES.values()} == {
        entry.url for entry in releases.catalogue()
    }
    for entry in releases.catalogue():
        assert urlsplit(entry.url).hostname in learner.web.sites
        if entry.checksum:
            assert outside.releases.sha256(entry.url) in fetch.text(entry.checksum)
    with pytest.raises(CourseError, match="404"):
        fetch.text(KIND.url.replace("kind-", "kind2-"))
    for ref in images.catalogue():
        found = outside.published.manifest(*repository(ref))
        assert found is not None
        kinds = [entry["platform"]["os"] for entry in json.loads(found[2])["manifests"]]
        assert kinds == ["linux", "linux", "unknown", "unknown"]


def test_every_tool_comes_from_its_publisher_checked_and_nothing_is_compiled(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "course.artifacts.packages.resolve", lambda *_, **__: pytest.fail("compiled")
    )
    for name, release in tools.CATALOGUE.items():
        found = tools.ensure(name, quiet)
        assert set(found) == set(release.commands)
        for file in found.values():
            assert file.is_relative_to(learner.cache)
            assert os.access(file, os.X_OK)
            assert file.stat().st_size > 1 << 20
    asked = {request.host for request in learner.web.asked}
    assert asked >= {releases.KIND, releases.GITHUB, releases.ASSETS, releases.DOCKER}
    assert learner.web.tunnelled == set()


# -- images


def test_an_image_is_pulled_and_taken_as_pulled_and_its_digest_is_kept(
    docker: str, learner: Learner, use: Callable[[str], None]
) -> None:
    use(docker)
    digest = learner.outside.published.digest(DEBIAN)
    assert learner.pull(DEBIAN) == "pulled"
    assert learner.pull(DEBIAN) == "present"
    assert not images.assembled(DEBIAN)
    assert digest in inspected(DEBIAN, "{{json .RepoDigests}}")
    kept = first_seen.first(images.catalogue()[DEBIAN].upstream)
    assert kept is not None
    assert kept.value == digest
    # It is a whole image, not an index of things that are not there.
    said = default_runner().run(
        ["docker", "run", "--rm", DEBIAN, "cat", "/etc/debian_version"], timeout=60
    )
    assert said.stdout.startswith("12")
    hosts = [request.host for request in learner.web.asked]
    assert {hubs.REGISTRY, hubs.TOKENS, hubs.CDN} == set(hosts)


def test_what_was_pulled_first_is_pulled_again_whatever_its_tag_names_now(
    docker: str, learner: Learner, use: Callable[[str], None]
) -> None:
    use(docker)
    assert learner.pull(NODE) == "pulled"
    default_runner().run(["docker", "image", "rm", NODE], timeout=30)
    first = learner.outside.published.digest(NODE)
    with moved(learner.outside, NODE) as second:
        assert learner.pull(NODE) == "pulled"
        assert first in inspected(NODE, "{{json .RepoDigests}}")
        assert second not in inspected(NODE, "{{json .RepoDigests}}")


def test_another_image_under_the_name_is_told_and_not_taken(
    docker: str, learner: Learner, use: Callable[[str], None]
) -> None:
    use(docker)
    first_seen.keep(UPSTREAM, FIRST)
    _says(learner.refused(NODE), FIRST, learner.outside.published.digest(NODE))
    assert (
        default_runner().run(["docker", "image", "inspect", NODE], timeout=30, check=False).code
        != 0
    )


def test_the_cited_digest_of_the_node_is_the_one_that_is_pulled(
    docker: str, learner: Learner, use: Callable[[str], None]
) -> None:
    use(docker)
    ref = next(ref for ref in images.catalogue() if ref.startswith("kindest/"))
    digest = learner.outside.published.digest(ref)
    with moved(learner.outside, ref):
        assert learner.pull(ref) == "pulled"
    assert f"kindest/node@{digest}" in inspected(ref, "{{json .RepoDigests}}")


@contextlib.contextmanager
def moved(outside: Outside, ref: str) -> Iterator[str]:
    """A tag names another image meanwhile; that one's digest."""
    kept = outside.published.digest(ref)
    try:
        yield outside.published.invent(ref, "of another day")
    finally:
        outside.published.tags[repository(ref)] = kept


@contextlib.contextmanager
def gone(learner: Learner, ref: str) -> Iterator[None]:
    """A registry does not have a tag or a digest."""
    body = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
    with learner.web.fault("*", f"*/manifests/{ref}", status=404, body=body, headers=_JSON):
        yield


_JSON = {"Content-Type": "application/json"}


def _says(said: str, *facts: str) -> None:
    for fact in facts:
        assert fact in said, said


def test_each_refusal_of_the_registry_is_named_with_what_to_do(
    docker: str, learner: Learner, use: Callable[[str], None]
) -> None:
    use(docker)
    web = learner.web
    manifests = (hubs.REGISTRY, "*/manifests/*")
    with web.fault(*manifests, **hubs.too_many()):
        _says(learner.refused(NODE), "HTTP 429", "docker login", "six hours")
    with web.fault("proxy", hubs.REGISTRY, status=407):
        _says(learner.refused(NODE), "HTTP 407", "user name", "proxy settings")
    with web.fault(hubs.REGISTRY, status=403, body=b'{"errors":[]}', headers=_JSON):
        _says(learner.refused(NODE), "403")
    with web.fault(hubs.REGISTRY, status=500, body=b'{"errors":[]}', headers=_JSON):
        _says(learner.refused(NODE), "500")
    with gone(learner, "24-slim"):
        _says(learner.refused(NODE), "no such image", UPSTREAM)
    assert learner.pull(NODE) == "pulled"


def test_an_image_that_breaks_off_comes_whole_at_the_next_try(
    docker: str, learner: Learner, use: Callable[[str], None]
) -> None:
    use(docker)
    # Docker itself tries again, some times.
    with learner.web.fault(hubs.CDN, cut=100, times=1):
        assert learner.pull(NODE) == "pulled"
    assert inspected(NODE, "{{.Architecture}}")


@pytest.mark.parametrize("store", STORES)
def test_an_authority_that_docker_lacks_is_named(
    store: str, machine: Machine, gate: Gate, learner: Learner, use: Callable[[str], None]
) -> None:
    with machine.docker(store, gates.proxied(gate, None)) as host:
        use(host)
        _says(learner.refused(NODE), "does not trust", "certificate", "authority")


@pytest.mark.parametrize("store", STORES)
def test_where_only_a_proxy_leads_out_docker_without_it_reaches_nothing(
    store: str, machine: Machine, learner: Learner, bundle: Path, use: Callable[[str], None]
) -> None:
    with machine.docker(store, gates.trusting(bundle)) as host:
        use(host)
        _says(learner.refused(NODE), "no registry in reach")
    assert learner.web.urls(hubs.REGISTRY) == []


@pytest.mark.parametrize("store", STORES)
def test_a_mirror_is_enough(
    store: str, machine: Machine, gate: Gate, learner: Learner, use: Callable[[str], None]
) -> None:
    with machine.docker(store, {}, "--registry-mirror", gate.mirror) as host:
        use(host)
        assert learner.pull(NODE) == "pulled"
        assert images.ensure(NODE, quiet) == "present"
        assert {request.host for request in learner.web.asked} == {gates.MIRROR}
        use(host)
        first_seen.keep(UPSTREAM, FIRST)
        _says(learner.refused(NODE), FIRST, learner.outside.published.digest(NODE), "mirror")


@pytest.mark.parametrize("store", STORES)
def test_a_disk_that_fills_is_named_and_the_pull_goes_on_when_there_is_room(
    store: str,
    machine: Machine,
    gate: Gate,
    bundle: Path,
    learner: Learner,
    use: Callable[[str], None],
) -> None:
    with machine.docker(store, gates.proxied(gate, bundle), room=40) as host:
        use(host)
        _says(learner.refused(DEBIAN), "disk", "full", "docker system df")
        machine.room(host, 900)
        assert learner.pull(DEBIAN) == "pulled"


# -- releases


def content_of(url: str, learner: Learner) -> Path:
    """The file that is served at an address."""
    found = learner.outside.releases.files[url]
    assert isinstance(found, Path)
    return found


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(learner: Learner) -> None:
    content = content_of(KIND.url, learner)
    size = content.stat().st_size
    with learner.web.fault(releases.ASSETS, "*kind-*", cut=size * 6 // 10, times=1):
        with pytest.raises(CourseError, match="broke off after") as broken:
            tools.ensure("kind", quiet)
        assert "goes on where it stopped" in str(broken.value)
        asked = len(learner.web.asked)
        found = tools.ensure("kind", quiet)["kind"]
    assert _sha(found) == _sha(content)
    again = [r for r in learner.web.asked[asked:] if "range" in r.headers]
    assert {request.range for request in again} == {size * 6 // 10}


def test_a_server_that_all_but_stops_is_given_up_and_gone_on_with(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, learner.web.fault(releases.ASSETS, pause=0.2):
        patch.setattr(fetch, "_SLOWEST", (1 << 40, 0.3))
        with pytest.raises(CourseError, match="broke off") as slow:
            tools.ensure("kind", quiet)
    _says(str(slow.value), "bytes in", "goes on where it stopped")
    assert tools.ensure("kind", quiet)["kind"].exists()
    assert learner.web.asked[-1].range > 0


def test_a_server_that_gives_the_whole_again_is_taken_at_its_word(learner: Learner) -> None:
    content = content_of(KIND.url, learner)
    with (
        learner.web.fault(releases.ASSETS, "*kind-*", cut=100_000, times=1),
        pytest.raises(CourseError, match="broke off"),
    ):
        tools.ensure("kind", quiet)
    with learner.web.fault(releases.ASSETS, "*kind-*", whole=True):
        assert _sha(tools.ensure("kind", quiet)["kind"]) == _sha(content)


def test_another_content_than_the_cited_is_refused_and_thrown_away(learner: Learner) -> None:
    with (
        learner.web.fault(releases.ASSETS, "*kind-*", body=b"#!/bin/sh\n# not kind\n"),
        pytest.raises(CourseError, match="sha256"),
    ):
        tools.ensure("kind", quiet)
    assert [p for p in learner.cache.rglob("kind*") if p.is_file()] == []
    assert tools.ensure("kind", quiet)["kind"].exists()


@pytest.mark.parametrize(
    ("status", "facts"),
    [
        (404, ("not there", "git pull")),
        (403, ("refused", "HTTP 403")),
        (429, ("too many requests", "again")),
        (500, ("HTTP 500", "again")),
    ],
)
def test_each_refusal_of_a_release_host_is_named(
    status: int, facts: tuple[str, ...], learner: Learner
) -> None:
    with learner.web.fault(releases.KIND, status=status), pytest.raises(CourseError) as refused:
        tools.ensure("kind", quiet)
    _says(str(refused.value), KIND.url, *facts)


def test_a_proxy_that_wants_a_name_is_named_and_with_the_name_it_works(
    learner: Learner, gate: Gate, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "credentials", "ada:s3cret")
    with pytest.raises(CourseError, match="407") as refused:
        tools.ensure("kind", quiet)
    _says(str(refused.value), "user name", "HTTPS_PROXY")
    assert "s3cret" not in str(refused.value)
    for name, value in gates.proxied(gate, bundle).items():
        monkeypatch.setenv(name, value)
    assert tools.ensure("kind", quiet)["kind"].exists()


def test_an_authority_that_this_machine_lacks_is_named(
    learner: Learner, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name)
    with pytest.raises(CourseError, match="not trusted") as refused:
        tools.ensure("kind", quiet)
    _says(str(refused.value), releases.KIND, "SSL_CERT_FILE")


def test_the_gateways_definitions_come_from_their_release(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "course.artifacts.packages.resolve", lambda *_, **__: pytest.fail("assembled")
    )
    url = next(e.url for e in releases.catalogue() if e.name == "gateway-api")
    monkeypatch.setattr(gateway_api, "_DEFINITIONS", tools.RELEASES["gateway-api"])
    kept = gateway_api.definitions(quiet, None)  # type: ignore[arg-type]
    assert _sha(kept) == learner.outside.releases.sha256(url)
    shutil.rmtree(learner.cache)
