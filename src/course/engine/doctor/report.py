"""A report for a bug: what runs, what was found, how the last `course up` went.

It is read by strangers, so it is made of few things. Each passes `Censor` on its way, which takes
out what is known to be nobody's business, and lets through only what is listed (`words`).
"""

from __future__ import annotations

import base64
import getpass
import json
import os
import platform
import re
import socket
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course.artifacts import images, tools
from course.core import environment, files, paths, steps
from course.core.errors import CourseError
from course.core.process import CommandError
from course.engine import detect, jupyterlab
from course.engine.doctor import allowlist
from course.engine.doctor.finding import Finding, Machine

DEFAULT = Path("course-report.txt")
_TAIL = 60
_HEAD = "## versions\n"
_NOBODYS = {"", "root", "debian", "ubuntu", "vagrant", "ec2-user", "jovyan", "docker", "course"}
"""Names of users that name nobody."""
_GONE = "<removed>"
_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|pwd|api_?key|_key$|^key_|credential|auth|cookie|session|"
    r"^pat$|_pat$|dsn|database_url|connection_string|private",
    re.IGNORECASE,
)
_USER = re.compile(r"//([^/\s:@]*):?([^/\s]*)@")
"""User and password in an address."""
_PATTERNS = (
    # None repeats without a bound: a line may be 64 kB of one word, and each letter of it a start.
    # A private key or a certificate as text.
    (re.compile(r"-----BEGIN [A-Z ]{1,64}-----.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL), _GONE),
    # The rest of a line behind a header, or behind a name of what is secret.
    (
        re.compile(
            r"(?i)((?:authorization|cookie|bearer|basic|token|secret|passw(?:or)?d|passphrase|"
            r"pwd|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|-data|"
            r"certificate-authority|_xsrf|_auth)[\w-]{0,64}[\"']?\s{0,8}[=:]).+"
        ),
        rf"\1 {_GONE}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S.*"), rf"\1 {_GONE}"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63}){1,8}\b"), "<address>"),
)
_PUBLIC = {"true", "false", "none", "null", "basic", "bearer", "default", "http", "https"}
"""Values that are no secret, whatever their variable is called."""


