"""course.artifacts.archives: whatever an archive holds, nothing of it leaves its folder."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from course.artifacts import archives
from course.core.errors import CourseError

Entry = tuple[str, bytes, str] | tuple[str, bytes, str, int]
"""Name, type, link's target or content, mode."""
DIR, FILE, SYM, HARD = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def packed(file: Path, *entries: Entry) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for name, kind, text, *mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode[0] if mode else 0o644
            if kind in (SYM, HARD):
                info.linkname = text
            content = b"" if kind in (SYM, HARD) else text.encode()
            info.size, info.uid, info.gid = len(content), 12345, 12345
            tar.addfile(info, io.BytesIO(content))
    return file


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else's, beside the one that is unpacked into."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "theirs").write_text("theirs")
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


LONG = "/".join(["d" * 240] * 16)
ESCAPES: dict[str, tuple[Entry, ...]] = {
    "up": (("../outside/x", FILE, "x"),),
    "up inside": (("a/../../outside/x", FILE, "x"),),
    "up the other slash": (("..\\outside\\x", FILE, "x"),),
    "absolute": (("/tmp/course-test-x", FILE, "x"),),
    "a drive": (("C:x", FILE, "x"),),
    "a link that leads the next out": (("l", SYM, "../outside"), ("l/x", FILE, "x")),
    "an absolute link": (("l", SYM, "/etc"),),
    "a link to its parent": (("l", SYM, ".."),),
    "a link that leaves from below": (("a/l", SYM, "../../outside/theirs"),),
    "a link through a link": (("s/t/u", DIR, ""), ("d", SYM, "s/t/u"), ("l", SYM, "d/../../../..")),
    "a link through a later link": (("l", SYM, "d/.."), ("d", SYM, "."), ("x", SYM, "l/l/..")),
    "a link, and a member of another case": (("L", SYM, "sub"), ("l/x", FILE, "x")),
    "a link by another case": (("b", DIR, ""), ("A", SYM, "."), ("l", SYM, "a/b/../..")),
    "a member through an inner link": (("d", DIR, ""), ("l", SYM, "d"), ("l/x", FILE, "x")),
    "a folder and then a link": (("d", DIR, ""), ("d", SYM, "../outside"), ("d/x", FILE, "x")),
    "a file and then a link": (("d", FILE, "x"), ("d", SYM, "../outside/theirs")),
    "a link and then a file": (("d", SYM, "../outside/theirs"), ("d", FILE, "x")),
    "a loop": (("a", SYM, "b"), ("b", SYM, "a")),
    "long names around a link": (
        (LONG, DIR, ""),
        ("a", SYM, LONG),
        ("e", SYM, "a/" + "../" * 17 + "outside"),
        ("e/x", FILE, "x"),
    ),
    "a hard link out": (("h", HARD, "../outside/theirs"),),
    "an absolute hard link": (("h", HARD, "/etc/passwd"),),
    "a hard link to a link": (("l", SYM, "f"), ("h", HARD, "l"), ("h", FILE, "x")),
    "a hard link to what is not there": (("h", HARD, "later"), ("later", FILE, "x")),
    "a device": (("n", tarfile.CHRTYPE, ""),),
    "a disk": (("n", tarfile.BLKTYPE, ""),),
    "a pipe": (("n", tarfile.FIFOTYPE, ""),),
    "a sparse file": (("n", tarfile.GNUTYPE_SPARSE, ""),),
    "an unknown kind": (("n", b"V", ""),),
    "a file twice": (("f", FILE, "1"), ("f", FILE, "2")),
    "a file below a file": (("f", FILE, "1"), ("f/g", FILE, "2")),
    "a file named as the folder itself": ((".", FILE, "1"),),
}


