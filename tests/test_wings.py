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


def test_a_test_file_of_a_wing_is_called_like_what_it_tests() -> None:
    wings = sorted(f.parent for f in (paths.ROOT / "src" / "course").glob("*/__init__.py"))
    strays = []
    for wing in wings:
        names = {"_".join(f.relative_to(wing).with_suffix("").parts) for f in wing.rglob("*.py")}
        names |= {name.removesuffix("___init__") for name in names}
        for file in sorted((paths.ROOT / "tests" / wing.name).glob("test_*.py")):
            if file.stem.removeprefix("test_") not in names:
                strays.append(
                    f"{file.relative_to(paths.ROOT)}: no module of {wing.name}/ is called so"
                )
    assert strays == []
