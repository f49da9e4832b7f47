"""course.measure.chain: the first broken link, then the next; nothing where nothing is broken."""

from __future__ import annotations

import re

import pytest

from course.measure import chain
from tests.measure.chain import apps

LINKS = [link.__name__ for link in chain.LINKS]


def test_nothing_is_accused_where_nothing_is_broken() -> None:
    assert apps.said_of(apps.app()) is None


def test_nothing_is_accused_where_there_is_nothing() -> None:
    assert chain.broken(chain.Chain("course", {}, apps.AT)) is None
    assert chain.broken(chain.Chain("course", {kind: [] for kind in apps.KINDS}, apps.AT)) is None


def test_each_link_has_apps_that_are_broken_there() -> None:
    assert sorted(LINKS) == sorted(p.name for p in apps.HERE.iterdir() if any(p.glob("*.yaml")))


@pytest.mark.parametrize(
    "faults",
    [
        ["route/backend-absent", "service/typo", "policy/deny-in", "probe/not-found"],
        ["route/section", "ingress/class", "endpoints/database", "crash/memory", "job/deadline"],
        ["service/port-name", "scheduled/cpu", "policy/other-labels"],
        ["service/target-port", "image/tag", "job/autoscaler"],
        ["ingress/port", "created/quota", "policy/deny-out"],
        ["route/port", "config/key"],
        ["access/no-binding", "dependency/init-waits"],
    ],
    ids=" then ".join,
)
def test_once_the_first_is_mended_the_next_is_named(faults: list[str]) -> None:
    while faults:
        app = apps.app(*faults)
        found = apps.said_of(app)
        assert found and found.link == faults[0].split("/")[0], found
        faults = faults[1:]


@pytest.mark.parametrize("kind", sorted(apps.KINDS))
def test_what_may_not_be_read_is_accused_of_nothing(kind: str) -> None:
    assert apps.said_of(apps.app(), without=[kind]) is None


@pytest.mark.parametrize("without", [["events"], ["secrets"], ["replicasets"], ["nodes", "jobs"]])
def test_what_may_not_be_read_does_not_hide_the_rest(without: list[str]) -> None:
    found = apps.said_of(apps.app("image/tag"), without=without)
    assert found and (found.object, found.link) == ("Deployment shop", "image")
    assert "orders:1.0.O" in found.proof


def test_the_chain_of_one_name_accuses_no_other_app_of_the_namespace() -> None:
    app = apps.app("crash/bare-pod", "endpoints/database", "ingress/class", "job/deadline")
    host = "shop.course.localhost"
    assert apps.said_of(app) and apps.said_of(app, host=host) is None
    found = apps.said_of(apps.app("probe/not-found", "crash/bare-pod"), host=host)
    assert found and found.link == "probe"


def test_pods_of_a_past_revision_are_no_break() -> None:
    app = apps.app("image/new-revision")
    app.things["ReplicaSet", "shop-77aa"]["metadata"]["annotations"] = {
        "deployment.kubernetes.io/revision": "0"
    }
    assert apps.said_of(app) is None


def test_what_is_said_names_the_namespace_where_kubectl_would_look_elsewhere() -> None:
    found = apps.said_of(apps.app("service/typo"), option="-n course")
    assert found and found.look == "kubectl get pods --show-labels -n course"
    assert re.fullmatch(
        r"service: Service shop, spec\.selector\n  saw:   app=shpo, .+\n  want:  .+\n"
        r"  proof: .+\n  try:   kubectl .+",
        str(found),
    )


def test_the_same_app_is_told_the_same_twice() -> None:
    app = apps.app("crash/variable-waiting", "image/new-revision")
    backwards = apps.App(app.name, app.says, dict(reversed(app.things.items())), app.logs, {})
    assert apps.said_of(app) == apps.said_of(backwards)
