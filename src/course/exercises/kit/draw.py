"""What a check makes up: requests, words and delays that differ from check to check.

An answer that is right for one request, or only just slower than one fixed delay, fits the check
and not the rule. So all of it is drawn when the check runs, from one seed, which `explain` shows;
`COURSE_SEED` draws the same again.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence

SEED = "COURSE_SEED"
_BEYOND = (2.0, 6.0)
LONGEST = 20.0
"""Seconds that a check waits at most for a slow thing that it made slow itself."""


class Draw:
    """Draws from one seed.

    Args:
        seed: by default another one for each check.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is None:
            given = os.environ.get(SEED, "")
            seed = int(given) if given.isdecimal() else 1 + secrets.randbelow(10**6)
        self.seed = seed
        self._random = random.Random(seed)  # noqa: S311 - to be drawn again, not to be secret

    def word(self, letters: int = 6) -> str:
        """Draw a word of hexadecimal digits."""
        return "".join(self._random.choices("0123456789abcdef", k=letters))

    def number(self, low: int, high: int) -> int:
        """Draw an integer, both bounds included."""
        return self._random.randint(low, high)

    def one_of(self, choices: Sequence[str]) -> str:
        """Draw one of several texts."""
        return self._random.choice(choices)

    def within(self, low: float, high: float) -> float:
        """Draw a delay in seconds where the exercise's text promises its bounds."""
        return self._random.uniform(low, high)

    def past(self, delay: float) -> float:
        """Draw a delay for an answer that itself waits.

        Args:
            delay: seconds that the answer allows.

        Returns:
            2 to 6 s more, `LONGEST` at most: an answer that allows more than that is refuted
            without waiting.
        """
        return min(delay + self.within(*_BEYOND), LONGEST)
