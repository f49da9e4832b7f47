"""The service orders: its source, version and image archive."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from course.artifacts import images
from course.core import paths

SOURCE = paths.ROOT / "apps" / "orders"
VERSION = "1.0.0"


def archive() -> Path:
    """Where a bundle's copy of its image lies; another source has another name."""
    return paths.cache() / "images" / f"orders_{VERSION}-{fingerprint()}.tar"


@functools.cache
def fingerprint(source: Path = SOURCE) -> str:
    """A short hash over everything that its image is made from."""
    sha = hashlib.sha256(images.key("node:24-slim").encode())
    for pattern in ("Dockerfile", "*.json", ".npmrc", "src/**/*", "migrations/**/*"):
        for file in sorted(source.glob(pattern)):
            if file.is_file():
                sha.update(file.relative_to(source).as_posix().encode() + b"\0")
                sha.update(file.read_bytes())
    return sha.hexdigest()[:16]
