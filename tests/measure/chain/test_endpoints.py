"""course.measure.chain.endpoints: nobody asks for a pod."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("endpoints"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_colour_that_is_off_is_no_break_while_the_other_one_answers() -> None:
    both = apps.app()
    idle = {"metadata": {"labels": {"app": "shop", "colour": "green"}}, "spec": {}}
    both.things["Deployment", "green"] = {
        "kind": "Deployment",
        "metadata": {"name": "green", "namespace": "course"},
        "spec": {"replicas": 0, "template": idle},
    }
    assert apps.said_of(both) is None


def test_what_is_idle_and_needed_by_nobody_is_named_if_it_is_all_there_is() -> None:
    alone = apps.app()
    kept = {"Namespace", "Node"}
    for key in [
        key for key in alone.things if key[0] not in kept and key != ("Deployment", "shop")
    ]:
        del alone.things[key]
    alone.things["Deployment", "shop"]["spec"]["replicas"] = 0
    found = apps.said_of(alone)
    assert found and (found.object, found.proof) == (
        "Deployment shop",
        "nothing runs in the namespace",
    )
