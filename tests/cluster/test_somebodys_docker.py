"""What is somebody's in the real Docker and in their home stays as it is, whatever we do beside it.

`course down` is not run here: it would end the engine that the tests use. What it removes is told
by its own tests (`tests/engine/test_docker.py`, `test_kind.py`, `test_local_registry.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course.core import environment
from course.measure.docker_client import client
from tests.test_somebodys_home import TRAP, differing, snapshot

NAME = "somebodys-own"
COMMANDS = [
    ["up"],
    ["goto", "dockerfile-1"],
    ["check", "dockerfile-1"],
    ["goto", "slim-images-2"],
    ["check", "slim-images-2"],
    ["reset", "slim-images-2"],
    ["doctor"],
]


@pytest.fixture
def docker() -> Any:
    return client(environment.environment()["DOCKER_HOST"])


@pytest.fixture
def theirs(docker: Any) -> Iterator[None]:
    """A container, an image, a volume and a network, one of a name that begins like ours."""
    image = docker.images.get("node:24-slim")
    image.tag(NAME, "1")
    image.tag("course-somebodys", "1")
    volume = docker.volumes.create(f"course-{NAME}")
    network = docker.networks.create(f"course-{NAME}")
    container = docker.containers.run(
        f"{NAME}:1", ["sleep", "600"], name=f"course-{NAME}", detach=True, labels={"course": "1"}
    )
    yield
    container.remove(force=True)
    network.remove()
    volume.remove()
    for ref in (f"{NAME}:1", "course-somebodys:1"):
        docker.images.remove(ref)


def listed(docker: Any) -> set[str]:
    """What of theirs Docker has, by name and state."""
    found = {f"{c['Names']} {c['State']}" for c in docker.api.containers(all=True)}
    found |= {f"volume {v['Name']}" for v in docker.api.volumes()["Volumes"] or []}
    found |= {f"network {n['Name']}" for n in docker.api.networks()}
    found |= {tag for i in docker.api.images() for tag in i["RepoTags"] or []}
    return {entry for entry in found if "somebodys" in entry}


def test_set_ups_checks_and_start_states_leave_somebodys_docker_and_home_alone(
    tmp_path: Path, docker: Any, theirs: None
) -> None:
    home, ran = tmp_path / "Jane Doe", tmp_path / "ran"
    ran.mkdir()
    for name, text in {
        ".docker/config.json": '{"psFormat": "nonsense {{.X}}", "currentContext": "gone"}',
        ".kube/config": "theirs",
        ".gitconfig": f"[core]\nhooksPath={home}/hooks\n[commit]\ngpgsign=true\n",
        "dot/private": "a secret",
        "hooks/pre-commit": TRAP.format(ran=ran),
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "hooks" / "pre-commit").chmod(0o755)
    subprocess.run(["git", "init", "--quiet", str(home / "dot")], check=True)
    state = Path(os.environ.get("COURSE_STATE") or Path.home() / ".local" / "state" / "course")
    cache = Path(os.environ.get("COURSE_CACHE") or Path.home() / ".cache" / "course")
    env = {
        **{k: v for k, v in os.environ.items() if k not in environment.environment()},
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "COURSE_STATE": str(state),
        "COURSE_CACHE": str(cache),
        "COURSE_WORK": str(tmp_path / "work"),
        "GIT_DIR": str(home / "dot" / ".git"),
        "GIT_WORK_TREE": str(home / "dot"),
        "KUBECONFIG": str(home / ".kube" / "config"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_DEFAULT_PLATFORM": "linux/s390x",
        "DOCKER_API_VERSION": "1.24",
        "DOCKER_BUILDKIT": "0",
        "BUILDX_BUILDER": "nobodys",
    }
    before, had = snapshot(home), listed(docker)
    assert len(had) == 5
    for words in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "course.cli", *words],
            env=env,
            cwd=home,
            umask=0o077,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == (0 if words[0] in ("up", "goto", "reset") else 1), said
        assert "a fault of the course itself" not in said and "could not be looked" not in said
        assert not (changed := differing(before, home)), f"{words}: {changed}"
        assert listed(docker) == had, words
    assert not list(ran.iterdir())
    for path in (tmp_path / "work" / "dockerfile-1").rglob("*"):
        assert path.stat().st_mode & 0o044 == 0o044, path
