"""What the checks of 11-rolling look at, and in which order, with a shop that plays its part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.exercises import rolling
from course.exercises.kit import exercise, shop_copy, shop_facts
from course.exercises.kit.facts import Facts
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import ProbeRelease
from course.exercises.kit.verdict import Wrong
from course.measure.chain import Broken
from tests.exercises.borrowed_shop import cause
from tests.exercises.shop_lab import Object, cause_of
from tests.exercises.shops import CUT, EARLY, deployment, start, tried
from tests.loopback import Server, serving
from tests.messages import shop as messages

IDS = [f"rolling-{number}" for number in range(1, 6)]


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


SLOW = tried(min_ms=1510.0)


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
    assert 9_800 <= latency <= 9_950


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


def test_a_request_that_a_pod_has_begun_takes_its_time(judged: Any) -> None:
    early = replace(tried(), took=(1.5, 4.1, 5.2, 6.6, 9.9))
    assert cause(judged, "rolling-3", deployment(), SLOW, early) == "cut-short"
    whole = replace(tried(), took=(1.5, 9.9, 9.9))
    assert cause(judged, "rolling-3", deployment(), SLOW, whole) == ""


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


@pytest.mark.parametrize("facts", messages.RIGHT, ids=lambda facts: type(facts).__name__)
def test_what_is_right_is_not_wrong(facts: Facts) -> None:
    assert cause_of(facts) == ""


@pytest.mark.parametrize("id_", IDS)
def test_a_start_state_is_a_shop_that_can_be_applied_as_it_is(id_: str) -> None:
    made, service_, route = start(id_)
    kinds = [thing["kind"] for thing in (made, service_, route)]
    assert kinds == ["Deployment", "Service", "HTTPRoute"]
    assert all("namespace" not in thing["metadata"] for thing in (made, service_, route))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert made["spec"]["selector"]["matchLabels"] == service_["spec"]["selector"] == labels
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"]) == ("shop", "localhost:5001/shop-lab:1.1.0")
    assert route["spec"]["hostnames"] == ["shop-lab.default.localhost"]


@pytest.mark.parametrize("id_", IDS)
def test_each_exercise_says_what_is_wrong_where_nothing_was_changed(id_: str) -> None:
    assert exercise.find(id_).start_cause


@pytest.mark.parametrize(
    ("probes", "delay"),
    [
        ({}, 0),
        ({"readinessProbe": {"initialDelaySeconds": 10}}, 10),
        ({"readinessProbe": {}, "startupProbe": {"initialDelaySeconds": 12}}, 12),
    ],
)
def test_a_start_is_later_than_the_delays_of_the_answer(probes: Object, delay: float) -> None:
    assert rolling._delay(deployment(**probes)) == delay
