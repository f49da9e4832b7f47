"""Run a notebook from its first cell to its last, as `Run All` does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course.core.errors import CourseError

_CELL_WAIT = 900
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run(notebook: Any, folder: Path, *, allow_errors: bool = False) -> Any:
    """Execute a notebook in place.

    Args:
        notebook: as nbformat reads it.
        folder: where its kernel starts.
        allow_errors: go on after a cell that fails.

    Returns:
        The notebook, with its outputs.

    Raises:
        CourseError: a cell failed, did not end, or the kernel died.
    """
    client = NotebookClient(
        notebook,
        timeout=_CELL_WAIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        allow_errors=allow_errors,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        text = _ANSI.sub("", str(error)).strip().splitlines()
        raise CourseError(
            "a cell failed:\n      " + "\n      ".join(text[-25:]), "no error", "course doctor"
        ) from error
    except CellTimeoutError as error:
        raise CourseError(
            f"a cell did not end within {_CELL_WAIT} s", "its end", "course status"
        ) from error
    except DeadKernelError as error:
        raise CourseError(
            "the kernel died", "a living one", "free -h; then run it again"
        ) from error
    return notebook


def lesson(path: Path) -> str:
    """Execute one lesson without changing its file.

    Args:
        path: the notebook.

    Returns:
        What its cells printed, as text.

    Raises:
        CourseError: see `run`.
    """
    done = run(nbformat.read(path, as_version=4), path.parent)
    return "\n".join(text for cell in done.cells for text in _texts(cell)).strip()


def _texts(cell: Any) -> list[str]:
    texts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            texts.append(output.text.rstrip())
        elif "text/plain" in output.get("data", {}):
            plain = output.data["text/plain"]
            if not plain.startswith("<") and "(" not in plain[:12]:
                texts.append(plain)
    return [_ANSI.sub("", t) for t in texts if t.strip()]
