"""What a shell hands down to the course and must not reach its tools, put right in one place.

A learner's variables are made for other things: `GIT_DIR` names the repository of their dotfiles,
`BUILDX_BUILDER` a builder elsewhere, `HTTPS_PROXY` a way out of the company. `settle` puts this
process right, and so JupyterLab, kernels and terminals that it starts; `child` every program
that `process` starts. How a machine reaches its registries (proxies, mirrors, authorities,
logins) stays.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from course.core import paths, private
from course.core.errors import CourseError

LOOPBACK = ("localhost", "127.0.0.1", "::1", ".localhost")
"""What no proxy is asked for, as `NO_PROXY` holds it."""
_READABLE, _OTHERS_WRITE = 0o755, 0o002
"""The bits of a umask that would keep anybody from reading, since what goes into an image must be
readable, or ourselves from writing; and the one without which everybody may write."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_NO_PROXY = ("no_proxy", "NO_PROXY")

_DROPPED = re.compile(
    # What `git rev-parse --local-env-vars` lists: git drops it itself for another repository.
    r"GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|PREFIX"
    r"|ALTERNATE_OBJECT_DIRECTORIES|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT|GRAFT_FILE|SHALLOW_FILE"
    r"|NO_REPLACE_OBJECTS|REPLACE_REF_BASE|INTERNAL_SUPER_PREFIX|NAMESPACE|TEMPLATE_DIR"
    r"|ATTR_SOURCE|QUARANTINE_PATH|DEFAULT_HASH|DEFAULT_REF_FORMAT)"
    # What changes the commands of a shell.
    r"|BASH_ENV|ENV|CDPATH|GLOBIGNORE|SHELLOPTS|BASHOPTS|POSIXLY_CORRECT|BASH_FUNC_.*"
    r"|GREP_OPTIONS|TAR_OPTIONS|GZIP|XZ_OPT|XZ_DEFAULTS"
    # What changes a build, or sends it elsewhere.
    r"|DOCKER_(DEFAULT_PLATFORM|API_VERSION|BUILDKIT|CONTENT_TRUST|CONTENT_TRUST_SERVER)"
    r"|BUILDX_.*|BUILDKIT_.*|EXPERIMENTAL_BUILDKIT_.*|COMPOSE_.*|SOURCE_DATE_EPOCH|KIND_.*"
    # What changes a Python that is ours.
    r"|PYTHON(PATH|HOME|STARTUP|WARNINGS|INSPECT|OPTIMIZE|EXECUTABLE|PLATLIBDIR|DEVMODE"
    r"|ASYNCIODEBUG|MALLOC|MALLOCSTATS|TRACEMALLOC|VERBOSE|DEBUG|PROFILEIMPORTTIME|BREAKPOINT"
    r"|DONTWRITEBYTECODE|PYCACHEPREFIX)"
    # npm reads either spelling, and the course has a cache of its own.
    r"|NPM_CONFIG_CACHE"
)
_TLS = ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_FIXED = {"DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default"}
"""`docker build` is BuildKit's, by the builder of the Docker in use, whatever is the default."""

_HIDDEN = {
    "git": r"GIT_.*|XDG_CONFIG_HOME",
    "go": r"GO(ROOT|OS|ARCH|ARM|ARM64|AMD64|386|MIPS.*|BIN|EXPERIMENT|FLAGS|WORK|TMPDIR|PATH"
    r"|CACHEPROG|TOOLCHAIN|111MODULE|FIPS140|DEBUG)|GO111MODULE|GCCGO|CGO_.*",
    "npm": r"(?i:npm_config_(prefix|global|location|dry[-_]run|omit|include|only|production"
    r"|workspaces?|package[-_]lock.*|os|cpu|libc|loglevel|json|offline|force|save.*))"
    r"|NODE_OPTIONS|NODE_ENV",
    "uv": r"UV_(PYTHON|TARGET|PREFIX|SYSTEM_PYTHON|PROJECT.*|WORKING_DIR.*|NO_EDITABLE|CONSTRAINT"
    r"|OVERRIDE|BUILD_CONSTRAINT|EXCLUDE_NEWER|PRERELEASE|RESOLUTION|NO_BINARY.*|NO_BUILD.*"
    r"|ENV_FILE|REQUIRE_HASHES|COMPILE_BYTECODE)|VIRTUAL_ENV|CONDA_PREFIX",
    "kubectl": r"KUBECTL_.*|KUBERC|KUBE_EDITOR",
}
"""Program → the variables that it is not shown when it is the course that runs it."""
_GIT = {
    # Identity of our own, and no settings: theirs may sign, run hooks or convert files.
    "GIT_AUTHOR_NAME": "course",
    "GIT_AUTHOR_EMAIL": "course@localhost",
    "GIT_COMMITTER_NAME": "course",
    "GIT_COMMITTER_EMAIL": "course@localhost",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    # For a git older than 2.32, which does not know GIT_CONFIG_GLOBAL.
    "HOME": os.devnull,
    "GIT_TEMPLATE_DIR": "",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A clone may belong to another user than the one who runs the course in it.
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": os.devnull,
    "GIT_CONFIG_KEY_2": "core.fsmonitor",
    "GIT_CONFIG_VALUE_2": "false",
}
_GIVEN = {"git": _GIT, "kubectl": {"KUBECTL_KUBERC": "false", "KUBERC": "off"}}

_before: dict[str, str] | None = None