class Censor:
    """Lets through of a text what is listed and not known to be nobody else's business.

    Args:
        env: the environment: values of variables that are named like secrets go.
        secrets: further values that go.
    """

    def __init__(self, env: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
        named = [value for name, value in env.items() if _SECRET_NAME.search(name)]
        for name, value in env.items():
            # A proxy's address may be written without its scheme.
            bare = name.lower().endswith("_proxy") and "//" not in value
            for pair in _USER.findall(f"//{value}" if bare else value):
                named += [*pair, *map(urllib.parse.unquote, pair)]
        wanted = {s for s in (*named, *secrets) if len(s) >= 4 and s.lower() not in _PUBLIC}
        forms = {_squeezed(form)[0] for secret in wanted for form in _forms(secret)}
        self._forms = sorted((form for form in forms if len(form) >= 4), key=len, reverse=True)
        self._places = [(str(path), name) for path, name in _places(env)]
        self._names = [
            (re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", re.IGNORECASE), name)
            for word, name in _identity(env)
        ]

    def __call__(self, text: str, *, versions: bool = False) -> str:
        """The text without it.

        Args:
            text: any text.
            versions: whether versions may be in it, see `words.kept`.
        """
        text = self._without(text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        for place, name in self._places:
            text = text.replace(place, name)
        for pattern, name in self._names:
            text = pattern.sub(name, text)
        return "\n".join(allowlist.kept(line, versions=versions) for line in text.split("\n"))

    def _without(self, text: str) -> str:
        """The text without known secrets, wherever lines were broken and in whatever case."""
        squeezed, places = _squeezed(text)
        gone = bytearray(len(text))
        for form in self._forms:
            at = squeezed.find(form)
            while at >= 0:
                first, last = places[at], places[at + len(form) - 1]
                gone[first : last + 1] = b"\1" * (last + 1 - first)
                at = squeezed.find(form, at + 1)
        parts, at = [], 0
        for match in re.finditer(rb"\x01+", bytes(gone)):
            # A break of a line stays one.
            broken = "\n" * text.count("\n", match.start(), match.end())
            parts += [text[at : match.start()], f" {_GONE}{broken} "]
            at = match.end()
        return "".join(parts) + text[at:]


def _squeezed(text: str) -> tuple[str, list[int]]:
    """A text in small letters and without spaces, and where each of its letters was."""
    found = [(letter, at) for at, letter in enumerate(text) if not letter.isspace()]
    # One letter for one, also where a capital has two small ones.
    return "".join(letter.lower()[:1] for letter, _ in found), [at for _, at in found]


def _forms(secret: str) -> Iterator[str]:
    """How a secret may be written: as it is, and in the encodings that logs hold."""
    # What is no UTF-8 in the environment stands in it as half a letter.
    raw = secret.encode(errors="surrogateescape")
    yield secret
    yield secret[::-1]
    yield urllib.parse.quote(raw, safe="")
    yield json.dumps(secret)[1:-1]
    yield raw.hex()
    for before in range(3):
        # In base64 a text looks in three ways, by where it begins; the ends depend on the rest.
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        middle = coded[-(-before * 8 // 6) : len(raw + b"\0" * before) * 8 // 6]
        if len(middle) >= 6:
            yield middle


def _places(env: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Folders, the longest first, and what they are called instead."""
    found = {
        paths.state(): "<state>",
        paths.cache(): "<cache>",
        paths.work(): "<work>",
        paths.ROOT: "<course>",
        Path.home(): "~",
        Path(env.get("HOME") or Path.home()): "~",
    }
    yield from sorted(found.items(), key=lambda item: len(str(item[0])), reverse=True)


def _identity(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names of the user and of the machine, and what they are called instead."""
    users = {env.get("USER", ""), env.get("LOGNAME", ""), env.get("USERNAME", "")}
    try:
        users.add(getpass.getuser())
    except (OSError, KeyError):
        pass  # a user id without a name
    for user in sorted(users - _NOBODYS):
        yield user, "<user>"
    hosts = {socket.gethostname(), platform.node(), env.get("HOSTNAME", "")}
    hosts |= {host.split(".")[0] for host in hosts}
    for host in sorted(hosts - {"", "localhost"}, key=len, reverse=True):
        yield host, "<host>"


def write(file: Path, findings: Iterable[Finding], machine: Machine | None = None) -> Path:
    """Write the report.

    Args:
        file: where to.
        findings: what `examine` found.
        machine: the machine that was looked at.

    Returns:
        `file`.

    Raises:
        CourseError: there is another file of that name; it is left alone.
    """
    if file.is_dir() or (file.is_file() and not _is_ours(file)):
        raise CourseError(
            f"{file} is there and was not written by `course doctor --report`",
            "a new file, or an older report",
            "course doctor --report course-report-2.txt",
        )
    machine = machine or Machine()
    censor = Censor(machine.env, _secrets())
    sections = {
        "versions": [_known(line) or censor(line, versions=True) for line in versions(machine)],
        "findings": censor("\n".join(map(str, findings))).split("\n"),
        "the last course up": censor("\n".join(_last_up())).split("\n"),
        **{f"log {name}": _log_lines(censor, log) for name, log in _logs()},
    }
    text = "".join(f"## {name}\n" + "\n".join(lines) + "\n\n" for name, lines in sections.items())
    return files.atomic_write(file, text, mode=0o600)


def _log_lines(censor: Censor, log: Path) -> list[str]:
    """The lines at the end of a log of which enough is listed to tell something."""
    lines = censor("\n".join(_tail(log))).split("\n")
    telling = [line for line in lines if allowlist.telling(line)]
    left = len(lines) - len(telling)
    return [*telling, f"({left} lines of other words left out)"] if left else telling


def _known(line: str) -> str:
    """A line of the versions whose form tells all that it can hold; else empty."""
    name, _, value = line.partition(": ")
    form = _FIELDS.get(name.split(" ")[0])
    return line if form and re.fullmatch(form, value) and len(name) < 40 else ""


_FIELDS = {
    "course": r"[0-9a-f]{7,12} \d{4}-\d\d-\d\d",
    "changed": r"\d+ files",
    "image": r"sha256:[0-9a-f]{64} ?(?:[0-9a-f]{16})?",
}


def _is_ours(file: Path) -> bool:
    with file.open("rb") as source:
        return source.read(len(_HEAD)) == _HEAD.encode()


def _secrets() -> Iterator[str]:
    """Values that the course itself keeps secret."""
    address = jupyterlab.url()
    if address:
        yield from urllib.parse.parse_qs(urllib.parse.urlsplit(address).query).get("token", [])
    for name in ("jupyter.json", "kubeconfig"):
        file = paths.state() / name
        if file.exists():
            # Every long word of them: tokens, keys, certificates.
            yield from re.findall(r"[A-Za-z0-9+/=_-]{20,}", file.read_text(errors="replace"))


def versions(machine: Machine) -> list[str]:
    """What is installed, a line each."""
    info = machine.docker_info or {}
    root = ["git", "-C", paths.ROOT]
    of_node = f'{{{{.Id}}}} {{{{index .Config.Labels "{images.KEY}"}}}}'
    asked: dict[str, list[object]] = {
        "course": [*root, "log", "-1", "--format=%h %cs"],
        "changed": [*root, "status", "--porcelain", "--untracked-files=no"],
        "docker (client)": ["docker", "--version"],
        "buildx": ["docker", "buildx", "version"],
        "kind": [_ours("kind"), "version"],
        "kubectl": [_ours("kubectl"), "version", "--client"],
    }
    for ref in (image for maker in detect.ENGINES.values() for image in maker.images):
        asked[f"image {ref}"] = ["docker", "image", "inspect", ref, "--format", of_node]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = dict(
            zip(asked, pool.map(lambda a: _said(machine, a), asked.values()), strict=True)
        )
    changed = answers.pop("changed")
    # Only how many: what they are called is the learner's.
    answers["changed"] = f"{len([name for name in changed.split(', ') if name])} files"
    lines = [
        f"system: {platform.system()} {platform.release()} {platform.machine()}, {_release()}",
        f"python: {platform.python_version()}",
        f"docker (engine): {info.get('ServerVersion', 'none')}, {info.get('OperatingSystem', '')}, "
        f"{info.get('Driver', '')}, cgroup v{info.get('CgroupVersion', '?')}",
        f"wanted: docker {tools.DOCKER}, buildx {tools.BUILDX}, kind {tools.KIND}, "
        f"kubernetes {tools.KUBERNETES}",
    ]
    engine = environment.current()
    if engine:
        lines.append(f"engine: {engine.name}, has {', '.join(engine.has) or 'nothing yet'}")
    return lines + [f"{name}: {answer}" for name, answer in answers.items()]


def _ours(command: str) -> str:
    own = paths.state() / "bin" / command
    return str(own) if own.exists() else command


def _said(machine: Machine, argv: list[object]) -> str:
    try:
        done = machine.runner.run(argv, timeout=10, env=machine.variables, check=False)
    except CommandError as error:
        return ", ".join(error.reason.splitlines())
    return ", ".join((done.stdout.strip() or done.stderr.strip()).splitlines()[:8])


def _release() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return platform.mac_ver()[0] or "no os-release"


def _last_up() -> Iterator[str]:
    run = steps.read()
    if run is None:
        yield "it has not run"
        return
    for step in run.steps:
        yield f"{step.state}: {step.title}, {step.seconds:.1f} s {step.detail}".rstrip()
    if run.error:
        yield run.error
    elif not run.finished:
        yield "running" if run.running else "interrupted"


def _logs() -> Iterator[tuple[str, Path]]:
    """The logs of the course's own programs, by their names; others are not read."""
    for name in ("up.log", "dockerd.log", "jupyter.log"):
        log = paths.state() / "logs" / name
        if log.is_file():
            yield name, log


def _tail(file: Path) -> list[str]:
    with file.open("rb") as source:
        source.seek(0, os.SEEK_END)
        source.seek(max(0, source.tell() - 64_000))
        return source.read().decode(errors="replace").splitlines()[-_TAIL:]