@pytest.mark.parametrize("entries", ESCAPES.values(), ids=ESCAPES.keys())
def test_what_leaves_its_folder_is_refused_and_writes_nothing_there(
    tmp_path: Path, outside: Path, entries: tuple[Entry, ...]
) -> None:
    before = tree(outside)
    with pytest.raises(CourseError) as caught:
        archives.extract(packed(tmp_path / "a.tgz", *entries), tmp_path / "inside")
    assert "a.tgz" in caught.value.saw and len(caught.value.saw) < 500
    assert tree(outside) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tgz", "inside", "outside"]
    assert not [p for p in (tmp_path / "inside").rglob("*") if p.is_symlink()]


def test_names_in_extended_headers_are_seen_as_they_are(tmp_path: Path) -> None:
    for headers in ({"path": "x\0y"}, {"path": "/etc/x"}, {"linkpath": "/etc"}):
        file = tmp_path / "a.tar"
        with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
            info = tarfile.TarInfo("l")
            info.type, info.linkname, info.pax_headers = SYM, "f", headers
            tar.addfile(info)
        with pytest.raises(CourseError, match=r"a\.tar"):
            archives.extract(file, tmp_path / "inside")


def test_what_may_only_be_one_folder_is_no_other_and_no_link_leaves_it(tmp_path: Path) -> None:
    for number, entries in enumerate(
        (
            [("part", FILE, "x")],
            [("entry/l", SYM, "../part")],
            [("entry", SYM, "part")],
            [("entry/l", SYM, ".."), ("other/x", FILE, "x")],
        )
    ):
        with pytest.raises(CourseError, match="entry"):
            file = packed(tmp_path / "a.tgz", *entries)
            archives.extract(file, tmp_path / f"{number}", only="entry")
    file = packed(tmp_path / "a.tgz", ("entry/a/l", SYM, "../b"), ("entry/b", FILE, "b"))
    archives.extract(file, tmp_path / "good", only="entry")
    assert (tmp_path / "good" / "entry" / "a" / "l").read_text() == "b"


def test_modes_and_owners_are_ours(tmp_path: Path) -> None:
    entries: tuple[Entry, ...] = (
        ("d", DIR, "", 0o7777),
        ("d/root", FILE, "x", 0o6755),
        ("d/all", FILE, "x", 0o666),
        ("d/none", FILE, "x", 0o000),
    )
    old = os.umask(0o077)
    try:
        archives.extract(packed(tmp_path / "a.tgz", *entries), tmp_path / "inside")
    finally:
        os.umask(old)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "inside").rglob("*")}
    assert modes == {"d": 0o755, "root": 0o755, "all": 0o644, "none": 0o600}
    assert {p.stat().st_uid for p in (tmp_path / "inside").rglob("*")} == {os.geteuid()}


def test_what_packages_hold_is_unpacked_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "node"
    (source / "node_modules" / ".bin").mkdir(parents=True)
    (source / "node_modules" / "npm" / "bin").mkdir(parents=True)
    script = source / "node_modules" / "npm" / "bin" / "npm-cli.js"
    script.write_text("npm")
    script.chmod(0o755)
    os.utime(script, (1e9, 1e9))
    os.link(script, source / "again")
    (source / "node_modules" / ".bin" / "npm").symlink_to("../npm/bin/npm-cli.js")
    (source / "bin").symlink_to("node_modules/.bin")
    (source / "node_modules" / "bin").symlink_to("../bin/../npm")
    (source / "dangling").symlink_to("not-there")
    (source / "Makefile").write_text("1")
    (source / "makefile").write_text("2")
    (source / ("long" * 60)).write_text("long")
    (source / "Łódź").write_text("umlaut")
    for mode in ("w", "w:gz"):
        with tarfile.open(tmp_path / "a.tar", mode) as tar:
            tar.add(source, "node")
        dest = tmp_path / mode.replace(":", "")
        archives.extract(tmp_path / "a.tar", dest, only="node")
        assert tree(dest / "node") == tree(source)
        copied = dest / "node" / "bin" / "npm"
        assert copied.read_text() == "npm" and copied.stat().st_mode & 0o777 == 0o755
        assert copied.stat().st_mtime == 1e9
        assert (dest / "node" / "bin").readlink() == Path("node_modules/.bin")
        assert (dest / "node" / "again").samefile(copied)


