"""course.artifacts.debian: a bundle's packages are installed only if somebody trusted signed them.

With the machine's own apt and a key made here; nothing is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from course.artifacts import debian
from course.core.errors import CourseError
from course.core.process import Completed, FakeRunner, RealRunner

NEEDED = ("apt-get", "gpg", "gpgconf", "gpgv", "dpkg-deb")
with_apt = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)) or os.name != "posix" or os.geteuid() != 0,
    reason=f"needs root and {', '.join(NEEDED)}",
)


class Simulated(RealRunner):
    """A runner whose apt-get tells what it would install."""

    def run(self, argv: Sequence[object], **options: Any) -> Completed:
        words = list(argv)
        return super().run([*words, "-s"] if "install" in words else words, **options)


@pytest.fixture
def signed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A pool of one package, and what signs it anew."""
    gpg = ["gpg", "--homedir", str(home / "gpg"), "--batch", "--quiet", "--yes"]
    (home / "gpg").mkdir(mode=0o700)
    key = ["--passphrase", "", "--quick-gen-key", "Mirror <m@example.org>", "rsa2048", "sign", "1d"]
    subprocess.run([*gpg, *key], check=True)
    keyring = home / "mirror.gpg"
    exported = subprocess.run([*gpg, "--export"], check=True, capture_output=True).stdout
    keyring.write_bytes(exported)
    monkeypatch.setattr(debian, "_KEYS", (str(keyring).lstrip("/"),))
    arch = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    root = debian.pool() / "0"
    control = f"Package: course-nothing\nVersion: 1\nArchitecture: {arch}\n"
    control += "Maintainer: x\nDescription: x\n"
    (home / "deb" / "DEBIAN").mkdir(parents=True)
    (home / "deb" / "DEBIAN" / "control").write_text(control)
    path = "pool/main/course-nothing_1.deb"
    (root / path).parent.mkdir(parents=True)
    subprocess.run(
        ["dpkg-deb", "--build", home / "deb", root / path], check=True, capture_output=True
    )
    deb = (root / path).read_bytes()
    lists = root / "dists" / "stable"
    packages = lists / "main" / f"binary-{arch}" / "Packages"
    packages.parent.mkdir(parents=True)
    sha256 = hashlib.sha256(deb).hexdigest()
    packages.write_text(f"{control}Filename: {path}\nSize: {len(deb)}\nSHA256: {sha256}\n\n")

    def sign() -> None:
        lines = []
        # As a mirror has it: compressed lists are named, and not in the pool.
        for name, data in ((packages, packages.read_bytes()), (packages.with_suffix(".xz"), b"x")):
            sha = hashlib.sha256(data).hexdigest()
            lines.append(f" {sha} {len(data)} {name.relative_to(lists)}\n")
        text = "Origin: x\nSuite: stable\nCodename: stable\nComponents: main\n"
        text += f"Architectures: {arch}\nDate: Mon, 01 Jan 2024 00:00:00 UTC\n"
        text += "Valid-Until: Mon, 08 Jan 2024 00:00:00 UTC\nSHA256:\n" + "".join(lines)
        (home / "Release").write_text(text)
        done = [*gpg, "--clearsign", "--output", str(lists / "InRelease"), str(home / "Release")]
        subprocess.run(done, check=True)

    sign()
    yield sign
    # gpg starts an agent that outlives it.
    subprocess.run(["gpgconf", "--homedir", home / "gpg", "--kill", "all"], check=True)


def installs() -> str:
    return debian._install_from_pool(["course-nothing"], Simulated())


def changed(pattern: str, old: bytes, new: bytes) -> None:
    (file,) = debian.pool().rglob(pattern)
    assert old in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(old, new))


@with_apt
def test_what_a_trusted_key_signed_is_installed_also_after_the_signatures_week(
    signed: Callable[[], None],
) -> None:
    assert installs() == ""


@with_apt
def test_a_list_that_was_changed_is_refused(signed: Callable[[], None]) -> None:
    changed("Packages", b"Version: 1", b"Version: 2")
    assert "Hash Sum mismatch" in installs()
    # Were it signed by that key, it would be right.
    signed()
    assert installs() == ""


