"""course.artifacts.tools: a tool comes as its release, or is built and that is said."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest

from course.artifacts import fetch, packages, tools
from course.core.errors import CourseError
from course.core.process import FakeRunner


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network was tried yet."""
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    monkeypatch.setattr(fetch, "_unreached", {})


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


MACHINES = [
    ("Linux", "x86_64", "linux-amd64"),
    ("Linux", "aarch64", "linux-arm64"),
    ("Darwin", "x86_64", "darwin-amd64"),
    ("Darwin", "arm64", "darwin-arm64"),
]


def machine(patch: pytest.MonkeyPatch, system: str, processor: str) -> None:
    patch.setattr("platform.system", lambda: system)
    patch.setattr("platform.machine", lambda: processor)


@pytest.mark.parametrize(("system", "processor", "platform"), MACHINES)
@pytest.mark.parametrize("name", sorted(tools.CATALOGUE))
def test_a_tool_comes_as_the_official_release_with_its_checksum(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, system: str, processor: str,
    platform: str,
) -> None:  # fmt: skip
    asked: list[tuple[str, str]] = []
    tool = tools.CATALOGUE[name]

    def download(from_: str, dest: Path, *, sha256: str = "", report: object = None) -> Path:
        asked.append((from_, sha256))
        dest.parent.mkdir(parents=True, exist_ok=True)
        if dest.suffix != ".tgz":
            dest.write_text("x")
            return dest
        with tarfile.open(dest, "w:gz") as tar:
            for command in (*(tool.darwin if system == "Darwin" else tool.commands), "more"):
                info = tarfile.TarInfo(f"docker/{command}")
                info.size = 1
                tar.addfile(info, io.BytesIO(b"x"))
        return dest

    machine(monkeypatch, system, processor)
    monkeypatch.setattr(fetch, "download", download)
    file = Path(tool.address(platform)).name
    monkeypatch.setattr(fetch, "text", lambda _: f"{'b' * 64} *other\n{'a' * 64} *{file}\n")
    for _ in range(2):
        found = tools.ensure(name, quiet, runner=FakeRunner())
    assert asked == [(tool.address(platform), tool.sha256.get(platform, "a" * 64))]
    assert {path.read_text() for path in found.values()} == {"x"}
    assert all(path.stat().st_mode & 0o111 for path in found.values())
    assert ("dockerd" in found) == (name == "docker" and system == "Linux")


@pytest.mark.parametrize(("system", "processor", "platform"), MACHINES)
@pytest.mark.parametrize("release", tools.RELEASES.values(), ids=lambda release: release.name)
def test_every_address_is_filled_in(
    monkeypatch: pytest.MonkeyPatch,
    release: tools.Release,
    system: str,
    processor: str,
    platform: str,
) -> None:
    machine(monkeypatch, system, processor)
    url = release.address()
    assert url == release.address(platform)
    assert "{" not in url and release.version.lstrip("v") in url
    assert ("/mac/" in url) == (release.name == "docker" and system == "Darwin")
    for source in (*tools.NODES.values(), *release.commands.values()):
        assert "{" not in packages.fill(source)


def test_another_version_of_a_tool_is_another_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = tools.CATALOGUE["kubectl"]
    newer = dataclasses.replace(kubectl, url=kubectl.url.replace("v1.36.4", "v1.36.5"))
    assert tools._folder(kubectl) != tools._folder(newer)


def test_where_no_release_is_in_reach_the_tool_is_built_and_that_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def unreachable(*_: object, **__: object) -> Path:
        raise fetch.UnreachableError("kind.sigs.k8s.io", "Name or service not known")

    def failing(*_: object, **__: object) -> Path:
        raise CourseError("go: no module proxy")

    machine(monkeypatch, "Linux", "x86_64")
    monkeypatch.setattr(fetch, "download", unreachable)
    monkeypatch.setattr(packages, "resolve", lambda source, *_, **__: Path(source))
    assert tools.ensure("kind", lambda what, _: told.append(what)) == {
        "kind": Path("go:kubernetes/kind")
    }
    assert "kind.sigs.k8s.io: Name or service not known" in told[0]
    monkeypatch.setattr(packages, "resolve", failing)
    with pytest.raises(CourseError, match=r"module proxy\n.*sigs.k8s.io: Name or service"):
        tools.ensure("kind", quiet)
    machine(monkeypatch, "Darwin", "arm64")
    with pytest.raises(fetch.UnreachableError):
        tools.ensure("kind", quiet)


def test_a_release_that_is_refused_is_not_built_in_silence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> Path:
        raise CourseError("HTTP 404", "", "report it")

    machine(monkeypatch, "Linux", "x86_64")
    monkeypatch.setattr(fetch, "download", refused)
    monkeypatch.setattr(packages, "resolve", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(CourseError, match="404") as caught:
        tools.ensure("kind", quiet)
    assert "COURSE_OFFLINE=1 course up" in caught.value.try_


def test_the_right_line_of_a_checksum_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = {"other": "a" * 64, "mine": "b" * 64}
    lines = "".join(f"{value} *{name}\n" for name, value in sums.items())
    monkeypatch.setattr(fetch, "text", lambda _: lines)
    assert tools._published("u", "mine") == "b" * 64
    with pytest.raises(CourseError, match="no sha256 of another"):
        tools._published("u", "another")
    monkeypatch.setattr(fetch, "text", lambda _: "b" * 64)
    assert tools._published("u", "kubectl") == "b" * 64


def test_links_replace_older_ones(home: Path, tmp_path: Path) -> None:
    for text in ("old", "new"):
        (tmp_path / text).write_text(text)
        folder = tools.link({"kubectl": tmp_path / text})
    assert (folder / "kubectl").read_text() == "new"
