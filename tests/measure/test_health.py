"""course.measure.health: what the course runs on, as `status`, `doctor` and a check see it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from course.core import environment
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.measure import health
from course.measure.health import Part, failed_since, now
from course.measure.kube_api import ApiError
from tests.running_course import GATEWAY, Said, at, dns, gateway, pod, running, state, system


@pytest.fixture
def engine(home: Path) -> Iterator[environment.Engine]:
    """A course that is up, its ports answered by a server of the test's own."""
    with running() as made:
        yield made


def bad(parts: list[Part]) -> Part:
    found = [part for part in parts if not part.ok]
    assert len(found) == 1, found
    assert found[0].try_, "a fault comes with what mends it"
    return found[0]


# -- now


def test_before_up_there_is_nothing_to_look_at(home: Path) -> None:
    assert now(Said()) == []


def test_what_is_well_is_named_part_by_part(engine: environment.Engine) -> None:
    parts = now(Said())
    assert all(part.ok for part in parts), parts
    names = {part.name for part in parts}
    assert {"Docker", "the registry", "the API server", "etcd", "DNS (CoreDNS)", GATEWAY} <= names
    assert {"the service orders", "PostgreSQL of orders"} <= names


@pytest.mark.parametrize(
    ("said", "part", "saw", "mends"),
    [
        (
            lambda: Said(docker=CourseError("no Docker answers: x")),
            "Docker",
            "no Docker",
            "course up",
        ),
        (lambda: Said(registry=None), "the registry", "there is no container", "course up"),
        (
            lambda: Said(registry=state(Running=False, ExitCode=137, FinishedAt=at(180))),
            "the registry",
            "has stopped 3 min ago (exit code 137)",
            "course up",
        ),
        (
            lambda: Said(registry=state(Restarting=True, ExitCode=2)),
            "the registry",
            "ends again and again (exit code 2)",
            "docker logs course-registry",
        ),
        (
            lambda: Said(node=state(Running=False, ExitCode=130, FinishedAt=at(300))),
            "the cluster's node",
            "has stopped 5 min ago",
            "course up",
        ),
        (
            lambda: Said(node=state(Running=False, OOMKilled=True, FinishedAt=at(3))),
            "the cluster's node",
            "killed for memory",
            "course up",
        ),
        (
            lambda: Said(node=state(Paused=True)),
            "the cluster's node",
            "is paused",
            "docker unpause",
        ),
        (lambda: Said(listed=ApiError(0, "no API")), "the Kubernetes API", "no API", "course up"),
        (lambda: Said(listed=system(without="traefik")), GATEWAY, "it has no pod", "course up"),
        (
            lambda: Said(listed=system(without="kube-dns")),
            "DNS (CoreDNS)",
            "no pod",
            "scale deployment",
        ),
        (
            lambda: Said(listed=system(without="postgres")),
            "PostgreSQL of orders",
            "no pod",
            "course up",
        ),
        (
            lambda: Said(
                listed=system(but=[gateway(ended=("OOMKilled", 180), restarts=3, ready=9)])
            ),
            GATEWAY,
            "it was killed for memory 3 min ago, 3 restarts in all",
            "--rate",
        ),
        (
            lambda: Said(listed=system(but=[gateway(ready=None, waiting="CrashLoopBackOff")])),
            GATEWAY,
            "not ready: CrashLoopBackOff",
            "course up",
        ),
        (
            lambda: Said(listed=system(but=[dns(ready=None)])),
            "DNS (CoreDNS)",
            "its readiness probe fails",
            "scale",
        ),
        (
            lambda: Said(listed=system(but=[pod({"component": "etcd"}, ended=("Error", 180))])),
            "etcd",
            "it ended (Error) 3 min ago",
            "repeat",
        ),
        (
            lambda: Said(listed=[*system(), pod({"k8s-app": "network"}, ready=None)]),
            "network",
            "its readiness probe fails",
            "course up",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_is_not_well_is_named_with_what_mends_it(
    engine: environment.Engine, said: Callable[[], Said], part: str, saw: str, mends: str
) -> None:
    found = bad(now(said()))
    assert found.name == part and saw in found.saw and mends in found.try_, found


def test_what_ended_with_the_node_is_no_fault_of_its_own(engine: environment.Engine) -> None:
    # Docker was restarted five minutes ago: every part ended with it, and some once more after.
    ended = system(
        but=[gateway(ended=("Error", 305), restarts=1), dns(ended=("Error", 250), restarts=2)]
    )
    assert all(part.ok for part in now(Said(node=state(300), listed=ended)))


def test_an_end_of_yesterday_is_told_and_is_no_fault(engine: environment.Engine) -> None:
    listed = system(but=[gateway(ended=("OOMKilled", 86_000), restarts=1)])
    part = next(p for p in now(Said(listed=listed)) if p.name == GATEWAY)
    assert part.ok and "killed for memory 24 h ago" in part.saw


def test_a_pod_on_its_way_out_is_not_counted(engine: environment.Engine) -> None:
    leaving = gateway()
    leaving["metadata"]["deletionTimestamp"] = at(0)
    assert "no pod" in bad(now(Said(listed=system(but=[leaving])))).saw
    assert all(part.ok for part in now(Said(listed=[*system(), leaving])))


def test_a_port_that_refuses_is_told(engine: environment.Engine) -> None:
    engine.ports["http"] = 1
    found = bad(now(Said(), engine))
    assert found.name == "port 1" and "refused" in found.saw


def test_a_registry_that_runs_and_is_silent_is_told(engine: environment.Engine) -> None:
    engine.ports["registry"] = 1
    found = bad(now(Said(), engine))
    assert found.name == "the registry" and found.try_ == "docker restart course-registry"


def test_what_does_not_come_back_is_left_behind_in_time(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.2)
    said = Said()
    monkeypatch.setattr(said, "pods", lambda: time.sleep(30), raising=False)
    began = time.monotonic()
    assert "no answer in" in bad(now(said)).saw
    assert time.monotonic() - began < 2


def test_docker_and_the_api_are_asked_once_each(engine: environment.Engine) -> None:
    both = "\n".join(
        f"{json.dumps('/' + name)} {json.dumps(state())}"
        for name in ("course-registry", "course-control-plane")
    )
    runner = FakeRunner({"docker": both, "kubectl": json.dumps({"items": system()})})
    assert all(part.ok for part in now(health.Commands(runner)))
    assert sorted(call[0] for call in runner.calls) == ["docker", "kubectl"]


# -- behind an error


def test_a_load_that_nobody_answers_says_what_is_not_well(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(url: str) -> None:
        raise CourseError("nothing answers HTTP", "an answer", "curl")

    monkeypatch.setattr(health, "Commands", lambda *_, **__: Said(listed=system(without="traefik")))
    ours = f"http://orders.localhost:{engine.ports['http']}/"
    with pytest.raises(CourseError, match=r"nothing answers HTTP; the gateway.*no pod") as caught:
        health.explaining(start)(ours)
    assert caught.value.try_ == "course up" and caught.value.__cause__ is not None
    # Somebody else's address, and a course that is well, change nothing.
    for url, said in (("http://localhost:9/", Said(registry=None)), (ours, Said())):
        monkeypatch.setattr(health, "Commands", lambda *_, said=said, **__: said)
        with pytest.raises(CourseError) as caught:
            health.explaining(start)(url)
        assert caught.value.saw == "nothing answers HTTP"


# -- a check


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:00.123456789Z",
        "2026-01-01T14:00:00.123456789+02:00",
        "2026-01-01T12:00:00.123456",
    ],
)
def test_a_clock_of_another_zone_tells_the_same_moment(text: str) -> None:
    assert health._moment(text) == datetime(2026, 1, 1, 12, 0, 0, 123456, UTC).timestamp()


def test_a_machine_too_busy_to_answer_at_once_is_not_taken_for_a_silent_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.1)
    said = Said()

    def slowly() -> list[dict[str, Any]]:
        time.sleep(0.5)
        return system()

    monkeypatch.setattr(said, "pods", slowly, raising=False)
    failed = failed_since(time.time(), said, ("cluster",), {"http": 1})
    assert failed is not None and failed.name == "port 1"


def test_a_check_of_files_alone_looks_at_nothing() -> None:
    said = Said(docker=CourseError("no Docker answers"))
    assert failed_since(time.time(), said, (), {}) is None
    assert failed_since(time.time(), said, ("containers",), {}) is not None


def test_a_check_of_containers_does_not_ask_the_cluster() -> None:
    said = Said(node=None, listed=ApiError(0, "no API"))
    assert failed_since(time.time(), said, ("containers",), {}) is None


def test_a_port_that_nobody_listens_at_any_more_is_not_the_learners_fault() -> None:
    # Docker's proxy of the port has ended: every pod is well, and nothing can be reached.
    failed = failed_since(time.time(), Said(), ("cluster",), {"http": 1})
    assert failed is not None and failed.name == "port 1" and "refused" in failed.saw
