"""course.engine.addons: how an add-on reaches a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from course.core import paths
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import addons
from course.engine.addons import addon
from course.engine.addons.addon import Addon
from course.engine.kind import Kind
from course.engine.local_registry import Registry

IMAGE = "thing:1"
PINNED = "thing:1@sha256:abc"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


@pytest.fixture
def thing(tmp_path: Path) -> Addon:
    """An add-on of two files."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(f"image: {IMAGE}\nannotations: {{ x: FINGERPRINT }}\n")
    second.write_text("kind: Service\n")
    return Addon(
        "thing",
        (first, second),
        ("thing",),
        made_from=lambda: ("1",),
        prepare=lambda *_: {IMAGE: PINNED},
        namespace="course-system",
    )


def cluster(fake: FakeRunner) -> Kind:
    return Kind(fake, Registry(5001, fake), 8080, 8443)


def test_its_files_are_applied_in_order_with_its_images_by_digest(home: Path, thing: Addon) -> None:
    fake = FakeRunner({"kubectl": 0})
    thing.install(cluster(fake), quiet)
    first, second, wait = fake.calls
    assert {"--server-side", "--force-conflicts", "course-system"} <= set(first) & set(second)
    assert fake.inputs[0] == f"image: {PINNED}\nannotations: {{ x: {thing.fingerprint()} }}\n"
    assert fake.inputs[1] == "kind: Service\n" and "rollout" in wait
    assert addon.applied() == {"thing": thing.fingerprint()}


def test_what_did_not_become_ready_is_not_recorded(home: Path, thing: Addon) -> None:
    apply = f"kubectl --kubeconfig {paths.kubeconfig()} --namespace"
    with pytest.raises(CourseError):
        thing.install(cluster(FakeRunner({"kubectl": 1, apply: 0})), quiet)
    assert addon.applied() == {}


def test_each_thing_that_it_is_made_from_changes_its_fingerprint(thing: Addon) -> None:
    before = thing.fingerprint()
    assert thing.fingerprint() == before
    thing.manifests[1].write_text("kind: Service\nspec: {}\n")
    changed = thing.fingerprint()
    object.__setattr__(thing, "made_from", lambda: ("2",))
    assert len({before, changed, thing.fingerprint()}) == 3


@pytest.mark.parametrize("one", addons.ALL, ids=lambda one: one.name)
def test_every_deployment_of_an_add_on_says_how_many_pods_it_has(one: Addon) -> None:
    # Server-side apply puts back only what a manifest names: one scaled to nothing would stay so.
    found = []
    for file in one.manifests:
        for thing in yaml.safe_load_all(file.read_text()):
            if thing["kind"] == "Deployment":
                assert thing["spec"]["replicas"] >= 1
                found.append(thing["metadata"]["name"])
    assert sorted(found) == sorted(one.deployments)
    assert json.dumps(one.fingerprint())
