"""The plan of a run, handed to the generator in a file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path

from course.core import files

FILE = "plan.json"
GRACE = 5.0
"""Seconds beyond its schedule and its last timeout after which the generator is ended."""


@dataclass(frozen=True)
class Plan:
    """What a generator is to send, and for whom.

    Args:
        url: where to.
        rate: requests per second.
        seconds: for how long.
        method: the HTTP method.
        headers: names and values, in the order in which they are sent.
        body: sent with each request; may be empty.
        keep_alive: use connections again.
        version_header: the header that tells who answered.
        timeout: seconds from a send to the end of its answer.
        ca: a file of CA certificates; empty for the system's.
        verify: whether the certificate is verified.
        lease: the process whose end ends the run, as `locks.process_key` names it.
    """

    url: str
    rate: float
    seconds: float
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    keep_alive: bool = False
    version_header: str = "x-orders-version"
    timeout: float = 5.0
    ca: str = ""
    verify: bool = True
    lease: str = ""

    @property
    def planned(self) -> int:
        """How many requests that is: each whose time, number / rate, comes before the end."""
        # As they are written: in binary, 1.1 × 10 is a little more than 11.
        return math.ceil(Fraction(repr(self.rate)) * Fraction(repr(self.seconds)))

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        # A header may hold a password.
        files.atomic_write(folder / FILE, json.dumps(asdict(self)), mode=0o600)

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read it; what another version of the course wrote may hold more."""
        known = {field.name for field in fields(cls)}
        found = json.loads((folder / FILE).read_text())
        found["headers"] = tuple((name, value) for name, value in found.get("headers", ()))
        return cls(**{name: value for name, value in found.items() if name in known})
