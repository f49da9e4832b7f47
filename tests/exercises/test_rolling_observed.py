"""What the checks of 11-rolling look at, and in which order, with a shop that plays its part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.exercises import rolling
from course.exercises.kit import exercise, shop_copy, shop_facts
from course.exercises.kit.declared import Declared
from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import Load, ProbeRelease
from course.exercises.kit.shop_copy import Unready
from course.exercises.kit.verdict import Wrong
from course.measure.chain import Broken
from tests.loopback import Server, serving
from tests.releases import CUT, EARLY, deployment, sample, tried

Object = dict[str, Any]
USUAL = Load()


class Shop:
    """A borrowed shop.

    Args:
        made: what the learner has made of it.
        there: the release of the check's own.
        back: the one that gives it back.
    """

    def __init__(self, made: Object, there: ProbeRelease, back: ProbeRelease) -> None:
        self.deployment, self._there, self._back = made, there, back
        self.asked: list[Object] = []

    def release(self, settings: Object, *, wait: float, load: Load = USUAL) -> ProbeRelease:
        self.asked.append({**settings, "rate": load.rate})
        return self._there

    def give_back(self, first: Callable[[], None], *, wait: float, load: Load) -> ProbeRelease:
        first()
        self.asked.append({"rate": load.rate, "timeout": load.timeout})
        return self._back


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[..., Lab]:
    """Judge an exercise's observation of such a shop."""

    def judge_it(
        id_: str,
        made: Object | None = None,
        there: ProbeRelease | None = None,
        back: ProbeRelease | None = None,
        *,
        ready: bool = False,
    ) -> Lab:
        made = made or deployment()
        lab, shop = Lab(id_), Shop(made, there or tried(), back or tried())
        lab.drawn = Draw(7)
        lab.shop_, lab.ran = shop, []  # type: ignore[attr-defined]
        looked: list[float] = []

        @contextmanager
        def starting(*_: object) -> Iterator[Any]:
            def seen(wait: float = 0) -> Unready:
                looked.append(wait)
                return Unready(ready, 2, made, "2000")

            yield SimpleNamespace(seen=seen)

        @contextmanager
        def borrowed(_: Lab) -> Iterator[Shop]:
            yield shop

        monkeypatch.setattr(rolling, "_borrowed", borrowed)
        monkeypatch.setattr(shop_copy, "starting_pod", starting)
        for name in ("at_rest", "answers"):
            monkeypatch.setattr(shop_facts, name, lambda *_, **__: iter(()))
        monkeypatch.setattr(
            shop_facts, "reached", lambda _, release: shop_facts.Reached(release, "", "", ())
        )
        monkeypatch.setattr(Lab, "recall", lambda *_: "2000")
        monkeypatch.setattr(
            Lab,
            "run",
            lambda lab, *argv, **_: lab.ran.append(argv),
        )
        code = exercise.find(id_)
        assert isinstance(code, Declared)
        lab.looked = looked  # type: ignore[attr-defined]
        judge(lab, code._code.observe(lab))
        return lab

    return judge_it


def cause(judged: Callable[..., Lab], *args: Any, **more: Any) -> str:
    try:
        judged(*args, **more)
    except Wrong as wrong:
        return wrong.cause
    return ""


@pytest.mark.parametrize(
    ("id_", "delay", "least", "most"),
    [
        ("rolling-1", 0, 1.5, 2.5),
        ("rolling-2", 0, 4, 8),
        ("rolling-1", 3, 5, 9),
        ("rolling-2", 10, 12, 16),
        ("rolling-2", 16, 18, 20),
    ],
)
def test_a_release_starts_later_than_the_answer_waits(
    judged: Any, id_: str, delay: int, least: float, most: float
) -> None:
    probe = {"httpGet": {"path": "/readyz"}, "initialDelaySeconds": delay}
    lab = judged(id_, deployment(readinessProbe=probe))
    (asked,) = lab.shop_.asked
    assert least <= float(asked["FAULT_START_MS"]) / 1000 <= most
    assert lab.looked == [0]
    assert lab.notes[-1].startswith("the pods of this release took")


def test_a_delay_that_no_start_outlasts_is_refuted_without_a_release(judged: Any) -> None:
    probe = {"httpGet": {"path": "/healthz"}, "initialDelaySeconds": 25}
    assert cause(judged, "rolling-2", deployment(readinessProbe=probe), ready=True) == (
        "guessed-delay"
    )


def test_a_true_probe_may_have_a_delay_that_no_start_outlasts(judged: Any) -> None:
    probe = {"httpGet": {"path": "/readyz"}, "initialDelaySeconds": 25}
    lab = judged("rolling-2", deployment(readinessProbe=probe))
    assert len(lab.shop_.asked) == 1 and len(lab.looked) == 2


def test_a_probe_that_lies_is_wrong_even_if_nothing_was_lost(judged: Any) -> None:
    slow = {"exec": {"command": ["sleep", "8"]}}
    made = deployment(readinessProbe=slow)
    assert cause(judged, "rolling-2", made, ready=True) == "lying-exec"


def test_what_a_release_lost_is_told_first(judged: Any) -> None:
    made = deployment(readinessProbe={"tcpSocket": {"port": "http"}})
    assert cause(judged, "rolling-1", made, tried(EARLY), ready=True) == "port-only"


