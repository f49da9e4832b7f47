"""course.measure.kube_api: the API asked, and why it does not answer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure.kube_api import ApiError, Kubernetes
from course.measure.rollout import Rollout
from tests.deployments import Object
from tests.loopback import Answer, mixed, reply, serving


def test_without_a_cluster_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(CourseError, match="engine is not running"):
        Kubernetes()


def kubeconfig(folder: Path, port: int) -> Path:
    file = folder / "config"
    file.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}],"
        f" clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{port}'}}}}],"
        " contexts: [{name: c, context: {cluster: k, user: u, namespace: mine}}]}"
    )
    return file


def test_an_api_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kubeconfig(tmp_path, 9)
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert Kubernetes().namespace == "mine"
    began = time.monotonic()
    with pytest.raises(CourseError, match=r"no Kubernetes API answers at http://127.0.0.1:9"):
        Rollout("shop")
    assert time.monotonic() - began < 3
    config.write_text("{")
    with pytest.raises(CourseError, match="cannot be used"):
        Kubernetes()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy"])
def test_an_api_on_loopback_is_asked_directly_whatever_proxy_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(reply("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        assert Kubernetes().get("deployments", "shop") == {}


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\nContent-Length: 99\n\n{",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    ],
)
def test_an_answer_that_is_cut_off_is_no_answer(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(reply(answer)) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        with pytest.raises(ApiError, match="no Kubernetes API answers") as caught:
            Kubernetes().get("deployments", "shop")
    assert caught.value.code == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "shop.localhost"])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
def test_the_api_of_this_machine_is_never_asked_through_a_proxy(
    variable: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with serving(said({"kind": "Pod"})) as server:
        config = kubeconfig(tmp_path, server.port)
        config.write_text(config.read_text().replace("127.0.0.1", host))
        monkeypatch.setenv("KUBECONFIG", str(config))
        if host == "shop.localhost":  # many resolvers do not know it
            assert Kubernetes()._client.configuration.proxy is None
        else:
            assert Kubernetes().get("pods", "a") == {"kind": "Pod"}


def test_an_api_elsewhere_is_asked_through_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    config = kubeconfig(tmp_path, 1)
    config.write_text(config.read_text().replace("127.0.0.1", "192.0.2.1"))
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert Kubernetes()._client.configuration.proxy == "http://127.0.0.1:9"


def said(thing: Object, status: str = "200 OK") -> Answer:
    text = json.dumps(thing)
    head = f"HTTP/1.1 {status}\nContent-Length: {len(text)}\nConnection: close"
    return reply(f"{head}\n\n{text}")


def test_a_list_in_parts_is_whole_and_begins_anew_when_its_rest_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = said({"items": [1], "metadata": {"continue": "t", "resourceVersion": "5"}})
    last = said({"items": [2], "metadata": {"resourceVersion": "5"}})
    gone = said({"message": "The provided continue parameter is too old"}, "410 Gone")
    with serving(mixed(first, gone, first, last)) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        found = Kubernetes().select("pods", {"labelSelector": "app=shop"})
        asked = [head.split("\r\n")[0] for head in server.heads]
    assert found["items"] == [1, 2]
    assert ["continue=t" in line for line in asked] == [False, True, False, True]
    assert all("labelSelector=app%3Dshop" in line for line in asked)


def test_a_list_whose_rest_expires_each_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(said({"message": "too old"}, "410 Gone")) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        with pytest.raises(ApiError, match="the API says 410: too old"):
            Kubernetes().select("pods", {})


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda api: api.select("replicasets", {}), "list replicasets"),
        (lambda api: api.get("pods", "a"), "get pods"),
        (lambda api: api.watch("pods", {}, "1", 1), "watch pods"),
        (lambda api: api.patch("deployments", "a", {}), "patch deployments"),
    ],
)
def test_a_right_that_is_missing_is_named(
    call: Any, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(said({"message": "pods is forbidden"}, "403 Forbidden")) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.port)))
        with pytest.raises(ApiError, match="the API says 403: pods is forbidden") as caught:
            call(Kubernetes())
    assert caught.value.want == f"the right to {right} in namespace mine"
    assert caught.value.try_ == f"kubectl auth can-i {right} --namespace=mine"
