"""course.measure.rollout.status: what the objects of a rollout say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from course.measure.rollout import Status
from course.measure.rollout import status as reading
from tests.deployments import MADE, Object, deployment, pod, replicaset, template
from tests.measure.fake_api import Fake

NOW = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("orders", "latest"),
        ("orders:1.0.0", "1.0.0"),
        ("localhost:5001/orders", "latest"),
        ("localhost:5001/orders:1.1.0", "1.1.0"),
        ("localhost:5001/orders:1.1.0@sha256:0123456789abcdef", "1.1.0"),
        ("localhost:5001/orders@sha256:0123456789abcdef", "0123456789ab"),
        ("", "latest"),
    ],
)
def test_the_version_of_an_image_is_its_tag(image: str, expected: str) -> None:
    assert reading.tag(image) == expected


def test_the_variable_that_a_service_answers_with_comes_before_the_tag() -> None:
    assert reading.version(template("orders:1.0.0", ORDERS_VERSION="1.0.0-slow")) == "1.0.0-slow"


@pytest.mark.parametrize(
    ("value", "told"),
    [("$(A)-slow", "2-slow"), ("$$(A)", "$(A)"), ("$(B) $A $(A", "$(B) $A $(A"), ("$$$(A)", "$2")],
)
def test_a_variable_may_name_those_before_it_as_the_kubelet_reads_it(value: str, told: str) -> None:
    named = template("orders:1.0.0", A="2", ORDERS_VERSION=value, B="later")
    assert reading.version(named) == told
    assert reading.version(template("orders:1.0.0", LOG_LEVEL="debug")) == "1.0.0"


def test_pods_of_another_owner_with_the_same_label_are_left_out(api: Fake) -> None:
    sets = reading.owned(api.things["replicasets"].values(), "d")
    (found,) = reading.pods(api.things["pods"].values(), sets, NOW)
    assert (found.name, found.version, found.revision) == ("shop-h2-a", "1.1.0", 2)
    assert (found.phase, found.ready, found.restarts, found.age) == ("Running", True, 1, 30.0)


def test_a_pod_says_what_kubectl_says_of_it_and_columns_has_the_rest() -> None:
    sets = [replicaset(1, "r/orders:1.0.0")]
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    things = [
        pod("a", ready=True, deletionTimestamp=MADE),
        pod("b", ready=False, waiting=backoff),
        pod("c", ready=False, waiting={"reason": "ContainerCreating"}),
    ]
    found = reading.pods(things, sets, NOW)
    assert [p.phase for p in found] == ["Terminating", "ImagePullBackOff", "ContainerCreating"]
    assert [p.terminating for p in found] == [True, False, False]


@pytest.mark.parametrize(("phase", "reason"), [("Failed", "Evicted"), ("Succeeded", "")])
def test_a_finished_pod_is_listed_and_neither_ready_nor_waited_for(phase: str, reason: str) -> None:
    thing = pod("a", waiting={"reason": "ImagePullBackOff"})
    thing["status"] |= {"phase": phase, "reason": reason}
    sets = [replicaset(1, "r/orders:1.0.0")]
    (found,) = reading.pods([thing], sets, NOW)
    assert (found.finished, found.ready, found.terminating) == (True, False, False)
    assert reading.status(deployment(), sets, [thing]).waiting == ()


def test_restarts_are_counted_as_kubectl_does() -> None:
    thing = pod("a")
    thing["spec"]["initContainers"] = [{"name": "mesh", "image": "m", "restartPolicy": "Always"}]
    mesh = {"name": "mesh", "started": True, "ready": True, "restartCount": 3, "state": {}}
    thing["status"]["initContainerStatuses"] = [mesh]
    (found,) = reading.pods([thing], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert found.restarts == 4


def test_a_pod_of_a_node_whose_clock_is_ahead_keeps_its_place_and_has_no_age() -> None:
    early, late = pod("b"), pod("a", creationTimestamp="2026-01-01T00:10:05Z")
    early["metadata"]["creationTimestamp"] = "2026-01-01T00:10:00Z"
    found = reading.pods([late, early], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert [(p.name, p.age) for p in found] == [("b", 0.0), ("a", 0.0)]


def test_a_pod_belongs_to_its_controller_and_not_to_its_other_owners() -> None:
    other = {"uid": "x", "kind": "ConfigMap"}
    thing = pod("a", ownerReferences=[other, {"uid": "s1", "controller": True}])
    stray = pod("b", ownerReferences=[{"uid": "s1", "controller": False}])
    sets = [replicaset(1, "r/orders:1.0.0")]
    assert [p.name for p in reading.pods([thing, stray], sets, NOW)] == ["a"]


def test_a_pod_of_which_nothing_is_told_yet_is_there() -> None:
    thing = pod("a")
    del thing["status"], thing["metadata"]["creationTimestamp"]
    (found,) = reading.pods([thing], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert (found.phase, found.ready, found.restarts, found.age) == ("", False, 0, 0.0)


def test_a_pod_that_a_readiness_gate_holds_back_runs_and_is_not_ready() -> None:
    thing = pod("a", ready=False)
    gate = {"type": "example.com/gate", "status": "True"}
    thing["status"]["conditions"] = [gate, *thing["status"]["conditions"]]
    thing["status"]["containerStatuses"][0]["ready"] = True
    (found,) = reading.pods([thing], [replicaset(1, "r/orders:1.0.0")], NOW)
    assert (found.phase, found.ready) == ("Running", False)


def test_a_pod_without_a_container_has_no_version_and_is_no_crash() -> None:
    assert reading.version({"spec": {}}) == "latest"


def test_a_selector_with_expressions_is_a_query() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "canary", "operator": "DoesNotExist"},
    ]
    thing = deployment(selector={"matchLabels": {"app": "shop"}, "matchExpressions": rules})
    assert reading.selector(thing) == "app=shop,tier in (a,b),!canary"


@pytest.mark.parametrize(
    ("change", "state", "message"),
    [
        ({}, "complete", "2 of 2 replicas updated and available"),
        ({"observedGeneration": 0}, "progressing", "the change has not been observed yet"),
        ({"updatedReplicas": 1}, "progressing", "1 of 2 replicas updated"),
        ({"replicas": 3}, "progressing", "1 old replica still there"),
        ({"availableReplicas": 1}, "progressing", "1 of 2 updated replicas available"),
        (
            {
                "updatedReplicas": 1,
                "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}],
            },
            "stalled",
            "no progress within 600 s: 1 of 2 replicas updated, 2 available",
        ),
    ],
)
def test_a_rollout_is_as_far_as_kubectl_says(change: Object, state: str, message: str) -> None:
    thing = deployment()
    thing["status"] |= change
    found = reading.status(thing, [replicaset(1, "r/orders:1.0.0")])
    assert (found.state, found.message) == (state, message)


def test_a_deployment_scaled_to_nothing_is_complete() -> None:
    thing = deployment(replicas=0)
    thing["status"] = {"observedGeneration": 1}
    found = reading.status(thing, [])
    assert (found.state, found.desired) == ("complete", 0)


def test_a_deployment_without_a_status_has_not_been_observed() -> None:
    thing = deployment()
    del thing["status"]
    assert reading.status(thing, []).message == "the change has not been observed yet"


def test_a_paused_rollout_is_paused_whatever_else_it_is() -> None:
    thing = deployment(paused=True)
    thing["status"]["updatedReplicas"] = 1
    assert reading.status(thing, []).state == "paused"


def test_a_stalled_rollout_names_the_pod_and_its_reason() -> None:
    thing = deployment("r/orders:9.9.9", revision=2)
    thing["status"]["conditions"] = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    sets = [replicaset(1, "r/orders:1.0.0"), replicaset(2, "r/orders:9.9.9")]
    things = [pod("old", 1, waiting=backoff), pod("new", 2, ready=False, waiting=backoff)]
    found = reading.status(thing, sets, things)
    assert [str(w) for w in found.waiting] == ["new: ImagePullBackOff: Back-off pulling image"]
    assert (found.reason, found.previous, found.version) == (reading.DEADLINE, 1, "9.9.9")
    assert "(ProgressDeadlineExceeded)\n  new: ImagePullBackOff" in repr(found)


def test_a_replicaset_that_may_make_no_pods_is_named() -> None:
    newest = replicaset(1, "r/orders:1.0.0")
    newest["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    ]
    found = reading.status(deployment(), [newest])
    assert [str(w) for w in found.waiting] == ["shop-h1: FailedCreate: quota"]


def test_a_status_shows_itself() -> None:
    assert repr(Status("complete", "2 of 2")) == "complete: 2 of 2"
