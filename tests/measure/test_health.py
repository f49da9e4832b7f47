"""course.measure.health: what the course runs on, as `status`, `doctor` and a check see it."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from course import status as status_
from course.core import environment, manifest
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import doctor
from course.engine.doctor import cluster
from course.exercises.kit import check as check_
from course.exercises.kit import exercise as exercise_
from course.exercises.kit import start as start_
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Result, Wrong
from course.measure import health
from course.measure.health import Part, failed_since, now
from course.measure.kube_api import ApiError
from tests.fake_docker import FakeDocker

GATEWAY = health.GATEWAY
LONG_AGO = 100_000.0


def at(seconds_ago: float) -> str:
    """A time as Kubernetes writes it."""
    moment = datetime.fromtimestamp(time.time() - seconds_ago, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    labels: Mapping[str, str],
    namespace: str = "kube-system",
    *,
    ready: float | None = LONG_AGO,
    ended: tuple[str, float] | None = None,
    waiting: str = "",
    restarts: int = 0,
) -> dict[str, Any]:
    """A pod as the API lists it.

    Args:
        labels: its labels.
        namespace: where it is.
        ready: seconds since it became ready; `None` if it is not.
        ended: why its container ended last, and how many seconds ago.
        waiting: why its container does not run.
        restarts: how often it was started again.
    """
    status: dict[str, Any] = {"restartCount": restarts, "state": {"running": {}}}
    if ended:
        status["lastState"] = {"terminated": {"reason": ended[0], "finishedAt": at(ended[1])}}
    if waiting:
        status["state"] = {"waiting": {"reason": waiting}}
    condition = {"type": "Ready", "status": "False" if ready is None else "True"}
    condition["lastTransitionTime"] = at(ready or 0)
    return {
        "metadata": {"name": "-".join(labels.values()), "namespace": namespace, "labels": labels},
        "status": {
            "phase": "Running",
            "conditions": [condition],
            "containerStatuses": [status],
        },
    }


def gateway(**how: Any) -> dict[str, Any]:
    return pod({"app": "traefik"}, "course-system", **how)


def dns(**how: Any) -> dict[str, Any]:
    return pod({"k8s-app": "kube-dns"}, **how)


CONTROL = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def system(*, but: Sequence[dict[str, Any]] = (), without: str = "") -> list[dict[str, Any]]:
    """All pods of a cluster that is well, some of them replaced or left out."""
    pods = [pod({"component": name}) for name in CONTROL]
    pods += [pod({"k8s-app": "kube-proxy"}), dns(), gateway()]
    pods += [pod({"app": name}, "course") for name in ("orders", "postgres")]
    named = {tuple(p["metadata"]["labels"].items()) for p in but}
    kept = [p for p in pods if tuple(p["metadata"]["labels"].items()) not in named]
    return [p for p in [*kept, *but] if without not in p["metadata"]["labels"].values()]


def state(started: float = LONG_AGO, **more: Any) -> dict[str, Any]:
    """A container's state as Docker tells it, to the nanosecond."""
    return {"Running": True, "StartedAt": at(started)[:-1] + ".123456789Z"} | more


@dataclass
class Said:
    """What Docker and the API say; an error is raised."""

    registry: dict[str, Any] | None = field(default_factory=state)
    node: dict[str, Any] | None = field(default_factory=state)
    listed: list[dict[str, Any]] | Exception = field(default_factory=system)
    docker: Exception | None = None

    def containers(self) -> dict[str, Any]:
        if self.docker:
            raise self.docker
        both = {"course-registry": self.registry, "course-control-plane": self.node}
        return {name: state for name, state in both.items() if state is not None}

    def pods(self) -> list[dict[str, Any]]:
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed


class Answers(http.server.BaseHTTPRequestHandler):
    """Somebody who speaks HTTP."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def engine(home: Path) -> Iterator[environment.Engine]:
    """A course that is up, its ports answered by a server of the test's own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    port = server.server_port
    made = environment.Engine(
        "kind",
        {"DOCKER_HOST": "unix:///nowhere"},
        ["cgroups", "cluster", "containers", "orders"],
        {"registry": port, "http": port, "https": port},
    )
    environment.save(made)
    yield made
    server.shutdown()
    server.server_close()


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


# -- status and doctor


def test_status_says_what_is_true_now(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "Commands", lambda *_, **__: Said(listed=system(without="traefik")))
    facts = status_.read()
    json.dumps(facts)
    assert [p["name"] for p in facts["now"] if not p["ok"]] == [GATEWAY]
    told = status_.lines(facts)
    line = next(i for i, text in enumerate(told) if text.startswith(f"✗ {GATEWAY}: it has no pod"))
    assert told[line + 1] == "  try:  course up"


