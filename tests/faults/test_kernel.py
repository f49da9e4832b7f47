"""A kernel is killed in the middle of a cell: the notebook runs again, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from course import engines, execute, locks, paths
from course.images import PROCESS
from course.run import runner

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


def left_over() -> list[str]:
    """Containers of checks whose process is gone."""
    argv = ["docker", "ps", "--all", "--filter", f"label={PROCESS}"]
    shown = f'{{{{.Label "{PROCESS}"}}}}'
    made_by = runner().run([*argv, "--format", shown], timeout=30).stdout.split()
    return [process for process in made_by if not locks.lives(process)]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelManager]:
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    for name, value in engines.environment().items():
        if name != "COURSE_WORK":
            monkeypatch.setenv(name, value)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    yield manager
    if manager.is_alive():
        manager.shutdown_kernel(now=True)


def killed_in(notebook: Any, text: str, after: float, manager: KernelManager) -> None:
    """Run a notebook's cells up to the one that holds a text, and kill the kernel in that one."""
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        for cell in (c for c in notebook.cells if c.cell_type == "code"):
            if text in cell.source:
                client.execute(cell.source)
                time.sleep(after)
                pid = manager.provisioner.pid  # type: ignore[union-attr]
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                return
            client.execute_interactive(cell.source, timeout=300, output_hook=lambda _: None)
    finally:
        client.stop_channels()
    raise AssertionError(f"no cell holds {text}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_killed_in_a_cell(kind: str, kernel: KernelManager, tmp_path: Path) -> None:
    folder, text, after = KINDS[kind]
    path = paths.ROOT / folder / f"{STEM}.ipynb"
    killed_in(nbformat.read(path, as_version=4), text, after, kernel)
    progress = tmp_path / "work" / "progress.json"
    if progress.exists():
        json.loads(progress.read_text())  # whole, whenever it happened
    done = execute.run(nbformat.read(path, as_version=4), tmp_path)
    checks = [c for c in done.cells if "check" in c.metadata.get("tags", [])]
    for cell in checks:
        assert cell.outputs[0]["data"]["text/plain"].startswith("✓"), cell.outputs
    assert left_over() == []
