"""From nothing to lesson 1 on the road that learners with the internet take, on both image stores.

Nothing of the course is on the machine; all of it is pulled and downloaded, and nothing compiled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from course.artifacts import debian, images
from course.core import manifest
from course.core.names import CLUSTER, CONTAINERS, NETWORK_POLICY, ORDERS
from course.dev import proving
from tests.internet import hub as hubs
from tests.internet import releases
from tests.internet.machine import CONTAINERD, GRAPH
from tests.internet.outside import Outside, publish
from tests.internet.road import DIRECT, PROXY, Road, begun

NOT_PULLED = {"debian:bookworm-slim"}
"""What others are assembled on."""
READ_IMAGES = 4
"""Lessons from the first on that read images."""

pytestmark = pytest.mark.skipif(
    not debian.is_root_on_debian(), reason="a machine of its own needs root, and Debian's tools"
)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    return publish(tmp_path_factory.mktemp("outside"))


@pytest.fixture
def bare(outside: Outside) -> Iterator[Road]:
    """No proxy and no Docker: the course brings its own, which keeps images in containerd."""
    debian.ensure(debian.DOCKER, lambda *_: None)
    with begun(outside, DIRECT) as road:
        yield road


@pytest.fixture
def company(outside: Outside) -> Iterator[Road]:
    """A company's proxy and authority, and a Docker of long standing, with graph drivers."""
    with begun(outside, PROXY, GRAPH) as road:
        yield road


def start(road: Road, outside: Outside) -> None:
    """`make start`, and what has to be true after it."""
    said = road.run("make start HEADLESS=1", "make", "start", "HEADLESS=1")
    first = manifest.load().lessons[0].stem
    assert f"✓ {first} ran to its end" in said
    assert "orders answers" in said
    assert road.compiled() == []
    status = road.status()
    for step in status["steps"]:
        print(f"   {step['seconds']:7.1f} s    {step['title']}")
    assert {CONTAINERS, CLUSTER, ORDERS} <= set(status["has"])
    # The node says itself which network it has: an assembled one has no label here.
    assert (NETWORK_POLICY in status["has"]) is outside.enforces_policies
    # Every image is the publisher's, at his digest; none is taken for one of ours.
    for ref in sorted(images.catalogue().keys() - NOT_PULLED):
        facts = road.course(f"image {ref}", "docker", "image", "inspect", ref, "-f", "{{json .}}")
        found = json.loads(facts)
        assert any(outside.published.digest(ref) in d for d in found["RepoDigests"]), ref
        assert images.KEY not in (found["Config"].get("Labels") or {})
    asked = {request.host for request in road.web.asked}
    wanted = {urlsplit(e.url).hostname for e in releases.catalogue() if e.name != "docker"}
    assert wanted | {hubs.REGISTRY, hubs.TOKENS, hubs.CDN} <= asked | {None}
    print(f"   hosts beside the publishers': {', '.join(sorted(road.web.tunnelled))}")
    again = road.run("make start again", "make", "start", "HEADLESS=1")
    assert "everything runs" in again


def store(road: Road) -> str:
    """Where the Docker in use keeps images."""
    said = road.course("docker info", "docker", "info", "-f", "{{json .DriverStatus}}")
    return CONTAINERD if "io.containerd.snapshotter" in said else GRAPH


def end(road: Road) -> None:
    """`make stop`, and nothing of the course runs."""
    road.run("make stop", "make", "stop")
    left = road.machine.run("ps", "axo", "args")
    assert "jupyter" not in left, left


def test_from_nothing_without_docker_and_without_a_proxy(bare: Road, outside: Outside) -> None:
    start(bare, outside)
    assert any(request.host == releases.DOCKER for request in bare.web.asked)
    assert store(bare) == CONTAINERD
    end(bare)
    assert "dockerd" not in bare.machine.run("ps", "axo", "args")


def test_from_nothing_with_a_proxy_and_graph_drivers_and_the_lessons_that_read_images(
    company: Road, outside: Outside
) -> None:
    start(company, outside)
    assert store(company) == GRAPH
    company.run("the tests' tools", ".venv/bin/uv", "sync", "--frozen", "--inexact", "--quiet")
    for lesson in manifest.load().lessons[:READ_IMAGES]:
        for kind in ("notebooks", "solutions"):
            file = f"{kind}/{lesson.stem}.ipynb"
            argv = [".venv/bin/python", "-m", "pytest", *proving.NBVAL, file]
            company.course(file, *argv, wait=1800)
    end(company)
