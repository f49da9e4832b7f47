"""How a long step says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, float | None], None]
"""`report(detail, fraction)`: what is being done, and how far it is (0 to 1, or unknown)."""
