"""course.measure.chain.read: a namespace, read once by a real client from a server on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core.errors import CourseError
from course.measure import chain
from tests.measure.chain import apps
from tests.measure.chain.server import api

POD = "shop-6c9f7d5b84-2lq8x"


@pytest.mark.parametrize(
    "name", ["route/section", "service/target-port", "image/tag", "crash/file", "access/no-binding"]
)
def test_what_is_read_is_told_as_if_it_had_been_written_down(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = apps.app(name)
    with api(app, tmp_path, monkeypatch) as server:
        seen = chain.read()
    app.assert_said(chain.broken(seen))
    assert seen.unread == {}
    assert not [head for head in server.heads if not head.startswith("GET ")]


def test_a_healthy_app_is_accused_of_nothing_and_its_database_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(apps.app(), tmp_path, monkeypatch) as server:
        seen = chain.read()
    assert chain.broken(seen) is None
    asked = [head.split(" ")[1] for head in server.heads if "/proxy/" in head]
    assert asked == ["/api/v1/namespaces/course/services/shop:80/proxy/"]


def test_the_log_of_a_container_that_was_started_again_is_that_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(apps.app("crash/file"), tmp_path, monkeypatch) as server:
        chain.read()
    (asked,) = [head for head in server.heads if f"{POD}/log" in head]
    assert "previous=true" in asked
    (others,) = [head for head in server.heads if "db-0/log" in head]
    assert "previous" not in others


def test_what_may_not_be_read_is_said_with_the_reason_and_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ["events", "secrets", "pods*", "namespaces", "nodes"]
    with api(apps.app("image/tag"), tmp_path, monkeypatch, refused) as _:
        seen = chain.read()
    assert sorted(seen.unread) == ["events", "namespaces", "nodes", "pods", "secrets"]
    assert seen.unread["events"].startswith("the API says 403: events is forbidden")
    assert seen.knows("pods") and not seen.knows("events")
    found = chain.broken(seen)
    assert found and found.link == "image"


def test_a_kind_that_is_not_installed_is_one_of_which_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway_api = ["httproutes", "gateways", "referencegrants"]
    with api(apps.app("service/typo"), tmp_path, monkeypatch, absent=gateway_api):
        seen = chain.read()
    assert seen.unread == {} and seen.all("httproutes") == []
    found = chain.broken(seen)
    assert found and found.link == "service"


def test_values_of_secrets_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = apps.app()
    secret = app.things["Secret", "shop-db"]
    secret["data"] = {"DATABASE_URL": "cGFzc3dvcmQ="}
    secret["metadata"]["annotations"] = {"last-applied": "cGFzc3dvcmQ="}
    with api(app, tmp_path, monkeypatch):
        seen = chain.read()
    (kept,) = seen.all("secrets")
    assert kept["data"] == {"DATABASE_URL": None}
    assert "cGFzc3dvcmQ=" not in str(kept)


def test_a_namespace_that_is_not_there_is_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(apps.app(), tmp_path, monkeypatch):
        with pytest.raises(CourseError) as caught:
            chain.read("course-sytem")
        assert caught.value.saw == "the cluster has no namespace `course-sytem`"
        assert caught.value.want == "`course-system`?"
        assert chain.read("kube-system").option == "-n kube-system"


def test_an_api_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(apps.app(), tmp_path, monkeypatch) as server:
        server.shut()
        with pytest.raises(CourseError, match="no Kubernetes API answers"):
            chain.read()
