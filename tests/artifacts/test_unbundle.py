"""course.artifacts.unbundle: the Python environment out of a bundle, before there is any."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from course.artifacts import fetch, unbundle
from course.core import paths
from course.core.errors import CourseError
from course.core.process import FakeRunner
from tests.artifacts.bundles import manifest, names, place, replace, rewrite


def test_a_wheel_that_is_not_the_locks_is_refused_though_the_bundle_says_that_it_is_right(
    saved: Path, home: Path
) -> None:
    name = next(n for n in names(saved) if n.startswith("python/"))
    key = name.removeprefix("python/").removesuffix(".tgz")
    for wheel, entry in (
        ("uv-1-py3-none-any.whl", tarfile.TarInfo()),
        ("evil-1-py3-none-any.whl", tarfile.TarInfo()),
        ("requirements.txt", tarfile.TarInfo()),
    ):
        evil = io.BytesIO()
        with tarfile.open(fileobj=evil, mode="w:gz") as tar:
            entry.name, entry.size = f"{key}/{wheel}", 4
            tar.addfile(entry, io.BytesIO(b"evil"))
        replace(saved, name, evil.getvalue())
        with pytest.raises(CourseError, match=re.escape(wheel)):
            unbundle.environment(saved, runner=FakeRunner())
        assert not place(name).exists() and not (paths.cache() / "uv").exists()


def test_the_lock_knows_uv_and_what_builds_the_course() -> None:
    locked = unbundle._lock()
    for package in ("uv", "hatchling", "editables", "pathspec", "jupyterlab"):
        found = [name for name in locked if re.match(rf"{package}-\d", name)]
        assert found and all(re.fullmatch("sha256:[0-9a-f]{64}", locked[name]) for name in found)


def test_the_environment_comes_from_the_bundle_alone(saved: Path) -> None:
    fake = FakeRunner({str(paths.cache() / "uv" / "bin" / "uv"): ""})
    unbundle.environment(saved, runner=fake)
    uv = paths.cache() / "uv" / "bin" / "uv"
    assert uv.stat().st_mode & 0o111
    assert [call[1:3] for call in fake.calls] == [
        ("venv", "--allow-existing"),
        ("export", "--frozen"),
        ("pip", "install"),
        ("pip", "install"),
    ]
    for call in fake.calls[2:]:
        assert {"--offline", "--no-index", "--find-links"} <= set(call)
    assert {"--require-hashes", "--no-deps"} <= set(fake.calls[2])
    # The list is the clone's own, and so is what builds it.
    assert not any(str(paths.cache() / "python") in word and "txt" in word
                   for word in fake.calls[2])  # fmt: skip
    assert "--no-build-isolation" in fake.calls[3]


def test_a_bundle_for_another_python_is_refused(saved: Path) -> None:
    rewrite(saved, "manifest.json", json.dumps(manifest(saved) | {"pythons": ["2.7"]}).encode())
    with pytest.raises(CourseError, match=r"has packages for 2\.7"):
        unbundle.environment(saved, runner=FakeRunner())


def test_a_bundle_for_another_lock_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbundle, "python_key", lambda: "other")
    with pytest.raises(CourseError, match="of another version"):
        unbundle.environment(saved, runner=FakeRunner())


def test_a_bundle_is_read_with_pythons_own_library_alone(saved: Path) -> None:
    # -S: no site-packages, as on a machine where nothing is installed yet.
    code = f"""
from pathlib import Path
from course.artifacts import unbundle
with unbundle.opened(Path({str(saved)!r}), {fetch.digest(saved)!r}) as bundle:
    print(len(bundle.parts))
"""
    env = {**os.environ, "PYTHONPATH": str(paths.ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout.strip()) == ("", str(len(names(saved))))
