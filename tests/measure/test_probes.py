"""A container's health over time, from what Docker says at each look."""

from __future__ import annotations

from typing import Any

import pytest

from course.measure.container import Health, Probe
from course.measure.probes import CUT, Timeline, Watch


class Made:
    """A container whose health is what the test sets."""

    def __init__(self) -> None:
        self.at, self.said = 0.0, Health("starting", 0, ())

    def exit_code(self) -> None:
        return None

    def health(self) -> Health:
        return self.said

    def started(self) -> float:
        return self.at

    def retries(self) -> int:
        return 2

    def probe_timeout(self) -> float:
        return 2.0

    def start_period(self) -> float:
        return 20.0


def probes(*spans: tuple[float, float, int]) -> tuple[Probe, ...]:
    return tuple(Probe(start, end, code, "") for start, end, code in spans)


def timeline(*spans: tuple[float, float, int], retries: int = 2) -> Timeline:
    return Timeline("unhealthy", 0, retries, 2.0, 20.0, True, 0.0, probes(*spans))


def test_probes_that_docker_forgets_are_kept_and_those_of_an_earlier_start_are_not() -> None:
    made: Any = Made()
    watch = Watch(made)
    made.said = Health("healthy", 0, probes((1, 1.1, 0), (2, 2.1, 0)))
    assert watch.look().good == 2
    made.said = Health("healthy", 0, probes((3, 3.1, 0)))
    assert [probe.start for probe in watch.look().probes] == [1, 2, 3]
    made.at = 2.5
    assert [probe.start for probe in watch.look().probes] == [3]


def test_what_failed_is_counted_to_the_probe_that_made_it_unhealthy() -> None:
    seen = timeline((1, 1.1, 1), (2, 2.1, 0), (3, 3.1, 1), (4, 4.1, 1), (5, 5.1, 1))
    assert [probe.start for probe in seen.failing] == [3, 4]
    assert (seen.good, seen.healthy_after) == (1, 2.1)


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        # Two waits of 1 s and two timeouts of 2 s; what the machine took more is not counted.
        ([(0, 0.5, 0), (1.5, 3.5, CUT), (4.5, 6.5, CUT)], 6.0),
        ([(0, 0.5, 0), (1.5, 4.4, CUT), (5.4, 8.3, CUT)], 6.0),
        # These ended by themselves: less the machine's pace.
        ([(0, 0.5, 0), (1.5, 2.5, 1), (3.5, 4.5, 1)], 3.4),
        # Docker could not even start it.
        ([(0, 0.5, 0), (1.5, 1.6, CUT), (2.6, 2.7, CUT)], 2.2),
        # It was never well.
        ([(1, 3, CUT), (4, 6, CUT)], 6.0),
    ],
)
def test_the_time_until_it_is_unhealthy_is_that_of_its_numbers(
    spans: list[tuple[float, float, int]], seconds: float
) -> None:
    assert timeline(*spans).until_unhealthy(0.3) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([(1, 1.1, 1), (2.1, 2.2, 1), (6.2, 6.6, 0)], 1.6),  # 1.2 s after 5 s, and 0.4 s itself
        ([(4, 4.1, 1), (5.1, 5.5, 0)], 1.4),  # it might have been well only a moment later
        ([(5, 6.4, 1), (11.4, 11.8, 0)], 5.4),
        ([(5, 6.4, 0)], 6.4),
        ([(1, 6.4, 0)], 1.4),  # it has waited until all was well
        ([(7, 7.4, 0)], 2.4),  # 7 s are enough for all that are well after 5 to 6 s
    ],
)
def test_the_time_until_it_is_healthy_is_the_longest_of_its_kind(
    spans: list[tuple[float, float, int]], seconds: float
) -> None:
    assert timeline(*spans).until_healthy(5, 6, 0) == pytest.approx(seconds)
