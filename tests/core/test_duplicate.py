"""A folder's copy: what `docker build` sends of the one it sends of the other."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from course.core import duplicate
from course.core.errors import CourseError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "x-1"
    made.mkdir()
    return made


def copied(folder: Path, *without: str) -> Path:
    target = folder.parent / "copy"
    target.mkdir()
    duplicate.duplicate(folder, target, without=without)
    return target


def test_a_socket_is_an_empty_file_as_docker_sends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # an address is at most 107 bytes long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s")
        sent = copied(folder) / "s"
        assert sent.is_file() and sent.read_bytes() == b""
        assert sent.stat().st_mode & 0o777 == (folder / "s").stat().st_mode & 0o777


def test_pipes_and_devices_are_what_they_were(folder: Path) -> None:
    os.mkfifo(folder / "pipe", 0o640)
    target = folder.parent / "copy"
    if os.getuid() == 0:
        os.mknod(folder / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    copied(folder)
    assert stat.S_ISFIFO((target / "pipe").stat().st_mode)
    assert os.getuid() != 0 or (target / "null").is_char_device()


def test_links_are_copied_as_links_wherever_they_lead(folder: Path) -> None:
    links = {"dangling": "nowhere", "absolute": "/etc/passwd", "loop": "loop", "out": "../../x"}
    for name, to in links.items():
        (folder / name).symlink_to(to)
    target = copied(folder)
    assert {name: str((target / name).readlink()) for name in links} == links


def test_names_are_bytes(folder: Path) -> None:
    names = [b"caf\xe9.ts", "für".encode(), b"new\nline", b"-rf", b" ", b"a" * 255]
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(name)
    assert sorted(os.fsencode(p.name) for p in copied(folder).iterdir()) == sorted(names)


def test_a_path_may_be_as_long_as_the_system_allows(folder: Path) -> None:
    room = 4000 - len(str(folder.parent / "copy"))
    deep = Path(*["d" * 99] * (room // 100))
    (folder / deep).mkdir(parents=True)
    (folder / deep / "f").write_text("x")
    target = copied(folder)
    assert (target / deep / "f").read_text() == "x"
    duplicate.remove(target)
    assert not target.exists()


def test_folders_may_be_as_deep_as_that(folder: Path) -> None:
    at = folder
    for _ in range(600):
        at = at / "d"
        at.mkdir()
    target = copied(folder)
    assert Path(target, *["d"] * 600).is_dir()
    for made in (target, folder):
        duplicate.remove(made)
        assert not made.exists()


def test_a_sparse_file_takes_no_more_room_than_before(folder: Path) -> None:
    with (folder / "sparse").open("wb") as file:
        file.truncate(20_000_000_000)
        file.seek(9_999_999_999)
        file.write(b"middle")
    made = (copied(folder) / "sparse").stat()
    assert made.st_size == 20_000_000_000 and made.st_blocks * 512 < 1_000_000
    with (folder.parent / "copy/sparse").open("rb") as file:
        file.seek(9_999_999_998)
        assert file.read(8) == b"\0middle\0"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP])
def test_a_file_system_that_knows_no_holes_has_its_files_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuses(*_: int) -> int:
        raise OSError(code, os.strerror(code))

    content = os.urandom(duplicate._CHUNK + 5)
    (folder / "a").write_bytes(content)
    monkeypatch.setattr(os, "lseek", refuses)
    assert (copied(folder) / "a").read_bytes() == content


def test_modes_and_times_stay(folder: Path) -> None:
    (folder / "closed").mkdir()
    (folder / "closed/a").write_text("a")
    (folder / "closed/a").chmod(0o751)
    os.utime(folder / "closed/a", (1, 2))
    (folder / "closed").chmod(0o555)
    made = copied(folder) / "closed"
    assert made.stat().st_mode & 0o777 == 0o555
    assert ((made / "a").stat().st_mode & 0o777, (made / "a").stat().st_mtime) == (0o751, 2)
    duplicate.remove(made.parent)
    assert not made.parent.exists()


def test_what_is_left_out_does_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate, "MOST", 100_000)
    (folder / "api/node_modules").mkdir(parents=True)
    (folder / "api/node_modules/large").write_bytes(os.urandom(200_000))
    (folder / "api/a").write_text("a")
    assert [p.name for p in (copied(folder, "node_modules") / "api").iterdir()] == ["a"]
    duplicate.remove(folder.parent / "copy")
    with pytest.raises(CourseError, match=r"x-1/ holds more than 0\.0001 GB") as told:
        copied(folder)
    assert "move what no image needs" in told.value.try_


def test_a_folder_that_grows_without_end_is_copied_up_to_a_number(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicate, "MOST_ENTRIES", 20)
    make = Path.mkdir

    def grow(there: Path, mode: int) -> None:
        make(there, mode)
        make(folder.joinpath(*there.relative_to(folder.parent / "copy").parts, "deeper"))

    make(folder / "deep", parents=True)
    monkeypatch.setattr(Path, "mkdir", lambda path, mode=0o777: grow(path, mode))
    with pytest.raises(CourseError, match="holds more than 20 files and folders"):
        copied(folder)


def test_a_folder_that_goes_meanwhile_is_no_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/gone", "b/a", "z"):
        (folder / name).mkdir(parents=True) if name != "b/a" else (folder / name).write_text("a")

    def meanwhile(entry: Path, to: Path, own: Callable[[Path, Path], int] = duplicate._file) -> int:
        (folder / "z").rmdir()  # before it has been read
        return own(entry, to)

    def later(here: Path, there: Path, **how: bool) -> None:
        if there.name == "gone":
            here.rmdir()  # after it has been read
        shutil.copystat(here, there, **how)

    monkeypatch.setattr(duplicate, "_file", meanwhile)
    monkeypatch.setattr(duplicate, "shutil", SimpleNamespace(copystat=later))
    assert (copied(folder) / "b/a").read_text() == "a"


def test_what_cannot_be_copied_is_named_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / os.fsdecode(b"a\nb\xff")).write_text("x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(duplicate, "_fill", full)
    with pytest.raises(CourseError, match=r"x-1/a\\nb\\xff cannot be copied: No space left"):
        copied(folder)
