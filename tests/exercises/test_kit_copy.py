"""course.exercises.kit.copy: edits of a copy reach nothing of the learner's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course.exercises.kit import clients
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from course.measure import builds


def test_an_edit_of_the_copy_never_reaches_a_file_that_a_link_names(home: Path) -> None:
    lab = Lab("mini-1")
    mine = home / "mine"
    mine.mkdir()
    (mine / "edition.mjs").write_text("mine")
    src = lab.write("real/a.mjs", "a").parent.parent / "src"
    src.mkdir()
    (src / "edition.mjs").symlink_to(mine / "edition.mjs")
    (src / "inside.mjs").symlink_to("../real/a.mjs")
    (src.parent / "lib").symlink_to(mine)
    with lab.copy() as copy:
        for name in ("src/edition.mjs", "lib/edition.mjs", "src/inside.mjs", "new/b.mjs"):
            copy.write(name, "theirs")
            assert (copy.folder / name).read_text() == "theirs"
        assert (copy.folder / "real" / "a.mjs").read_text() == "theirs"
    assert (mine / "edition.mjs").read_text() == "mine"
    assert (src / "inside.mjs").read_text() == "a"
    assert not copy.folder.exists()


def test_what_takes_the_place_of_a_file_to_edit_gives_way(home: Path) -> None:
    lab = Lab("mini-1")
    lab.write("a.mjs", "mine").chmod(0o444)
    folder = lab.folder()
    os.mkfifo(folder / "b.mjs")
    (folder / "c.mjs").mkdir()
    (folder / "c.mjs" / "x").write_text("x")
    (folder / "loop").symlink_to("loop")
    (folder / "src").write_text("no folder")
    with lab.copy() as copy:
        for name in ("a.mjs", "b.mjs", "c.mjs", "loop", "src/d.mjs"):
            copy.write(name, "theirs")
            assert (copy.folder / name).read_text() == "theirs"
    assert (folder / "a.mjs").read_text() == "mine" and (folder / "src").is_file()


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile"])
def test_docker_finds_a_dockerfile_by_two_names(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("mini-1")
    lab.folder().mkdir(parents=True)
    # A comment in another encoding is no fault as long as the image can be built.
    (lab.folder() / name).write_bytes(b"# f\xfcr\nFROM scratch\n")
    monkeypatch.setattr(clients, "env", dict)
    built = builds.Build((), 1)
    monkeypatch.setattr(builds, "run", lambda *_, **__: built)
    with lab.copy() as copy:
        assert copy.attempt() is built
        built = builds.Build((), 1, 0, "string field contains invalid UTF-8")
        with pytest.raises(Wrong) as told:
            copy.attempt()
    assert told.value.cause == "not-utf8"


def test_a_name_that_docker_does_not_send_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("mini-1")
    lab.write("Dockerfile", "FROM scratch")
    lab.write("src/caf\udce9.ts", "x")
    monkeypatch.setattr(clients, "env", dict)
    error = "rpc error: code = Internal desc = grpc: string field contains invalid UTF-8"
    monkeypatch.setattr(builds, "run", lambda *_, **__: builds.Build((), 1, 0, error))
    with lab.copy() as copy, pytest.raises(Wrong) as told:
        copy.attempt()
    assert told.value.cause == "name-not-utf8"
    assert "mini-1/src/caf\\xe9.ts is not UTF-8" in told.value.saw


def test_a_dockerfile_that_is_a_link_out_of_the_folder_is_named(home: Path) -> None:
    lab = Lab("mini-1")
    lab.folder().mkdir(parents=True)
    (home / "D").write_text("FROM scratch")
    (lab.folder() / "Dockerfile").symlink_to(home / "D")
    with lab.copy() as copy, pytest.raises(Wrong) as told:
        copy.attempt()
    assert told.value.cause == "no-dockerfile" and "is a link to" in told.value.saw


def test_a_folder_that_deletes_itself_is_missed_by_name(home: Path) -> None:
    lab = Lab("mini-1")
    with pytest.raises(Wrong) as told, lab.copy():
        pass
    assert told.value.cause == "no-folder" and "course reset mini-1" in told.value.try_
    with pytest.raises(Wrong, match=r"mini-1/word\.txt is not there"):
        lab.read("word.txt")


def test_two_checks_at_once_have_nothing_in_common(home: Path) -> None:
    Lab("mini-1").write("a.mjs", "mine")
    with Lab("mini-1").copy() as one:
        with Lab("mini-1").copy() as other_:
            assert one.folder != other_.folder and one.tag != other_.tag
            other_.write("a.mjs", "theirs")
        assert not other_.folder.exists() and (one.folder / "a.mjs").read_text() == "mine"
