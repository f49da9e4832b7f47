"""The wings of the package: imports go downwards only, and in no circle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from course.core import paths


def test_imports_go_downwards_and_in_no_circle() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    advice = "move the import or the thing it needs: docs/architecture.md has the wings"
    assert done.returncode == 0, f"{done.stdout[done.stdout.find('Broken') :]}\n{advice}"
