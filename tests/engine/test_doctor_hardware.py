"""course.engine.doctor.hardware: memory, processor, disk and limits of the kernel."""

from __future__ import annotations

import os
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import environment
from course.core.process import FakeRunner
from course.engine.doctor import Machine, hardware
from tests.engine.findings import alone, bad, kernel, only


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "total")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(2_000_000_000))
    assert "2.0 GB" in bad(hardware.memory(Machine())).saw


def test_a_processor_that_nothing_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in bad(hardware.processor(Machine())).saw


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_too_little_disk(home: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(small_disk / "cache"))
    found = bad(hardware.disk(Machine()))
    assert str(small_disk) in found.saw and "COURSE_CACHE" in found.try_
    monkeypatch.setenv("COURSE_WORK", str(small_disk / "work"))
    assert [f.what for f in hardware.disk(Machine())] == ["disk", "disk of work/"]


def test_less_disk_is_enough_once_everything_is_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(5_000_000_000))
    assert not only(hardware.disk(Machine())).ok
    environment.save(environment.Engine("kind", {}, ["orders"], {}))
    assert only(hardware.disk(Machine())).ok


def test_cgroups_of_either_version(tmp_path: Path) -> None:
    controllers = "sys/fs/cgroup/cgroup.controllers"
    two = kernel(tmp_path / "2", {controllers: "cpuset cpu io memory pids\n"})
    assert str(only(hardware.cgroups(two))) == "✓ cgroups: version 2"
    rootless = kernel(tmp_path / "r", {controllers: "pids\n"})
    assert "without cpu, memory" in bad(hardware.cgroups(rootless)).saw
    one = kernel(tmp_path / "1", {"sys/fs/cgroup/memory/tasks": ""})
    assert only(hardware.cgroups(one)).saw.startswith("version 1")
    assert "none" in bad(hardware.cgroups(kernel(tmp_path / "0", {}))).saw
    assert hardware.cgroups(Machine(FakeRunner(), tmp_path / "a mac")) == []


def test_inotify_limits_that_are_too_small(tmp_path: Path) -> None:
    folder = "proc/sys/fs/inotify"
    files = {f"{folder}/max_user_instances": "64\n", f"{folder}/max_user_watches": "524288\n"}
    instances, watches = hardware.inotify(kernel(tmp_path, files))
    assert bad([instances]).try_ == "sudo sysctl fs.inotify.max_user_instances=512"
    assert watches.ok


def test_inotify_instances_that_are_all_in_use() -> None:
    # A namespace in which this user may have none.
    ask = (
        '"$0" -c "from course.engine.doctor import hardware as h; print(h.instances_are_used_up())"'
    )
    assert alone(f"echo 0 >/proc/sys/user/max_inotify_instances; {ask}", "--user", "-r") == "True"
    assert alone(ask, "--user", "-r") == "False"
