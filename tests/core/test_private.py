"""course.core.private: who reads a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from course.core import private
from course.core.errors import CourseError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_private_file_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    seen: list[int] = []
    file = tmp_path / "state" / "secret"
    old = os.umask(umask)
    try:
        private.write(file, "x")
        file.chmod(0o666)
        private.write(file, "y")
        seen += [mode(file), mode(file.parent)]
    finally:
        os.umask(old)
    assert seen == [0o600, 0o700] and file.read_text() == "y"
    assert [p.name for p in file.parent.iterdir()] == ["secret"]


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state").chmod(0o777)
    assert mode(private.folder(tmp_path / "state")) == 0o700


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "secret").symlink_to(theirs)
    private.write(tmp_path / "state" / "secret", "x")
    assert theirs.read_text() == "theirs" and not (tmp_path / "state" / "secret").is_symlink()


def test_a_folder_for_everybody_or_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(CourseError, match="is shared"):
        private.write(shared / "x", "x")
    assert mode(shared) == 0o1777 and not list(shared.iterdir())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(CourseError, match="belongs to another user"):
        private.write(theirs / "x", "x")
