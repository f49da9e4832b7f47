"""One set of pins: `environment.yml` out of `uv.lock`."""

from __future__ import annotations

import sys
from pathlib import Path

from course.core.process import Runner, default_runner

_PYTHON = "3.12"
_HEAD = f"""\
# Generated from uv.lock by `course dev build`: the same pins for those who use conda.
# After `conda env create -f environment.yml` and `conda activate course`:
#   pip uninstall -y rfc3987-syntax   (2 to 4 s of each start: see pyproject.toml)
#   pip install --no-deps -e .
name: course
channels:
  - conda-forge
dependencies:
  - python={_PYTHON}
  - pip
  - pip:
"""


def conda(root: Path, *, runner: Runner | None = None) -> str:
    """The environment file with the lock's pins of the course and of its tests, with nbval.

    Args:
        root: the folder with `uv.lock`.
        runner: runs uv.

    Raises:
        CommandError: uv cannot read the lock.
    """
    uv = Path(sys.executable).with_name("uv")
    argv = [uv, "export", "--frozen", "--offline", "--quiet", "--no-default-groups"]
    argv += ["--group", "test", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"]
    pins = (runner or default_runner()).run(argv, timeout=60, cwd=root).stdout.splitlines()
    return _HEAD + "".join(f"      - {_quoted(pin)}\n" for pin in pins if pin.strip())


def _quoted(pin: str) -> str:
    return f'"{pin}"' if ";" in pin else pin
