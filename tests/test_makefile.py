"""The Makefile before there is a Python environment: with stubs for python3, pip and uv."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from course.core import paths

PYTHON3 = """\
#!/bin/sh
# `python3 -m venv DIR`: an environment whose pip installs a uv, which makes the course's own.
test "$1 $2" = "-m venv" || exit 9
mkdir -p "$3/bin"
cat >"$3/bin/python" <<'PIP'
#!/bin/sh
cat >"$(dirname "$0")/uv" <<'UV'
#!/bin/sh
test "$1" = sync || exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\necho "course $*, VIRTUAL_ENV=$VIRTUAL_ENV" "$UV_PROJECT_ENVIRONMENT"\\n' \\
  >.venv/bin/python
chmod +x .venv/bin/python
UV
chmod +x "$(dirname "$0")/uv"
PIP
chmod +x "$3/bin/python"
"""
NAMES = ["Jane Doe", "it's", 'the "q"', "50%", "Łódź", "$HOME", "a#b", "a&b;c", "(x)", "-x", "*"]


@pytest.fixture
def bin_(tmp_path: Path) -> Path:
    """A PATH with the stub and what a shell needs, and without uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_text(PYTHON3)
    (folder / "python3").chmod(0o755)
    for name in ("make", "bash", "sh", "mkdir", "cat", "chmod", "dirname", "touch", "id"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_make_start_works_whatever_the_home_folder_and_the_clone_are_called(
    tmp_path: Path, bin_: Path, name: str
) -> None:
    home, clone = tmp_path / f"home of {name}", tmp_path / f"clone of {name}"
    home.mkdir()
    clone.mkdir()
    for file in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(paths.ROOT / file, clone)
    noisy = tmp_path / "noisy"
    noisy.write_text("echo from the learner's own BASH_ENV; exit 7")
    theirs = {"VIRTUAL_ENV": "/x", "UV_PROJECT_ENVIRONMENT": "/x", "BASH_ENV": str(noisy)}
    done = subprocess.run(
        ["make", "--silent", "start"],
        cwd=clone,
        env={"HOME": str(home), "PATH": str(bin_), "LC_ALL": "C.UTF-8", **theirs},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "course -m course.cli up --lab, VIRTUAL_ENV= "
    assert (home / ".cache" / "course" / "uv" / "bin" / "uv").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [home.name, clone.name, "bin", "noisy"]
    )


def test_the_cache_may_be_elsewhere_and_a_uv_that_does_not_run_is_passed_over(
    tmp_path: Path, bin_: Path
) -> None:
    (bin_ / "uv").write_text("#!/bin/sh\necho 'pyenv: uv: command not found' >&2; exit 127\n")
    (bin_ / "uv").chmod(0o755)
    for file in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(paths.ROOT / file, tmp_path)
    env = {"HOME": "/nowhere", "PATH": str(bin_), "COURSE_CACHE": str(tmp_path / "a cache")}
    done = subprocess.run(["make", "start"], cwd=tmp_path, env=env, check=False)
    assert done.returncode == 0 and (tmp_path / "a cache" / "uv" / "bin" / "uv").exists()


def test_the_caches_tilde_is_the_home_folder_though_no_shell_has_read_it(
    tmp_path: Path, bin_: Path
) -> None:
    for file in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(paths.ROOT / file, tmp_path)
    env = {"HOME": str(tmp_path / "a&b c"), "PATH": str(bin_), "COURSE_CACHE": "~/a cache"}
    done = subprocess.run(["make", "start"], cwd=tmp_path, env=env, check=False)
    assert done.returncode == 0
    assert (tmp_path / "a&b c" / "a cache" / "uv" / "bin" / "uv").exists()
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("given", [{}, {"HOME": ""}])
def test_without_a_home_in_the_environment_make_starts_as_well(
    tmp_path: Path, bin_: Path, given: dict[str, str]
) -> None:
    for file in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(paths.ROOT / file, tmp_path)
    (bin_ / "uv").write_text(
        "#!/bin/sh\ntest $1 = sync || exit 0\nmkdir -p .venv/bin\n"
        "printf '#!/bin/sh\\n' >.venv/bin/python\nchmod +x .venv/bin/python\n"
    )
    (bin_ / "uv").chmod(0o755)
    done = subprocess.run(
        ["make", "start"],
        cwd=tmp_path,
        env={"PATH": str(bin_), **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("given", "asked"), [(["BUNDLE=/b"], True), ([], False)])
def test_make_start_takes_everything_from_the_bundle(given: list[str], asked: bool) -> None:
    # -n: only told; -B: as if nothing were made yet.
    argv = ["make", "-n", "-B", "start", "HEADLESS=1", *given]
    told = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout
    steps = [
        "-m course.artifacts.unbundle",
        "-m course.cli bundle load",
        "-m course.cli up --headless",
    ]
    places = [told.find(step) for step in steps]
    assert (places[0] > -1, places[1] > -1) == (asked, asked)
    assert places == sorted(places)
    assert ("sync --frozen" in told or "pip install" in told) is not asked
