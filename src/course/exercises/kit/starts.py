"""Start a container twice, and ask what it answers whenever it runs: before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import Facts, Noted, see
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong

Contract: TypeAlias = Callable[[Served, Draw], Iterator[Facts]]
"""What a service answers whenever it runs: asks for things drawn now, and yields what it heard."""


class Judging(Noted, Protocol):
    """What a check draws from and notes in."""

    @property
    def draw(self) -> Draw:
        """What it makes up."""


def keeps(check: Judging, contract: Contract | str, served: Served, when: str = "") -> None:
    """Ask a service what it answers whenever it runs.

    Args:
        check: draws what is asked, and gets the notes.
        contract: its contract; or why it has none.
        served: the service.
        when: at which time it is asked, as a message says it.

    Raises:
        Wrong: it answers something else.
    """
    if isinstance(contract, str):
        return
    try:
        for facts in contract(served, check.draw):
            see(check, facts)
    except Wrong as wrong:
        raise (wrong.at(when) if when else wrong) from wrong.__cause__


class Starts:
    """The starts of one container, the second one on the files that the first one left.

    Args:
        check: see `keeps`.
        contract: see `keeps`.
        ref: the image, as the learner names it.
        once: whether one start is enough.
        ends: whether the contract cannot be asked again after what is done to it.
    """

    def __init__(
        self, check: Judging, contract: Contract | str, *, ref: str, once: bool, ends: bool
    ) -> None:
        self._check, self._contract, self._ref = check, contract, ref
        self._once, self._ends = once, ends
        self._second = False

    def each(self, served: Served) -> Iterator[Served]:
        """Yield the container at each start, to do something to it.

        Raises:
            Wrong: its contract is broken, or Docker cannot start it again.
        """
        yield from self._around(served)
        if not self._once:
            self._second = True
            served.restart(self._ref)
            yield from self._around(served)
            self._second = False  # what is seen after both is not the second one's

    def _around(self, served: Served) -> Iterator[Served]:
        keeps(self._check, self._contract, served)
        yield served
        if not self._ends:
            keeps(self._check, self._contract, served, "asked again")

    def told(self, wrong: Wrong) -> Wrong:
        """Return a verdict that says at which start it was, if that was the second one."""
        return wrong.at("at its second start") if self._second else wrong
