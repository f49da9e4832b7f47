"""course.artifacts.orders_image: the sample service's image follows its source."""

from __future__ import annotations

from typing import Any

from course.artifacts import orders_image


def test_the_image_follows_the_source(tmp_path: Any) -> None:
    orders_image.fingerprint.cache_clear()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "index.ts").write_text("1")
    first = orders_image.fingerprint(tmp_path)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("no part of it")
    orders_image.fingerprint.cache_clear()
    assert orders_image.fingerprint(tmp_path) == first
    (tmp_path / "src" / "index.ts").write_text("2")
    orders_image.fingerprint.cache_clear()
    assert orders_image.fingerprint(tmp_path) != first