def test_a_release_that_lost_nothing_and_did_not_end_is_no_verdict(judged: Any) -> None:
    with pytest.raises(CourseError, match="was not over in time"):
        judged("rolling-1", there=tried(seconds=0.0))


SLOW = tried(p50_ms=1510.0)


def test_the_way_back_is_under_few_requests_that_take_long(judged: Any) -> None:
    lab = judged("rolling-3", there=SLOW)
    there, back = lab.shop_.asked
    assert (there["FAULTS_ENABLED"], there["rate"]) == ("true", 150)
    assert (back["rate"], back["timeout"]) == (30, 15)
    assert [argv[:5] for argv in lab.ran] == [
        ("kubectl", "exec", f"shop-lab-{name}", "-c", "shop") for name in ("old1", "new")
    ]
    (latency,) = {json.loads(argv[-1].split("body: '")[1].split("'")[0])["latencyMs"]
                  for argv in lab.ran}  # fmt: skip
    assert 8500 <= latency <= 10_000


@pytest.mark.parametrize(
    ("container", "back", "named"),
    [
        ({"env": {"DRAIN_MS": "0"}}, tried(CUT), "hook-only"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 12}}}}, tried(), ""),
    ],
)
def test_a_hook_alone_holds_either_too_short_or_too_long(
    judged: Any, container: Object, back: ProbeRelease, named: str
) -> None:
    assert cause(judged, "rolling-3", deployment(**container), SLOW, back) == named
    samples = tuple(replace(s, at=3 * s.at) for s in SLOW.seen.samples)
    stays = replace(SLOW, seen=replace(SLOW.seen, samples=samples))
    assert cause(judged, "rolling-3", deployment(**container), stays, back) == "idle-pod-stays"


@pytest.mark.parametrize(("revision", "named"), [(2, "not-measured"), (3, "")])
def test_the_releases_of_a_learner_are_those_after_the_start(
    judged: Any, revision: int, named: str
) -> None:
    figures = {
        "more": {"seconds": 24, "peak": 5, "fewest_ready": 4},
        "fewer": {"seconds": 13, "peak": 4, "fewest_ready": 2},
    }
    Lab("rolling-5").write("decision.json", json.dumps({"choice": "fewer", "measured": figures}))
    samples = (sample(1, 4), sample(2, 2, 2), sample(8, 2, 2))
    seen = tried(samples=samples, seconds=12.4, desired=4, revision=revision)
    assert cause(judged, "rolling-5", there=seen) == named


# -- what the shop answers


def answer(text: str) -> Any:
    async def told(_: Server, writer: Any, head: str) -> bool:
        path = head.split(" ")[1]
        status, body = ("200 OK", "{}") if path == "/" else ("404 Not Found", text.format(path))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        return False

    return told


@pytest.mark.parametrize(
    ("text", "named"), [("nothing is at {}", ""), ("not here", "wrong-answer")]
)
def test_the_shop_is_asked_for_what_it_has_and_for_what_it_has_not(
    text: str, named: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_NAMESPACE", "ada")
    lab = Lab("rolling-1")
    with serving(answer(text)) as server:
        monkeypatch.setenv("ORDERS_URL", f"http://orders.localhost:{server.port}")
        (seen,) = shop_facts.answers(lab)
    wrong = seen.wrong()
    assert (wrong.cause if wrong else "") == named
    assert lab.drawn


def test_what_does_not_answer_is_looked_for_between_the_gateway_and_the_process(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, asked = Broken("Service shop-lab", "spec.selector", "", "selects no pod", ""), []
    monkeypatch.setattr("course.measure.chain.read", lambda **given: asked.append(given["host"]))
    monkeypatch.setattr("course.measure.chain.broken", lambda _: broken)
    monkeypatch.setattr("course.measure.traffic.probe", lambda _: 503)
    monkeypatch.setattr(shop_facts, "_ANSWER_WAIT", 0.0)
    monkeypatch.setattr(Lab, "api", None)
    monkeypatch.setenv("COURSE_NAMESPACE", "ada")
    monkeypatch.setenv("ORDERS_URL", "http://orders.localhost:9")
    (seen,) = shop_facts.answers(Lab("rolling-1"))
    assert isinstance(seen, shop_facts.Answers) and seen.broken is broken
    assert asked == ["shop-lab.ada.localhost"]


# -- copies


def test_a_copy_is_removed_however_its_check_ends(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = FakeRunner({"kubectl": ""})
    for place in ("course.exercises.kit.shop_copy", "course.exercises.kit.lab"):
        monkeypatch.setattr(f"{place}.default_runner", lambda: runner)
    monkeypatch.setattr(Lab, "env", lambda _: {})
    lab = Lab("rolling-2")
    with pytest.raises(Wrong), shop_copy.starting_pod(lab, deployment()) as pod:
        raise Wrong("any", saw="", want="", try_="")
    made, removed = runner.calls
    name = pod.manifest()["metadata"]["name"]
    assert tuple(made[:2]) == ("kubectl", "create")
    assert f"copy={name}" in removed and "--force" in removed
    assert [label for label, _ in lab.observed] == ["a copy is made", "the copy is removed"]