def settle() -> None:
    """Put this process right: its variables, and a umask that hides files or gives them away."""
    global _before  # noqa: PLW0603 - of this process
    if _before is None:
        _before = dict(os.environ)
    if not os.environ.get("HOME"):
        os.environ["HOME"] = _home()
    right = settled(os.environ)
    for name in set(os.environ) - set(right):
        del os.environ[name]
    os.environ.update(right)
    os.umask((os.umask(0o022) & ~_READABLE) | _OTHERS_WRITE)


def _home() -> str:
    """The home folder where no variable says it; a user of a container may have none at all.

    Raises:
        CourseError: somebody else made the one in the machine's temporary folder.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError as error:
        home = Path(tempfile.gettempdir()) / f"home-{os.getuid()}"
        try:
            return str(private.folder(home))
        except (CourseError, OSError):
            raise CourseError(
                f"neither HOME nor a user's entry names a home folder, and {home} is not ours",
                "a folder of your own",
                "export HOME=FOLDER",
            ) from error


def before() -> Mapping[str, str]:
    """The variables as this process was given them."""
    return os.environ if _before is None else _before


def settled(env: Mapping[str, str]) -> dict[str, str]:
    """An environment for the course's programs and for a learner's cells and terminals.

    Args:
        env: as it was inherited.
    """
    right = {k: v for k, v in env.items() if not _DROPPED.fullmatch(k)}
    right |= _FIXED | folders()
    right["HOME"] = right.get("HOME") or _home()
    for place in ("COURSE_CACHE", "COURSE_STATE", "COURSE_WORK"):
        if right.get(place):
            # A kernel enters the learner's folder: what is relative would be elsewhere there.
            right[place] = str(paths.named(right[place]).absolute())
    if not _usable(right.get("TMPDIR", tempfile.gettempdir())):
        right.pop("TMPDIR", None)
    _unproxied(right)
    return _without_tls(right)


def folders() -> dict[str, str]:
    """Where programs keep what they would put into the learner's home folder."""
    own = paths.state().absolute() / "home"
    return {
        "BUILDX_CONFIG": str(own / "buildx"),
        "KUBECACHEDIR": str(own / "kube"),
        "IPYTHONDIR": str(own / "ipython"),
        "MPLCONFIGDIR": str(own / "matplotlib"),
        "JUPYTER_DATA_DIR": str(own / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(own / "jupyter" / "runtime"),
        "NODE_COMPILE_CACHE": str(own / "node"),
        "npm_config_cache": str(paths.cache().absolute() / "npm"),
    }


def child(
    program: str,
    env: Mapping[str, str],
    own: Mapping[str, str],
    *,
    folder: Path | None = None,
) -> dict[str, str]:
    """The environment of a program that the course runs for itself.

    Args:
        program: its name or path.
        env: of this process.
        own: what the course gives it beside that.
        folder: where it works; git looks for no repository above it.
    """
    name = Path(program).name
    hidden = re.compile(_HIDDEN.get(name, r"(?!)"))
    right = {k: v for k, v in settled(env).items() if not hidden.fullmatch(k)}
    right |= _GIVEN.get(name, {})
    if name == "git":
        right["GIT_CEILING_DIRECTORIES"] = str(Path(folder or ".").absolute().parent)
    if name == "go":
        # A company's GOPROXY may stand in its file; beside it Go keeps counters of its use.
        config = Path(right.get("XDG_CONFIG_HOME") or Path(right["HOME"]) / ".config")
        right.setdefault("GOENV", str(config / "go" / "env"))
        right["XDG_CONFIG_HOME"] = str(paths.state().absolute() / "home" / "config")
    # What is printed goes to a log or to us, who read UTF-8, whatever the terminal shows.
    right.pop("PYTHONIOENCODING", None)
    return _without_tls({**right, "PYTHONUTF8": "1", **own})


def _usable(folder: str) -> bool:
    place = Path(folder)
    return place.is_absolute() and place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def _unproxied(env: MutableMapping[str, str]) -> None:
    """Leave loopback out of what a proxy is asked for; clients read either spelling."""
    if not any(env.get(name) or env.get(name.upper()) for name in _PROXIES):
        return
    either = next((env[name] for name in _NO_PROXY if env.get(name)), "")
    for name in _NO_PROXY:
        listed = [entry.strip() for entry in (env.get(name) or either).split(",")]
        known = [entry for entry in listed if entry]
        missing = [] if "*" in known else [n for n in LOOPBACK if n not in known]
        env[name] = ",".join([*known, *missing])


def _without_tls(env: dict[str, str]) -> dict[str, str]:
    """Certificates are for a Docker at a TCP address; at a socket its command fails for them."""
    if not env.get("DOCKER_HOST", "").startswith("tcp://"):
        for name in _TLS:
            env.pop(name, None)
    return env


def left_out(no_proxy: str, name: str) -> bool:
    """Whether `NO_PROXY` leaves a host out, as Python's and Go's clients and curl read it.

    Args:
        no_proxy: its value: names, with or without a leading dot or a port, addresses, networks.
        name: a host's name or address.
    """
    return any(_covers(entry, name.lower()) for entry in re.split(r"[,\s]+", no_proxy.lower()))


def _covers(entry: str, name: str) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    bare = re.sub(r":\d+$", "", entry).removeprefix("*").strip(".[]")
    return bool(bare) and (name == bare or name.endswith(f".{bare}"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone.

    Args:
        host: without a port.
    """
    bare = host.strip("[]").lower().rstrip(".")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")
