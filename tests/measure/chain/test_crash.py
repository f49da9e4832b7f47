"""course.measure.chain.crash: how containers end."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps

POD = "shop-6c9f7d5b84-2lq8x"


@pytest.mark.parametrize("app", apps.of("crash"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_what_is_said_does_not_change_while_it_waits_runs_again_and_ends() -> None:
    said = {apps.said_of(apps.app(f"crash/variable-{now}")) for now in ("waiting", "running")}
    assert said == {apps.said_of(apps.app("crash/variable-terminated"))}


@pytest.mark.parametrize(
    ("started", "reason", "well"),
    [
        ("11:59:58", "Error", False),
        ("11:59:40", "Error", True),
        ("11:59:58", "Unknown", True),
    ],
    ids=["runs for as long as before", "runs for longer than before", "was lost with its node"],
)
def test_a_container_that_runs_again(started: str, reason: str, *, well: bool) -> None:
    app = apps.app("crash/variable-running")
    app.things["Pod", POD]["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    (status,) = app.things["Pod", POD]["status"]["containerStatuses"]
    status["state"]["running"]["startedAt"] = f"2026-11-27T{started}Z"
    status["lastState"]["terminated"]["reason"] = reason
    status["ready"] = True
    assert (apps.said_of(app) is None) == well


def test_a_pod_that_was_evicted_or_has_done_its_work_is_no_crash() -> None:
    evicted = apps.app()
    evicted.things["Pod", POD]["status"] |= {"phase": "Failed", "reason": "Evicted"}
    assert apps.said_of(evicted) is None
    done = apps.app("crash/bare-pod")
    done.things["Pod", "once"]["status"]["phase"] = "Succeeded"
    assert apps.said_of(done) is None


def test_a_try_of_a_job_that_has_succeeded_since_is_no_crash() -> None:
    app = apps.app("crash/bare-pod", "job/back-off")
    owner = {"kind": "Job", "name": "import", "uid": "j", "controller": True}
    app.things["Pod", "once"]["metadata"]["ownerReferences"] = [owner]
    found = apps.said_of(app)
    assert found and (found.link, found.object) == ("crash", "Job import")
    app.things["Job", "import"]["status"] = {"succeeded": 1}
    assert apps.said_of(app) is None


def test_of_two_that_crash_the_one_that_the_other_calls_is_named() -> None:
    app = apps.app("crash/exception")
    (status,) = app.things["Pod", "db-0"]["status"]["containerStatuses"]
    status |= {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    found = apps.said_of(app)
    assert found and found.object == "StatefulSet db"
    app.things["Pod", "api"] = {
        **app.things["Pod", "db-0"],
        "metadata": {"name": "api", "namespace": "course", "uid": "api", "labels": {"app": "api"}},
    }
    found = apps.said_of(app)
    assert found and found.object == "StatefulSet db"


def test_a_code_of_an_error_is_no_variable() -> None:
    app = apps.app("crash/exception")
    app.logs[POD, "shop"] = "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/app/server.js'"
    found = apps.said_of(app)
    assert found and found.field.endswith("containers[shop].image")
