"""Shared by the tests of the instruments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from course.measure import traffic
from tests.deployments import deployment, pod, replicaset
from tests.measure.fake_api import Fake


@pytest.fixture
def ended(home: Path) -> Iterator[None]:
    """No generator outlives its test."""
    yield
    for run in traffic.running():
        run.stop()


@pytest.fixture
def api() -> Fake:
    return Fake(
        ("deployments", deployment("r/orders:1.1.0", revision=2)),
        ("replicasets", replicaset(1, "r/orders:1.0.0")),
        ("replicasets", replicaset(2, "r/orders:1.1.0")),
        ("replicasets", replicaset(7, "r/orders:9", owner="another")),
        ("pods", pod("shop-h2-a", 2, "r/orders:1.1.0")),
        ("pods", pod("canary-x", 7, "r/orders:9")),
    )
