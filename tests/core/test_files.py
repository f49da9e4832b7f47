"""course.core.files: a file or a folder is there whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from course.core import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", ["größer", "größer".encode()])
@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_with_the_folders_above_it(
    tmp_path: Path, content: str | bytes, durable: bool
) -> None:
    file = tmp_path / "a" / "b" / "file.txt"
    assert files.atomic_write(file, content, durable=durable) == file
    assert file.read_text(encoding="utf-8") == "größer"
    assert files.atomic_write(file, "second").read_text() == "second"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("umask", "wanted", "seen"),
    [
        (0o022, None, 0o644),
        (0o077, None, 0o600),
        (0o022, 0o600, 0o600),
        (0o000, 0o600, 0o600),
        (0o077, 0o755, 0o755),
    ],
)
def test_the_umask_decides_who_may_read_a_file_unless_its_mode_is_given(
    tmp_path: Path, umask: int, wanted: int | None, seen: int
) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o666)
    old = os.umask(umask)
    try:
        files.atomic_write(file, "x", mode=wanted)
    finally:
        os.umask(old)
    assert mode(file) == seen


def test_a_write_that_fails_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.atomic_write(file, "after", durable=True)
    assert file.read_text() == "before" and list(tmp_path.iterdir()) == [file]


def test_a_link_is_replaced_and_what_it_names_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    for link in (tmp_path / "link", tmp_path / "dangling"):
        link.symlink_to(theirs if link.name == "link" else tmp_path / "none" / "file")
        files.atomic_write(link, "ours")
        assert not link.is_symlink() and link.read_text() == "ours"
    assert theirs.read_text() == "theirs" and not (tmp_path / "none").exists()


def test_a_folder_in_the_files_place_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "file" / "mine").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        files.atomic_write(tmp_path / "file", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_reader_never_sees_half_a_file_though_its_writer_is_killed(tmp_path: Path) -> None:
    file, texts = tmp_path / "file", {letter * 300_000 for letter in "ab"}
    code = (
        "import pathlib, sys; from course.core import files\n"
        "while True:\n    for letter in 'ab': files.atomic_write(pathlib.Path(sys.argv[1]),"
        " letter * 300_000); print(letter, flush=True)"
    )
    argv = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
            assert file.read_text() in texts
        writer.send_signal(signal.SIGKILL)
    assert file.read_text() in texts


def test_a_folder_is_made_whole_with_room_beside_it_on_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with files.atomic_folder(folder) as part:
        (part / "file").write_text("x")
        (part.parent / "notes").write_text("on the way")
        assert not folder.exists() and part.stat().st_dev == tmp_path.stat().st_dev
    assert [p.name for p in folder.iterdir()] == ["file"] and mode(folder) == 0o755
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.atomic_folder(tmp_path / "a") as part:
        (part / "file").write_text("x")
        (part / "file").chmod(0)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_process_made_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not empty"), files.atomic_folder(tmp_path / "a") as part:
        (part / "ours").touch()
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "theirs").touch()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["theirs"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("there", ["nothing", "folder", "file", "link"])
def test_a_folder_is_emptied_whatever_is_there(tmp_path: Path, there: str) -> None:
    target, theirs = tmp_path / "target", tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "mine").touch()
    if there == "folder":
        (target / "sub").mkdir(parents=True)
        (target / "link").symlink_to(theirs)
    elif there == "file":
        target.touch()
    elif there == "link":
        target.symlink_to(theirs)
    files.empty(target)
    assert target.is_dir() and not target.is_symlink() and not list(target.iterdir())
    assert (theirs / "mine").exists()
