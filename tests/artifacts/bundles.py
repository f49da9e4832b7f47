"""A small bundle, and ways to damage it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from course.artifacts import debian, fetch, gateway_api, orders_image, packages, tools, unbundle
from course.core import paths
from course.core.process import Completed, FakeRunner

ORDERS = f"localhost:5001/orders:{orders_image.VERSION}"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


class Save(FakeRunner):
    """A docker that has the image of orders and saves images as a word."""

    def run(self, argv, **kwargs):  # type: ignore[no-untyped-def]
        words = [str(a) for a in argv]
        self.calls.append(tuple(words))
        if words[:2] == ["docker", "save"]:
            Path(words[words.index("--output") + 1]).write_text(f"image {words[-1]}")
        return Completed(tuple(words), 0, f"{ORDERS}\n" if "ls" in words else "")


def fill(cache: Path) -> None:
    """A cache as a machine has it on which the course is up."""
    wheels = cache / "python" / unbundle.python_key()
    wheels.mkdir(parents=True)
    with zipfile.ZipFile(wheels / "uv-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("uv-1.data/scripts/uv", "#!/bin/sh\n")
    for entry in (debian.pool(), *(packages.entry(s) for s in tools.NODES.values())):
        entry.mkdir(parents=True)
        (entry / "file").write_text(entry.name)
        (entry / "link").symlink_to("file")
    for name in tools.CATALOGUE:
        for entry in tools.places(name)[-1]:
            entry.mkdir(parents=True, exist_ok=True)
            (entry / "command").write_text(name)
    (cache / "tools" / "moby-of-an-older-version").mkdir()
    (cache / "tools" / ".part-x").mkdir()
    gateway_api.crds_file().parent.mkdir(parents=True)
    gateway_api.crds_file().write_text("crds")


def lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the cache's wheels for those of the lock."""
    wheels = (paths.cache() / "python" / unbundle.python_key()).iterdir()
    known = {file.name: f"sha256:{fetch.digest(file)}" for file in wheels}
    monkeypatch.setattr(unbundle, "_lock", lambda: known)


def names(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()[1:]


def rewrite(file: Path, name: str, content: bytes | None, new_name: str = "") -> None:
    """The same bundle with one part changed, renamed or left out."""
    with tarfile.open(file) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(file, "w") as tar:
        for member, old in members:
            new = content if member.name == name else old
            if new is None:
                continue
            if member.name == name and new_name:
                member.name = new_name
            member.size = len(new)
            tar.addfile(member, io.BytesIO(new))


def content(file: Path, name: str) -> bytes:
    with tarfile.open(file) as tar:
        return tar.extractfile(name).read()  # type: ignore[union-attr]


def manifest(file: Path) -> dict[str, object]:
    with tarfile.open(file) as tar:
        return dict(json.load(tar.extractfile("manifest.json")))  # type: ignore[arg-type]


def replace(file: Path, name: str, content: bytes) -> None:
    """A bundle that says of itself that another content of a part is right."""
    facts = manifest(file)
    parts = facts["parts"]
    assert isinstance(parts, dict)
    parts[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    rewrite(file, name, content)
    rewrite(file, "manifest.json", json.dumps(facts).encode())


def place(name: str) -> Path:
    return paths.cache() / name.removesuffix(".tgz")
