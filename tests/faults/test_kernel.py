"""A kernel is killed in the middle of a cell: the notebook runs again, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from course.core import environment, locks, paths
from course.core.names import CHECK_IMAGE, PROCESS_LABEL
from course.learner import run_notebook
from course.measure import docker_client, traffic
from tests.until import until

# A cell of each kind: where it is, a text that it holds, and seconds until the kernel is killed.
KINDS = {
    "a setup": ("solutions", "course.setup", 0.3),
    "a start state": ("solutions", 'begin("containers-2")', 0.4),
    "a build": ("solutions", "docker build --tag slug:lab", 0.4),
    "a check": ("solutions", 'check("containers-2")', 0.6),
    "a push": ("notebooks", 'docker push "$REGISTRY/receipt:1.0"', 0.1),
    "a container": ("notebooks", "client.containers.run(", 0.2),
    "a prediction": ("notebooks", "predict(", 0.05),
    "a row of the ledger": ("notebooks", "ledger_row(", 0.02),
}
STEM = "01-containers"


# A check that is killed while this is there, whose name no container's removal takes along.
MAKES = {"users-and-health-1": "volume", "users-and-health-3": "network", "dockerfile-1": "image"}


def made() -> list[tuple[str, str]]:
    """What checks have made and not removed: of which kind, and by which process."""
    api, marked = docker_client.client(os.environ["DOCKER_HOST"]).api, {"label": PROCESS_LABEL}
    listed = {
        "container": api.containers(all=True, filters=marked),
        "network": api.networks(filters=marked),
        "volume": api.volumes(filters=marked)["Volumes"] or [],
    }
    found = [(kind, one["Labels"][PROCESS_LABEL]) for kind, ones in listed.items() for one in ones]
    tags = [ref for image in api.images(name=CHECK_IMAGE) for ref in image["RepoTags"]]
    found += [("image", ref.partition(":")[2]) for ref in tags]
    folders = Path(tempfile.gettempdir()).glob("course-copy-*")
    return found + [("folder", f.name.removeprefix("course-copy-")) for f in folders]


def left_over() -> list[tuple[str, str]]:
    """What of it was made by a process that is gone."""
    return [(kind, process) for kind, process in made() if not locks.is_alive(process)]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelManager]:
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    for name, value in environment.environment().items():
        if name != "COURSE_WORK":
            monkeypatch.setenv(name, value)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    yield manager
    if manager.is_alive():
        manager.shutdown_kernel(now=True)


def killed_in(
    notebook: Any, text: str, manager: KernelManager, wait: Callable[[int], object]
) -> int:
    """Run a notebook's cells up to the one that holds a text, and kill the kernel in that one.

    Args:
        notebook: whose cells.
        text: in the cell.
        manager: of the kernel.
        wait: called with the kernel's pid while the cell runs; returns when it is time.

    Returns:
        The pid.
    """
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        for cell in (c for c in notebook.cells if c.cell_type == "code"):
            if text in cell.source:
                client.execute(cell.source)
                pid = manager.provisioner.pid  # type: ignore[union-attr]
                assert pid is not None
                wait(pid)
                os.kill(pid, signal.SIGKILL)
                until(lambda: not manager.is_alive(), "the kernel's end")
                return int(pid)
            client.execute_interactive(cell.source, timeout=300, output_hook=lambda _: None)
    finally:
        client.stop_channels()
    raise AssertionError(f"no cell holds {text}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_killed_in_a_cell(kind: str, kernel: KernelManager, tmp_path: Path) -> None:
    folder, text, after = KINDS[kind]
    path = paths.ROOT / folder / f"{STEM}.ipynb"
    killed_in(nbformat.read(path, as_version=4), text, kernel, lambda _: time.sleep(after))
    progress = tmp_path / "work" / "progress.json"
    if progress.exists():
        json.loads(progress.read_text())  # whole, whenever it happened
    done = run_notebook.run(nbformat.read(path, as_version=4), tmp_path)
    checks = [c for c in done.cells if "check" in c.metadata.get("tags", [])]
    for cell in checks:
        assert cell.outputs[0]["data"]["text/plain"].startswith("✓"), cell.outputs
    assert left_over() == []


def cells(*sources: str) -> Any:
    """A notebook of these cells."""
    code = nbformat.v4.new_code_cell
    return nbformat.v4.new_notebook(cells=[code("import course"), *map(code, sources)])


@pytest.mark.parametrize("id_", MAKES)
def test_a_kernel_killed_while_a_check_has_made_things(
    id_: str, kernel: KernelManager, tmp_path: Path
) -> None:
    kind = MAKES[id_]

    def has_made(pid: int) -> bool:
        # It stands still while it is looked at: what was seen is there when it is killed.
        os.kill(pid, signal.SIGSTOP)
        if any(k == kind and p.startswith(f"{pid}-") for k, p in made()):
            return True
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
        return False

    def is_there(pid: int) -> None:
        until(lambda: has_made(pid), f"a {kind}", wait=60, pause=0.01)

    notebook = cells(f'course.begin("{id_}")', f'course.check("{id_}")')
    pid = killed_in(notebook, "check(", kernel, is_there)
    assert any(k == kind and p.startswith(f"{pid}-") for k, p in left_over())
    done = run_notebook.run(notebook, tmp_path)
    # The answer is that of the start state: wrong, by its own cause.
    assert done.cells[-1].outputs[0]["data"]["text/plain"].startswith(f"✗ {id_}")
    last = json.loads((tmp_path / "work" / "progress.json").read_text())["exercises"][id_]["last"]
    assert last["cause"] not in ("defect", "environment"), last
    assert left_over() == []


def test_a_kernel_killed_while_its_generator_runs(kernel: KernelManager, tmp_path: Path) -> None:
    def loads() -> bool:
        return any(run.plan.url.startswith(os.environ["ORDERS_URL"]) for run in traffic.running())

    start = 'traffic.start(os.environ["ORDERS_URL"], rate=20, seconds={})'
    notebook = cells(
        "import os\nfrom course.measure import traffic", f"print({start.format(60)}.wait())"
    )
    killed_in(notebook, "start(", kernel, lambda _: until(loads, "the generator", wait=60))
    until(lambda: not loads(), "the generator's end", wait=5)
    # Its place is free: the next one is not refused.
    done = run_notebook.run(
        cells("import os\nfrom course.measure import traffic", f"{start.format(0.5)}.wait()"),
        tmp_path,
    )
    assert done.cells[-1].outputs
    until(lambda: not loads(), "the second one's end", wait=5)
