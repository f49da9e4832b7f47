"""course.artifacts.bundle: whole, or refused by the name of the part that is wrong."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from course.artifacts import (
    bundle,
    debian,
    fetch,
    gateway_api,
    images,
    orders_image,
    packages,
    tools,
    unbundle,
)
from course.core import paths
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine.docker import Docker
from tests.artifacts.bundles import (
    ORDERS,
    Save,
    content,
    fill,
    lock,
    manifest,
    names,
    place,
    quiet,
    replace,
    rewrite,
)

pytestmark = pytest.mark.usefixtures("not_root")


def one_of_each_kind(file: Path) -> list[str]:
    first = {name.split("/")[0]: name for name in reversed(names(file))}
    assert set(first) == {"python", "debian", "tools", "packages", "downloads", "images"}
    return list(first.values())


def test_what_was_saved_is_found_after_loading(saved: Path, home: Path) -> None:
    loaded = bundle.load(saved, quiet)
    assert loaded == bundle.Loaded(len(names(saved)))
    assert len(names(saved)) >= 11 + len(images.catalogue())
    assert [need.what for need in bundle.needs() if not need.files()] == []
    assert (packages.entry(tools.NODES["node24"]) / "link").is_symlink()
    assert gateway_api.crds_file().read_text() == "crds"
    assert images.archive("registry:2").read_text() == "image registry:2"
    assert orders_image.archive().read_text() == f"image {ORDERS}"
    assert not list((home / "empty").rglob("*.part"))
    assert bundle.load(saved, quiet).new == 0


def test_only_what_this_version_uses_is_saved(saved: Path) -> None:
    assert not [name for name in names(saved) if "older" in name or ".part" in name]


def test_what_a_machine_lacks_is_left_out_and_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Docker Desktop: the course has no dockerd of its own.
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)
    fill(paths.cache())
    lock(monkeypatch)
    for entry in tools.places("docker")[-1]:
        (entry / "command").unlink()
        entry.rmdir()
    told: list[str] = []
    file = bundle.save(home / "b.tar", lambda what, _: told.append(what), runner=Save())
    assert "left out, since this machine has none: the tool docker" in told
    monkeypatch.setenv("COURSE_CACHE", str(home / "empty"))
    assert bundle.load(file, quiet).lacking == ("the tool docker",)


def test_an_image_of_a_bundle_is_loaded_and_not_pulled(saved: Path) -> None:
    bundle.load(saved, quiet)
    fake = FakeRunner({"docker image inspect": 1, "docker load": "Loaded image: registry:2\n"})
    assert images.ensure("registry:2", quiet, runner=fake) == "bundle"
    assert not [call for call in fake.calls if "tag" in call]


def test_orders_is_loaded_under_the_name_of_this_machines_registry(saved: Path) -> None:
    bundle.load(saved, quiet)
    fake = FakeRunner({"docker load": f"Loaded image: {ORDERS}\n", "docker tag": ""})
    images.load(orders_image.archive(), "localhost:5002/orders:1.0.0", quiet, fake)
    assert fake.calls[-1] == ("docker", "tag", ORDERS, "localhost:5002/orders:1.0.0")


def test_an_archive_that_changed_in_the_cache_is_not_loaded(saved: Path) -> None:
    bundle.load(saved, quiet)
    archive = images.archive("registry:2")
    archive.write_text("image registry:X")
    fake = FakeRunner({"docker image inspect": 1})
    with pytest.raises(CourseError, match="copy of registry:2 in the cache") as caught:
        images.ensure("registry:2", quiet, runner=fake)
    assert "course bundle load" in caught.value.try_
    assert bundle.load(saved, quiet).new == 1
    assert archive.read_text() == "image registry:2"


def test_a_tool_of_a_bundle_is_used_before_the_internet_is_asked(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.load(saved, quiet)
    monkeypatch.setattr(
        "course.artifacts.fetch.download", lambda url, *_: pytest.fail(f"asked {url}")
    )
    monkeypatch.setattr(packages, "resolve", lambda source, report, **_: Path(source))
    assert set(tools.ensure("docker", quiet)) == set(tools.CATALOGUE["docker"].commands)


@pytest.mark.parametrize("kind", ["python", "debian", "tools", "packages", "downloads", "images"])
class TestEachKindOfPart:
    """A fault in a part of each kind is told by the part's name, and the part is not used."""

    def test_a_flipped_bit(self, saved: Path, kind: str) -> None:
        name = next(n for n in one_of_each_kind(saved) if n.startswith(kind))
        with tarfile.open(saved) as tar:
            member = tar.getmember(name)
        with saved.open("r+b") as file:
            file.seek(member.offset_data + member.size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        with pytest.raises(CourseError, match=f"part {name} is damaged"):
            bundle.load(saved, quiet)
        assert not place(name).exists()

    def test_it_is_not_there(self, saved: Path, kind: str) -> None:
        name = next(n for n in one_of_each_kind(saved) if n.startswith(kind))
        rewrite(saved, name, None)
        with pytest.raises(CourseError, match=f"no whole part {name}"):
            bundle.load(saved, quiet)
        assert not place(name).exists()

    def test_cut_off_inside_it(self, saved: Path, kind: str) -> None:
        name = next(n for n in one_of_each_kind(saved) if n.startswith(kind))
        with tarfile.open(saved) as tar:
            member = tar.getmember(name)
        with saved.open("r+b") as file:
            file.truncate(member.offset_data + member.size // 2)
        with pytest.raises(CourseError) as caught:
            bundle.load(saved, quiet)
        assert f"no whole part {name}" in str(caught.value)
        assert not place(name).exists()

    def test_of_another_version_it_is_told_and_not_used(self, saved: Path, kind: str) -> None:
        name = next(n for n in one_of_each_kind(saved) if n.startswith(kind))
        # Named by another key: the recipe that it was made from is not today's.
        other = f"{kind}/of-another-version{'.tar' if kind == 'images' else '.tgz'}"
        facts = manifest(saved)
        parts = facts["parts"]
        assert isinstance(parts, dict)
        parts[other] = parts.pop(name)
        with tarfile.open(saved) as tar:
            content = tar.extractfile(name).read()  # type: ignore[union-attr]
        rewrite(saved, name, content, other)
        rewrite(saved, "manifest.json", json.dumps(facts).encode())
        loaded = bundle.load(saved, quiet)
        assert loaded.unused == (other,)
        assert len(loaded.lacking) >= 1
        assert not place(other).exists() and not place(name).exists()


def test_parts_before_the_damage_are_kept_and_not_read_again(saved: Path) -> None:
    last = names(saved)[-1]
    whole = saved.read_bytes()
    rewrite(saved, last, b"x" * len(content(saved, last)))
    with pytest.raises(CourseError, match=last):
        bundle.load(saved, quiet)
    saved.write_bytes(whole)
    assert bundle.load(saved, quiet).new == 1


@pytest.mark.parametrize("length", [0, 100, 700])
def test_a_bundle_that_is_cut_off_at_its_head_is_refused(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CourseError, match=r"no manifest|no whole bundle"):
        bundle.load(saved, quiet)


@pytest.mark.parametrize(
    "other",
    [{"machine": "linux riscv64"}, {"machine": "darwin aarch64"}],
)
def test_a_bundle_of_another_kind_of_machine_is_refused(
    saved: Path, other: dict[str, object]
) -> None:
    rewrite(saved, "manifest.json", json.dumps(manifest(saved) | other).encode())
    with pytest.raises(CourseError, match=f"is for .*{next(iter(other.values()))}"):
        bundle.load(saved, quiet)
    assert not list(paths.cache().glob("*"))


def test_what_is_no_bundle_is_refused(home: Path) -> None:
    (home / "x").write_text("no tar")
    with pytest.raises(CourseError, match="no whole bundle"):
        bundle.load(home / "x", quiet)
    with pytest.raises(CourseError, match="is not there"):
        bundle.load(home / "y", quiet)
    with tarfile.open(home / "z", "w") as tar:
        tar.add(home / "x", "x")
    with pytest.raises(CourseError, match="has no manifest"):
        bundle.load(home / "z", quiet)


def test_a_part_that_points_out_of_its_folder_is_refused(saved: Path, home: Path) -> None:
    name = next(n for n in names(saved) if n.startswith("tools/"))
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w:gz") as tar:
        info = tarfile.TarInfo("../../evil")
        tar.addfile(info, io.BytesIO(b""))
    replace(saved, name, evil.getvalue())
    with pytest.raises(CourseError, match="outside its folder"):
        bundle.load(saved, quiet)
    assert not list(home.rglob("evil"))


# -- what it says of itself


@pytest.mark.parametrize(
    ("format_", "age", "does"), [(1, "an older", "git pull   there"), (99, "a newer", "git pull")]
)
def test_a_bundle_of_another_version_says_of_which_and_what_to_do(
    saved: Path, format_: int, age: str, does: str
) -> None:
    facts = manifest(saved) | {"format": format_, "commit": "abc1234"}
    rewrite(saved, "manifest.json", json.dumps(facts).encode())
    with pytest.raises(CourseError) as caught:
        bundle.load(saved, quiet)
    assert f"{age} version of the course (commit abc1234): format {format_}" in caught.value.saw
    assert f"format {unbundle.FORMAT}" in caught.value.want
    assert does in caught.value.try_ and "git checkout abc1234" in caught.value.try_


def test_a_bundle_for_another_processor_names_both(saved: Path) -> None:
    rewrite(
        saved, "manifest.json", json.dumps(manifest(saved) | {"machine": "linux riscv64"}).encode()
    )
    with pytest.raises(CourseError) as caught:
        bundle.load(saved, quiet)
    assert "for linux riscv64" in caught.value.saw and unbundle.machine() in caught.value.want


WRONG: dict[str, dict[str, object]] = {
    "a commit that is a command": {"commit": "x; rm -rf ~"},
    "a machine that moves the cursor": {"machine": "linux \x1b[2J"},
    "a format that is no number": {"format": "3"},
    "no format": {"format": None},
    "pythons that are none": {"pythons": ["3.12; true"]},
    "parts that are a list": {"parts": []},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_manifest_that_says_what_it_may_not_is_refused(
    saved: Path, wrong: dict[str, object]
) -> None:
    rewrite(saved, "manifest.json", json.dumps(manifest(saved) | wrong).encode())
    with pytest.raises(CourseError, match="manifest"):
        bundle.load(saved, quiet)
    assert not list(paths.cache().glob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "tools/../../evil.tgz",
        "/etc/evil.tgz",
        "tools/..tgz",
        "tools/.part-x.tgz",
        "uv/bin.tgz",
        "images/../uv/x.tar",
        "tools/a/b.tgz",
        "tools",
    ],
)
def test_a_part_whose_name_leaves_the_cache_is_refused(saved: Path, name: str) -> None:
    facts = manifest(saved)
    facts["parts"] = {**facts["parts"], name: {"sha256": "0" * 64, "bytes": 1}}  # type: ignore[dict-item]
    rewrite(saved, "manifest.json", json.dumps(facts).encode())
    with pytest.raises(CourseError, match=r"manifest .* is wrong: parts"):
        bundle.load(saved, quiet)


def test_a_part_that_is_listed_twice_is_refused(saved: Path) -> None:
    name = names(saved)[0]
    text = json.dumps(manifest(saved))
    twice = text.replace(
        '"parts": {', f'"parts": {{"{name}": {{"sha256": "{"0" * 64}", "bytes": 1}}, '
    )
    rewrite(saved, "manifest.json", twice.encode())
    with pytest.raises(CourseError, match="no manifest"):
        bundle.load(saved, quiet)


def test_a_part_that_is_there_twice_is_refused(saved: Path) -> None:
    first, *_, last = names(saved)
    rewrite(saved, last, None)
    with tarfile.open(saved, "a") as tar:
        tar.addfile(tarfile.TarInfo(first))
    with pytest.raises(CourseError, match=f"has '{first}' twice"):
        bundle.load(saved, quiet)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_part_that_is_a_link_is_refused(saved: Path, kind: bytes, home: Path) -> None:
    name = next(n for n in names(saved) if n.startswith("tools/"))
    with tarfile.open(saved) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(saved, "w") as tar:
        for member, old in members:
            if member.name == name:
                member.type, member.linkname, member.size = kind, members[1][0].name, 0
                old = b""  # noqa: PLW2901
            tar.addfile(member, io.BytesIO(old))
    with pytest.raises(CourseError, match=f"part {name} is no file of the size"):
        bundle.load(saved, quiet)


def test_a_part_of_another_size_than_said_is_refused_before_it_is_read(saved: Path) -> None:
    name = next(n for n in names(saved) if n.startswith("tools/"))
    rewrite(saved, name, bytes(10_000_000))
    with pytest.raises(CourseError, match=f"part {name} is no file of the size"):
        bundle.load(saved, quiet)


def test_a_manifest_without_end_is_refused_and_not_read(home: Path) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.size = 10 << 30
    with (home / "b.tar").open("wb") as file:
        file.write(info.tobuf())
        file.truncate(10 << 30)  # a hole: it takes no room
    began = time.monotonic()
    with pytest.raises(CourseError, match=r"no manifest|no whole bundle"):
        bundle.load(home / "b.tar", quiet)
    assert time.monotonic() - began < 5


# -- whose it is


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbundle, "is_root", lambda: True)


def test_root_loads_no_bundle_of_which_nothing_says_whose_it_is(
    saved: Path, root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CourseError, match="nothing says whose") as caught:
        bundle.load(saved, quiet)
    assert "BUNDLE_SHA256=" in caught.value.try_ and "--sha256" in caught.value.try_
    with pytest.raises(CourseError, match="nothing says whose"):
        unbundle.environment(saved, runner=FakeRunner())
    assert not list(paths.cache().glob("*"))


def test_root_gives_its_checksum_once(saved: Path, root: None) -> None:
    assert bundle.load(saved, quiet, fetch.digest(saved)).new == len(names(saved))
    assert bundle.load(saved, quiet).new == 0
    rewrite(saved, names(saved)[-1], b"other")
    with pytest.raises(CourseError, match="nothing says whose"):
        bundle.load(saved, quiet)


@pytest.mark.parametrize("form", ["{0}", "sha256:{0}", " {0}  b.tar\n", "{1}"])
def test_a_checksum_is_taken_as_people_give_it(saved: Path, root: None, form: str) -> None:
    sha256 = fetch.digest(saved)
    assert bundle.load(saved, quiet, form.format(sha256, sha256.upper())).new


@pytest.mark.parametrize("given", ["0" * 64, "abc", "", "0" * 63, "g" * 64, "0" * 65])
@pytest.mark.parametrize("who", [True, False])
def test_another_checksum_is_refused_whoever_gives_it(
    saved: Path, monkeypatch: pytest.MonkeyPatch, given: str, who: bool
) -> None:
    monkeypatch.setattr(unbundle, "is_root", lambda: who)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    if not given and not who:
        return
    with pytest.raises(CourseError, match=r"has SHA-256|is no SHA-256|nothing says"):
        bundle.load(saved, quiet, given)
    assert not list(paths.cache().glob("*"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "taken"),
    [("{0:.64}", True), ("{0:.16}", True), ("{0:.15}", False), ("", False), ("yes", False)],
)
def test_at_a_terminal_it_is_typed_and_not_shown(
    saved: Path,
    root: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    taken: bool,
) -> None:
    sha256 = fetch.digest(saved)
    monkeypatch.setattr("sys.stdin", Terminal(typed.format(sha256) + "\n"))
    if taken:
        assert bundle.load(saved, quiet).new
    else:
        with pytest.raises(CourseError, match="is no SHA-256"):
            bundle.load(saved, quiet)
    assert sha256[:8] not in capsys.readouterr().err


def test_what_is_read_later_is_what_the_checksum_was_of(
    saved: Path, root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256, name = fetch.digest(saved), next(n for n in names(saved) if n.startswith("tools/"))
    trust = unbundle._trust

    def and_then_somebody_writes(*args: Any) -> None:
        trust(*args)
        other = saved.with_name("other")
        other.write_bytes(saved.read_bytes())
        replace(other, name, b"evil")
        saved.write_bytes(other.read_bytes())

    monkeypatch.setattr(unbundle, "_trust", and_then_somebody_writes)
    with pytest.raises(CourseError, match=r"is no file of the size|no whole part|twice"):
        bundle.load(saved, quiet, sha256)
    assert not place(name).exists()


# -- the Python environment

EXPORT = """\
always==1 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
old==2 ; python_full_version < '3.11.5' \\
    --hash=sha256:bb
apple==3 ; sys_platform == 'darwin' and sys_platform != 'darwin' \\
    --hash=sha256:cc
"""


@pytest.mark.parametrize(("version", "count"), [("3.11.2", 2), ("3.11.9", 1), ("3.12.3", 1)])
def test_the_packages_of_each_python_are_chosen_by_the_lock(version: str, count: int) -> None:
    lines = list(bundle._chosen(EXPORT, version))
    assert len(lines) == count
    assert lines[0].split() == ["always==1", "--hash=sha256:aa", "--hash=sha256:ab"]


# -- Debian's packages


def test_a_bundles_debian_packages_come_before_the_machines_sources(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.load(saved, quiet)
    fake = FakeRunner({"dpkg-query": 1, "apt-get": ""})
    debian.ensure(debian.DOCKER, quiet, runner=fake)
    asked = [" ".join(call) for call in fake.calls if call[0] == "apt-get"]
    assert len(asked) == 2
    assert all("Dir::Etc::sourceparts=/dev/null" in line for line in asked)
    assert asked[1].endswith(" ".join(debian.DOCKER))


def test_what_the_bundles_packages_lack_comes_from_the_machines_sources(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.load(saved, quiet)
    fake = FakeRunner({"dpkg-query": 1, "apt-get": "", "apt-get -o": 100})
    debian.ensure(["gcc"], quiet, runner=fake)
    assert fake.calls[-1] == ("apt-get", *debian._INSTALL, "gcc")


def test_docker_from_a_bundle_needs_no_compiler(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.load(saved, quiet)
    asked: list[str] = []
    monkeypatch.setattr(debian, "ensure", lambda names, *_, **__: asked.extend(names))
    monkeypatch.setattr(tools, "ensure", lambda *_, **__: {})
    with pytest.raises(KeyError):  # no dockerd: far enough
        Docker(FakeRunner())._start(quiet)
    assert asked == list(debian.DOCKER)


def test_a_bundle_into_a_folder_that_is_not_there_is_refused_before_anything_is_packed(
    home: Path,
) -> None:
    fake = Save()
    with pytest.raises(CourseError, match="nothing can be written"):
        bundle.save(home / "none" / "b.tar", quiet, runner=fake)
    assert not fake.calls


def test_a_file_that_somebody_put_in_the_bundles_way_is_neither_followed_nor_kept(
    saved: Path, home: Path
) -> None:
    theirs = home / "theirs"
    theirs.write_text("theirs")
    (home / "c.tar.part").symlink_to(theirs)
    made = bundle.save(home / "c.tar", quiet, runner=Save())
    assert theirs.read_text() == "theirs" and not made.is_symlink() and names(made)
    os.link(theirs, home / "d.tar.part")
    made = bundle.save(home / "d.tar", quiet, runner=Save())
    assert theirs.read_text() == "theirs" and not made.samefile(theirs)
