"""course.measure.rollout.history: samples and gaps from events alone, without thread or API."""

from __future__ import annotations

import pytest

from course.core.errors import CourseError
from course.measure.kube_api import ApiError
from course.measure.rollout.history import KINDS, Gap, History, Moment
from tests.deployments import MADE, Object, deployment, pod, replicaset

BEGAN = 1_767_225_600.0  # as MADE
ANEW = "Deployment shop was made anew with another selector"
NO_ANSWER = ApiError(0, "no Kubernetes API answers")
NEW = "r/orders:1.1.0"


def at(seconds: float) -> Moment:
    return Moment(seconds, BEGAN + seconds)


def listed(history: History, kind: str, seconds: float, *items: Object) -> None:
    history.listed(kind, history.queries[kind], list(items), at(seconds))


@pytest.fixture
def history() -> History:
    """Of a Deployment with one revision and one pod, all listed."""
    made = History("shop", BEGAN)
    listed(made, "deployments", 0.0, deployment())
    listed(made, "replicasets", 0.1, replicaset(1, "r/orders:1.0.0"))
    listed(made, "pods", 0.2, pod("a"))
    return made


def names(history: History) -> list[list[str]]:
    return [[found.name for found in sample.pods] for sample in history.samples]


def test_the_first_sample_comes_once_each_kind_is_listed() -> None:
    history = History("shop", BEGAN)
    listed(history, "deployments", 0.0, deployment())
    assert history.queries == {
        "deployments": {"fieldSelector": "metadata.name=shop"},
        "replicasets": {"labelSelector": "app=shop"},
        "pods": {"labelSelector": "app=shop"},
    }
    listed(history, "replicasets", 0.1, replicaset(1, "r/orders:1.0.0"))
    assert history.samples == []
    listed(history, "pods", 0.2, pod("a"))
    assert [(sample.at, sample.status.state) for sample in history.samples] == [(0.2, "complete")]
    assert (history.gaps, history.trouble) == ([], "")


def test_there_is_a_sample_for_each_change_and_none_for_what_changes_nothing(
    history: History,
) -> None:
    history.changed("pods", pod("b", ready=False), at(1))
    history.changed("pods", pod("b", ready=False), at(2))
    history.changed("pods", pod("b"), at(3))
    history.changed("pods", pod("a"), at(4), gone=True)
    assert [sample.at for sample in history.samples] == [0.2, 1, 3, 4]
    assert names(history) == [["a"], ["a", "b"], ["a", "b"], ["b"]]


def test_a_pod_that_came_back_under_its_name_stays_when_the_former_is_gone(
    history: History,
) -> None:
    history.changed("pods", pod("a", uid="new", ready=False), at(1))
    history.changed("pods", pod("a", uid="old"), at(2), gone=True)
    assert names(history)[-1] == ["a"]


def test_a_pods_age_is_of_the_wall_clock(history: History) -> None:
    # The watch began at MADE; the machine slept for a minute.
    history.changed("pods", pod("b", creationTimestamp=MADE), Moment(5.0, BEGAN + 65.0))
    assert history.samples[-1].at == 5.0
    assert [found.age for found in history.samples[-1].pods] == [65.0, 65.0]


def test_what_was_lost_is_a_gap_until_it_is_listed_again(history: History) -> None:
    history.lost("pods", NO_ANSWER, at(1.0))
    history.lost("pods", NO_ANSWER, at(1.5))
    assert history.trouble == NO_ANSWER.saw
    listed(history, "pods", 3.0, pod("a"), pod("b"))
    assert history.gaps == [Gap(1.0, 2.0, NO_ANSWER.saw)]
    assert history.trouble == ""
    assert names(history) == [["a"], ["a", "b"]]


def test_losses_that_overlap_are_one_gap_from_the_first_to_the_last(history: History) -> None:
    for seconds, kind in enumerate(KINDS, 1):
        history.lost(kind, NO_ANSWER, at(seconds))
    for seconds, (kind, thing) in enumerate(
        [("deployments", deployment()), ("pods", pod("a")), ("replicasets", replicaset(1, "r/o:1"))]
    ):
        assert history.gaps == []
        listed(history, kind, 4.0 + seconds, thing)
    assert history.gaps == [Gap(1, 5.0, NO_ANSWER.saw)]


@pytest.mark.parametrize(("code", "refused"), [(401, True), (403, True), (0, False), (410, False)])
def test_a_call_that_is_forbidden_is_a_refusal_and_another_loss_is_not(
    history: History, code: int, *, refused: bool
) -> None:
    error = ApiError(code, "the API says so")
    history.lost("deployments", CourseError("ValueError: what"), at(1))
    history.lost("pods", error, at(1))
    assert history.refusal is (error if refused else None)
    listed(history, "pods", 2, pod("a"))
    assert history.refusal is None


def test_a_deployment_that_is_deleted_is_gone_and_may_come_back(history: History) -> None:
    history.changed("deployments", deployment(), at(1), gone=True)
    again = deployment()
    again["metadata"]["uid"] = "d2"
    history.changed("deployments", again, at(2))
    assert [sample.status.state for sample in history.samples] == ["complete", "gone", "complete"]
    assert names(history) == [["a"], ["a"], []]


def test_another_selector_makes_what_it_selects_unknown_until_it_is_listed(
    history: History,
) -> None:
    former = history.queries["pods"]
    again = deployment(NEW, selector={"matchLabels": {"app": "shop-2"}})
    again["metadata"]["uid"] = "d2"
    history.changed("deployments", again, at(1))
    assert history.queries["pods"] == {"labelSelector": "app=shop-2"}
    assert [kind for kind in KINDS if not history.is_listed(kind)] == ["replicasets", "pods"]
    assert history.trouble == ANEW
    # What the former watch and a former list still bring is of the former Deployment.
    history.changed("pods", pod("b"), at(1.1))
    history.listed("pods", former, [pod("a")], at(1.2))
    assert not history.is_listed("pods")
    listed(history, "replicasets", 2, replicaset(2, NEW, owner="d2"))
    assert len(history.samples) == 1
    listed(history, "pods", 3, pod("c", 2, NEW))
    assert names(history) == [["a"], ["c"]]
    assert (history.gaps, history.trouble) == ([Gap(1, 2, ANEW)], "")


def test_a_machine_that_slept_is_a_gap_and_a_clock_that_is_set_back_is_none(
    history: History,
) -> None:
    history.tick(at(1))
    history.tick(Moment(2, BEGAN + 62))
    history.tick(Moment(3, BEGAN + 63))
    history.tick(Moment(4, BEGAN + 4))
    history.tick(Moment(5, BEGAN + 5))
    history.tick(Moment(6, BEGAN + 8))
    assert history.gaps == [Gap(2, 60, "the machine slept for 60 s")]


def test_a_deployment_newer_than_what_is_known_is_judged_with_the_pods_that_are(
    history: History,
) -> None:
    backoff = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    history.changed("pods", pod("a", waiting=backoff), at(1))
    newer = deployment()
    newer["metadata"]["generation"] = 2
    found = history.status_of(newer)
    assert (found.state, [held.name for held in found.waiting]) == ("progressing", ["a"])
    assert history.samples[-1].status.state == "complete"
