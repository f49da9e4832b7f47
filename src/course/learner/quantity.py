"""A number as people type it, with its unit."""

from __future__ import annotations

import math
import re

from course.core.errors import CourseError


def parse_quantity(typed: float | str, unit: str) -> float:
    """A number as people type it: `300`, `1 200`, `0.4 s`.

    Raises:
        CourseError: it is none.
    """
    text = re.sub(r"[\s_]", "", str(typed)).removesuffix(re.sub(r"\s", "", unit))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if isinstance(typed, bool) or not math.isfinite(number):
        comma = "a comma can mean two things; " if "," in text else ""
        saw = f"`{typed}` is not a number" if text else "no number yet"
        raise CourseError(saw, f"a number of {unit}", f"{comma}write e.g. 1200 or 0.4")
    return number