def test_the_doctor_finds_what_status_finds(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = system(but=[gateway(ended=("OOMKilled", 12), restarts=3, ready=9)])
    monkeypatch.setattr(health, "Commands", lambda *_, **__: Said(listed=killed))
    with FakeDocker() as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.host)
        found = [f for f in cluster.parts(doctor.Machine(FakeRunner())) if f.ok is False]
    assert len(found) == 1 and str(found[0]).startswith(f"✗ {GATEWAY}: it is ready again")
    assert cluster.parts in doctor.FINDERS.values()


# -- a check


@pytest.fixture
def check(
    mini: Path, engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Said, str], Result]:
    """Check the mini course's exercise, which needs the cluster, while the course is like that."""
    start_.begin("mini-1")
    word = mini.parent / "work" / "mini-1" / "word.txt"
    exercise = replace(manifest.load().exercise("mini-1"), needs=("containers", "cluster"))
    monkeypatch.setattr(manifest.Manifest, "exercise", lambda *_: exercise)

    def run(said: Said, text: str) -> Result:
        word.write_text(text)
        monkeypatch.setattr(check_, "_Sources", lambda **_: said)
        return check_.check("mini-1")

    return run


FAILED = [
    (
        lambda: Said(listed=system(but=[gateway(ended=("OOMKilled", 0), ready=0)])),
        "killed for memory",
    ),
    (lambda: Said(listed=system(without="traefik")), "it has no pod"),
    (lambda: Said(listed=system(but=[gateway(ready=None)])), "readiness probe"),
    (lambda: Said(listed=system(but=[gateway(ready=0)])), "it became ready only"),
    (lambda: Said(listed=system(but=[pod({"component": "etcd"}, ended=("Error", 0))])), "etcd"),
    (lambda: Said(listed=ApiError(0, "no Kubernetes API answers")), "no Kubernetes API"),
    (lambda: Said(docker=CourseError("no Docker answers: x")), "Docker"),
    (lambda: Said(registry=state(0)), "the registry"),
    (lambda: Said(registry=state(Running=False, ExitCode=0)), "the registry"),
    (lambda: Said(node=state(0)), "the cluster's node"),
]


@pytest.mark.parametrize(("said", "saw"), FAILED, ids=[saw for _, saw in FAILED])
def test_a_check_during_which_a_part_failed_does_not_judge(
    check: Callable[[Said, str], Result], said: Callable[[], Said], saw: str
) -> None:
    result = check(said(), "wrod")
    assert (result.state, result.cause) == ("could not judge", "environment")
    assert saw in result.saw and "did not work during this check" in result.saw
    assert result.try_.endswith("run the check again")
    assert repr(result).startswith("? mini-1 · ") and "could not judge" in repr(result)
    assert "could not judge" in result._repr_html_()


@pytest.mark.parametrize("said", [said for said, _ in FAILED], ids=[saw for _, saw in FAILED])
def test_a_right_answer_stays_right(
    check: Callable[[Said, str], Result], said: Callable[[], Said]
) -> None:
    assert check(said(), "word").state == "passed"


@pytest.mark.parametrize(
    "said",
    [
        Said,
        lambda: Said(listed=system(but=[gateway(ended=("OOMKilled", 60), ready=50, restarts=3)])),
        lambda: Said(listed=[*system(), gateway(ready=0)]),
        lambda: Said(listed=system(without="postgres")),
        lambda: Said(listed=ApiError(403, "pods is forbidden")),
    ],
    ids=["well", "killed before", "one of two stayed", "not the check's", "a cluster of others"],
)
def test_a_wrong_answer_stays_wrong_where_nothing_failed_meanwhile(
    check: Callable[[Said, str], Result], said: Callable[[], Said]
) -> None:
    assert check(said(), "wrod").cause == "wrong-word"


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


def test_a_check_that_waits_goes_on_until_it_can_judge(
    check: Callable[[Said, str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_, "_PAUSE", 0.01)
    looks: list[int] = []

    def flaky(lab: Lab) -> None:
        looks.append(1)
        if len(looks) < 3:
            raise Wrong("lost", saw="lost", want="all", try_="x")

    monkeypatch.setattr(exercise_.find("mini-1"), "check", flaky)
    said = Said(listed=system(without="traefik"))
    monkeypatch.setattr(check_, "_Sources", lambda **_: said)
    assert check_.check("mini-1", wait=5).state == "passed"
    assert len(looks) == 3
