"""Programs of a copy that refuse to do what an exercise forbids: a step again, or as root.

What a step has left behind can be forged: a time, a file's owner. So the step itself is asked. In
a check's copy its program begins with a guard, a statement of JavaScript, which throws if a
variable says so that Docker passes to each RUN and leaves out of the key of its cache, as it does
with all variables of proxies. A step that is kept does not run, and its guard neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from course.exercises.kit.build_errors import named
from course.measure.builds import Build

VARIABLE = "ftp_proxy"
"""Nothing that a lesson builds with asks a proxy for FTP."""
ROOT = "root"
"""What `refused` is asked for if it was root that was refused."""
_MARK, _RUNS = "guard:", "here runs:"


def once(name: str) -> str:
    """Return the guard of a program that may not run in a build that forbids it.

    Args:
        name: what the program does, in a word.
    """
    return (
        f"if ((process.env.{VARIABLE} || '').split(':').includes('{name}')) "
        f"throw new Error('{_MARK} {name} ' + process.env.{VARIABLE}.split(':')[0]);"
    )


def noted(name: str) -> str:
    """Return a statement of JavaScript by which a step says that it runs a program.

    Args:
        name: what the program does, in a word.
    """
    return f"console.error('{_RUNS} {name}.');"


def runs(log: Iterable[str], name: str) -> bool:
    """Say whether a step ran a program that says so.

    Args:
        log: the step's lines.
        name: the program's, as `noted` was given it.
    """
    return any(f"{_RUNS} {name}." in line for line in log)


def not_as_root(name: str) -> str:
    """Return the guard of a program that root may not run, in whichever build."""
    return f"if (process.getuid() === 0) throw new Error('{_MARK} {name} ' + '{ROOT}');"


def script(guard: str) -> str:
    """Return a guard as a script of package.json."""
    return f'node -e "{guard}"'


def variable(nonce: str, *names: str) -> dict[str, str]:
    """Return the variable that forbids programs to run.

    Args:
        nonce: of this check's copy.
        names: those of their guards.
    """
    return {VARIABLE: ":".join((nonce, *names))}


def option(nonce: str, *names: str) -> tuple[str, str]:
    """Return the option of `docker build` that sets it; the arguments are those of `variable`."""
    return "--build-arg", f"{VARIABLE}={variable(nonce, *names)[VARIABLE]}"


def refused(log: str, nonce: str) -> str:
    """Return the name of the program whose guard has thrown; empty if none has.

    Args:
        log: what a step or a container printed.
        nonce: of this check's copy, or `ROOT`.
    """
    found = re.search(rf"{_MARK} (\S+) {nonce}\b", log)
    return found[1] if found else ""


def refused_step(build: Build, nonce: str) -> tuple[str, str]:
    """Return the step whose guard has thrown, even if it went on, and what the guard forbids.

    Args:
        build: what ran.
        nonce: see `refused`.

    Returns:
        Two empty texts if no guard has thrown.
    """
    found = ((named(step), refused("\n".join(step.log), nonce)) for step in build.ran)
    return next((pair for pair in found if pair[1]), ("", ""))