def test_a_bomb_ends_early(tmp_path: Path) -> None:
    file = tmp_path / "a.tgz"
    with tarfile.open(file, "w:gz", compresslevel=9) as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 200 << 20
        tar.addfile(info, _Zeros())
    with pytest.raises(CourseError, match="unpacks to more than"):
        archives.extract(file, tmp_path / "inside")
    assert sum(p.stat().st_size for p in (tmp_path / "inside").rglob("*")) < 60 << 20


class _Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def _header(kind: bytes, size: bytes) -> bytes:
    info = tarfile.TarInfo("x")
    info.type = kind
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[124:136] = size
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize(
    "size", [b"\x80" + (3 << 30).to_bytes(11, "big"), b"\xff" + (-512 % 2**88).to_bytes(11, "big")]
)
def test_a_header_larger_than_memory_or_smaller_than_nothing_is_refused(
    tmp_path: Path, kind: bytes, size: bytes
) -> None:
    file = tmp_path / "a.tgz"
    file.write_bytes(gzip.compress(_header(kind, size) + bytes(1 << 16)))
    with pytest.raises(CourseError, match=r"a\.tgz"):
        archives.extract(file, tmp_path / "inside")


def test_a_file_of_less_than_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    file.write_bytes(_header(FILE, b"\xff" + (-1024 % 2**88).to_bytes(11, "big")) + bytes(4096))
    with pytest.raises(CourseError, match=r"a\.tar"):
        archives.extract(file, tmp_path / "inside")


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[: len(raw) // 2], lambda raw: raw[:200] + b"\0" * 50 + raw[250:]],
    ids=["cut off", "overwritten"],
)
def test_a_damaged_archive_is_told(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = packed(tmp_path / "a.tgz", ("f", FILE, os.urandom(3000).hex()))
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CourseError, match="is damaged"):
        archives.extract(file, tmp_path / "inside")


def test_only_an_empty_folder_is_unpacked_into(tmp_path: Path, outside: Path) -> None:
    with pytest.raises(CourseError, match="is not empty"):
        archives.extract(packed(tmp_path / "a.tgz", ("theirs", FILE, "x")), outside)
    assert (outside / "theirs").read_text() == "theirs"


def test_folders_in_each_other_are_bounded_so_that_they_can_be_removed(tmp_path: Path) -> None:
    for number, entries in enumerate(
        (
            [("a/" * 1500 + "f", FILE, "x")],
            [("a/" * 400_000 + "f", FILE, "x")],
            [("l", SYM, "a/" * 1500)],
        )
    ):
        began = time.monotonic()
        with pytest.raises(CourseError, match="below more than 100 folders") as caught:
            archives.extract(packed(tmp_path / "a.tgz", *entries), tmp_path / str(number))
        assert time.monotonic() - began < 3 and len(caught.value.saw) < 500
        shutil.rmtree(tmp_path / str(number))


def test_a_header_that_python_reads_over_and_over_is_refused(tmp_path: Path) -> None:
    # CVE-2024-6232: a megabyte of digits took half an hour.
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 200_000
    raw = info.tobuf(tarfile.USTAR_FORMAT) + (b"1" * info.size).ljust(200_192, b"\0")
    file = tmp_path / "a.tgz"
    file.write_bytes(gzip.compress(raw + tarfile.TarInfo("y").tobuf() + bytes(1024)))
    began = time.monotonic()
    with pytest.raises(CourseError, match=r"a\.tgz is damaged"):
        archives.extract(file, tmp_path / "inside")
    assert time.monotonic() - began < 3


def test_signs_for_a_terminal_in_a_links_target_are_shown_and_not_sent(tmp_path: Path) -> None:
    file = packed(tmp_path / "a.tgz", ("l", SYM, "../\x1b]0;x\x07\udce9"))
    with pytest.raises(CourseError, match="outside its folder") as caught:
        archives.extract(file, tmp_path / "inside")
    assert caught.value.saw.isprintable()
