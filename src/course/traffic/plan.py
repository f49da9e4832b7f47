"""The plan of a run, handed to the generator in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """What a generator is to send, and for whom.

    Args:
        url: where to.
        rate: requests per second.
        seconds: for how long.
        method: the HTTP method.
        headers: headers beside Host and Connection.
        body: sent with each request; may be empty.
        keep_alive: use connections again.
        version_header: the header that tells who answered.
        timeout: seconds from a send to the end of its answer.
        ca: a file of CA certificates; empty for the system's.
        verify: whether the certificate is verified.
        lease_pid: the process whose end ends the run.
        lease_started: when that process was created, in seconds since the epoch.
    """

    url: str
    rate: float
    seconds: float
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    keep_alive: bool = False
    version_header: str = "x-orders-version"
    timeout: float = 5.0
    ca: str = ""
    verify: bool = True
    lease_pid: int = 0
    lease_started: float = 0.0

    @property
    def planned(self) -> int:
        """How many requests that is."""
        return max(1, round(self.rate * self.seconds))

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        part = folder / f"{FILE}.part"
        part.write_text(json.dumps(asdict(self)))
        part.replace(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read it."""
        return cls(**json.loads((folder / FILE).read_text()))
