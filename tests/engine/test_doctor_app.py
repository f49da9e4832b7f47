"""course doctor app: the first broken link of an app in the cluster, in the learner's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from course import cli
from course.core import environment
from course.core.errors import CourseError
from tests.measure.chain import apps
from tests.measure.chain.server import api


def doctor(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.app, ["doctor", *words])
    if isinstance(done.exception, CourseError):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster runs, and its kubeconfig is the one that the test's server writes."""
    variables = {"DOCKER_HOST": "unix:///x", "KUBECONFIG": str(tmp_path / "kubeconfig")}
    environment.save(environment.Engine("kind", variables, ["containers", "cluster"]))


@pytest.mark.usefixtures("engine")
def test_a_broken_app_is_told_by_its_first_broken_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(apps.app("service/typo"), tmp_path, monkeypatch):
        code, said = doctor("app")
    assert code == 1
    assert said.splitlines() == [
        "✗ service: Service shop, spec.selector",
        "  saw:   app=shpo, which no pod and no pod template has; the nearest is Deployment shop "
        "with app=shop",
        "  want:  labels that pods have",
        "  proof: no pod is behind Service shop",
        "  try:   kubectl get pods --show-labels",
    ]


@pytest.mark.usefixtures("engine")
def test_a_healthy_app_is_told_as_such_with_what_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(apps.app(), tmp_path, monkeypatch):
        code, said = doctor("app", "--namespace", "course")
    counted = "1 httproutes, 0 ingresses, 2 services, 3 pods"
    assert (code, said) == (0, f"✓ namespace course: no link is broken ({counted})\n")


@pytest.mark.usefixtures("engine")
def test_what_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with api(apps.app(), tmp_path, monkeypatch, refused=["events", "pods*"]):
        code, said = doctor("app")
    assert code == 0
    assert "· nothing is said of events, pods of other namespaces: the API says 403:" in said


@pytest.mark.usefixtures("engine")
def test_a_namespace_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        api(apps.app(), tmp_path, monkeypatch),
        pytest.raises(CourseError, match="has no namespace `corse`"),
    ):
        doctor("app", "--namespace", "corse")


def test_without_a_cluster_no_other_one_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}, ["containers"]))
    with (
        api(apps.app(), tmp_path, monkeypatch) as server,
        pytest.raises(CourseError, match="no cluster is running"),
    ):
        doctor("app")
    assert server.heads == []


def test_a_namespace_is_for_an_app() -> None:
    code, said = doctor("--namespace", "course")
    assert code == 2 and "course doctor app --namespace NAME" in said
