"""course.exercises.kit.shop: how the labs' shop is put there, and what a start state takes away."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from course.core.errors import CourseError
from course.exercises.kit import exercise, shop
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Reply
from course.exercises.kit.shop import Shop
from tests.loopback import reply, serving


def test_two_learners_have_two_host_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_URL", "http://orders.localhost:8099")
    urls = []
    for name in ("ada", "grace"):
        monkeypatch.setenv("COURSE_NAMESPACE", name)
        urls.append(Shop(Lab("rolling-1")).url)
    assert urls == [
        "http://shop-lab.ada.localhost:8099/",
        "http://shop-lab.grace.localhost:8099/",
    ]


@pytest.mark.parametrize(
    ("thing", "ours"),
    [
        ({"metadata": {"name": "shop-lab"}}, True),
        ({"metadata": {"name": "shop-lab-old"}}, True),
        ({"metadata": {"name": "mine", "labels": {"app": "shop-lab"}}}, True),
        ({"metadata": {"name": "mine"}, "spec": {"hostnames": ["shop-lab.ada.localhost"]}}, True),
        ({"metadata": {"name": "shop", "labels": {"app": "shop"}}, "spec": {}}, False),
        ({"metadata": {"name": "shop-lab-copy-1", "labels": {"app": "shop-lab-copy"}}}, False),
        ({"metadata": {"name": "orders"}, "spec": {"hostnames": ["orders.localhost"]}}, False),
    ],
)
def test_a_start_state_takes_away_only_the_labs_own(
    thing: dict[str, Any], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_NAMESPACE", "ada")
    assert Shop(Lab("rolling-1"))._ours(thing) is ours


def test_a_new_shop_waits_for_the_former_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Deployment that is being deleted takes with it what is applied under its name."""
    monkeypatch.setenv("COURSE_NAMESPACE", "ada")
    leaving = {
        "name": "shop-lab",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["foregroundDeletion"],
    }
    seen = [[{"metadata": leaving}], [{"metadata": leaving}], [{"metadata": {"name": "other"}}]]
    monkeypatch.setattr(Lab, "objects", lambda *_: seen.pop(0))
    here = Shop(Lab("rolling-1"))
    here._await_end()
    assert seen == []
    monkeypatch.setattr(Lab, "objects", lambda *_: [{"metadata": leaving}])
    monkeypatch.setattr(shop, "_GONE_WAIT", 0.0)
    with pytest.raises(CourseError, match=r"still there; finalizers: foregroundDeletion"):
        here._await_end()


def test_what_is_saved_can_be_applied_again() -> None:
    kept = shop._bare(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "shop-lab",
                "uid": "1",
                "resourceVersion": "7",
                "labels": {"a": "b"},
            },
            "spec": {"replicas": 2},
            "status": {"replicas": 2},
        }
    )
    assert kept == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop-lab", "labels": {"a": "b"}},
        "spec": {"replicas": 2},
    }


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop of a learner whose registry, gateway and namespace are not those at home."""
    for name, value in (
        ("COURSE_NAMESPACE", "ada"),
        ("REGISTRY", "registry.example:5000"),
        ("ORDERS_URL", "http://orders.localhost:8099"),
    ):
        monkeypatch.setenv(name, value)
    return Shop(Lab("rolling-3"))


def test_a_start_state_is_the_exercises_file_with_the_learners_registry_and_host(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(Shop, "clear", lambda _: done.append("clear"))
    monkeypatch.setattr(Shop, "image", lambda _, version: done.append(f"image {version}"))
    monkeypatch.setattr(Lab, "run", lambda _, *argv, **__: done.append(" ".join(map(str, argv))))
    facts: dict[str, str] = {}
    monkeypatch.setattr(Lab, "remember", lambda _, name, value: facts.update({name: value}))
    code = exercise.find("rolling-3")
    code.begin(here.lab)
    file = here.lab.folder() / "shop.yaml"
    assert done == ["clear", "image 1.1.0", f"kubectl apply -f {file}"]
    text = file.read_text()
    assert "image: registry.example:5000/shop-lab:1.1.0\n" in text
    assert "hostnames: [shop-lab.ada.localhost]\n" in text
    assert "localhost:5001" not in text and "default" not in text
    assert facts == {"FAULT_START_MS": "0", "FAULT_LATENCY_MS": "1500"}


def test_the_shop_is_asked_at_the_gateway_by_its_own_name(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = "HTTP/1.1 404 Not Found\nContent-Length: 16\n\nnothing is at /a"
    with serving(reply(answer)) as server:
        monkeypatch.setenv("ORDERS_URL", f"http://orders.localhost:{server.port}")
        assert here.ask("/a") == Reply(404, "nothing is at /a")
    assert f"Host: shop-lab.ada.localhost:{server.port}" in server.heads[0]
    assert here.ask("/a").status == 0


def test_two_checks_of_one_shop_take_turns(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop, "_TURN_WAIT", 0.0)
    with here.held():
        with pytest.raises(CourseError, match="another check releases to shop-lab"), here.held():
            pass
        monkeypatch.setenv("COURSE_NAMESPACE", "grace")
        with here.held():
            pass
    with here.held():
        assert here.lab.observed


def test_a_check_that_borrows_the_shop_has_its_turn(
    here: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop, "_TURN_WAIT", 0.0)
    monkeypatch.setattr(shop, "Rollout", lambda name: name)
    monkeypatch.setattr(shop, "borrowed", lambda *given: nullcontext(given))
    given: Any
    with here.borrowed() as given:
        assert given == ("shop-lab", here.url, here.lab.observe)
        with pytest.raises(CourseError, match="another check releases to shop-lab"), here.held():
            pass
    with here.held():
        pass