@with_apt
def test_a_release_that_was_changed_is_refused(signed: Callable[[], None]) -> None:
    changed("InRelease", b"Origin: x", b"Origin: y")
    assert "invalid" in installs()


@with_apt
def test_a_key_that_is_not_this_machines_is_refused(
    signed: Callable[[], None], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / "empty.gpg").touch()
    for keys in ((), (str(home / "empty.gpg").lstrip("/"),)):
        monkeypatch.setattr(debian, "_KEYS", keys)
        assert installs() != ""


@with_apt
@pytest.mark.parametrize("lax", [False, True])
def test_without_a_signature_nothing_is_installed_however_lax_the_machine(
    signed: Callable[[], None], monkeypatch: pytest.MonkeyPatch, home: Path, lax: bool
) -> None:
    next(debian.pool().rglob("InRelease")).unlink()
    if lax:
        (home / "apt.conf").write_text(
            'Acquire::AllowInsecureRepositories "true";\nAPT::Get::AllowUnauthenticated "true";\n'
            'Acquire::AllowWeakRepositories "true";\n'
        )
        monkeypatch.setenv("APT_CONFIG", str(home / "apt.conf"))
    assert "does not have a Release file" in installs()


@pytest.mark.parametrize("name", ["x [trusted=yes] y", "x\ndeb [trusted=yes] file:y z", "-x", "é"])
def test_the_name_of_a_folder_writes_no_source(home: Path, name: str) -> None:
    for suite, component in ((name, "main"), ("stable", name)):
        folder = debian.pool() / "0" / "dists" / suite / component / "binary-amd64"
        folder.mkdir(parents=True)
        (folder / "Packages").touch()
    assert debian._sources(debian.pool()) == ""


def test_why_a_bundles_packages_were_left_is_in_the_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    debian.pool().mkdir(parents=True)
    bad = Completed((), 100, "", "W: something: BADSIG\nE: The repository is not signed.\n")
    fake = FakeRunner({"dpkg-query": 1, "apt-get": bad})
    with pytest.raises(CourseError) as caught:
        debian.ensure(["tini"], lambda *_: None, runner=fake)
    assert "from the bundle: W: something: BADSIG" in caught.value.try_


def test_a_package_is_kept_with_the_signed_lists_that_name_it(home: Path) -> None:
    lists, file = home / "lists", home / "a_1.deb"
    lists.mkdir()
    file.write_text("deb")
    targets = []
    for suite, text in (("stable", "Package: a\nFilename: pool/a_1.deb\n"), ("other", "\n")):
        (lists / f"h_d_{suite}_InRelease").write_text("signed")
        (lists / f"h_d_{suite}_main_binary-amd64_Packages").write_text(text)
        listed = str(lists / f"h_d_{suite}_main_binary-amd64_Packages")
        targets.append(["Packages", "http://h/d/", suite, "main/binary-amd64/Packages", listed])
    debian._place(home / "pool", "http://h/d/pool/a_1.deb", file, targets)
    found = {str(p.relative_to(home / "pool")) for p in (home / "pool").rglob("*") if p.is_file()}
    assert found == {
        "0/pool/a_1.deb",
        "0/dists/stable/InRelease",
        "0/dists/stable/main/binary-amd64/Packages",
    }
    (lists / "h_d_stable_InRelease").unlink()
    with pytest.raises(CourseError, match="in no list that its archive signed"):
        debian._place(home / "pool", "http://h/d/pool/a_1.deb", file, targets)


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def test_installed_packages_are_left_alone() -> None:
    fake = FakeRunner({"dpkg-query": "installed"})
    debian.ensure(["gcc"], quiet, runner=fake)
    assert len(fake.calls) == 1


def test_without_the_right_to_install_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)
    with pytest.raises(CourseError) as caught:
        debian.ensure(["gcc", "mmdebstrap"], quiet, runner=FakeRunner({"dpkg-query": 1}))
    assert caught.value.try_ == "apt-get install gcc mmdebstrap"


def test_package_lists_are_fetched_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    fake = FakeRunner({"dpkg-query": 1, "apt-get install": [100, 0], "apt-get update": 0})
    debian.ensure(["gcc"], quiet, runner=fake)
    assert [c[1] for c in fake.calls if c[0] == "apt-get"] == ["install", "update", "install"]
