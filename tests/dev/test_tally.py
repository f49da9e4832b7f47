"""course.dev.tally: when too much could not be judged."""

from __future__ import annotations

import pytest

from course.core.errors import CourseError
from course.dev.tally import Tally


@pytest.mark.parametrize(
    ("unjudged", "judged", "fails"),
    [(2, 10, False), (3, 10, True), (4, 200, False), (5, 200, True)],
)
def test_too_many_that_could_not_be_judged_fail_the_run(
    unjudged: int, judged: int, fails: bool
) -> None:
    tally = Tally(judged=judged, unjudged={str(i): "busy" for i in range(unjudged)})
    if fails:
        with pytest.raises(CourseError, match=f"{unjudged} could not be judged, of {judged}"):
            tally.refuse()
    else:
        tally.refuse()
