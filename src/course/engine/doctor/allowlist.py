"""What may be in a report that strangers read: listed words and shapes, and nothing else.

A secret has no sign by which it can be known. So the words of a text are compared with those that
the course itself uses, and with what system, Docker, Kubernetes and Jupyter say; any other is left
out: names, addresses, keys, and all that they may be encoded as.
"""

from __future__ import annotations

import ast
import builtins
import errno
import http
import os
import re
import signal
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

MASK = "<…>"
_PACKAGE = Path(__file__).parents[2]
_WORD = re.compile(r"[A-Za-z]{1,24}(?:'s|n't)?")
_AROUND = re.compile(r"([\"'`(\[{*|]*)(.*?)([\"'`)\]},.;:!?|…]*)", re.DOTALL)
_LOOPBACK = re.compile(
    r"(?:(?:https?|tcp)://)?(?:127\.0\.0\.1|0\.0\.0\.0|localhost|orders\.localhost|\[?::1\]?)"
    r"(?::\d{1,5})?/?"
)
_NUMBER = re.compile(
    r"[+-]?\d{1,4}(?:\.\d{1,3})?(?:%|ns|µs|us|ms|s|m|min|h|[kMG]i?B?|bytes|requests/s|/s|x)?"
)
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\d)?[T ]?(?:\d\d:\d\d:\d\d(?:[.,]\d{1,3})?Z?)?")
_PLATFORM = re.compile(r"(?:linux|darwin|windows)[/-](?:amd64|arm64|x86_64|aarch64)")
_VERSION = re.compile(
    r"(?:v|go)?\d{1,3}(?:\.\d{1,3}){1,2}"
    r"(?:(?:\.\d{1,3})?-microsoft-standard(?:-WSL2)?"
    r"|(?:[-+]\d{1,3}|[-+.](?:deb\d\d|generic|cloud|amd64|arm64|aws|azure|gcp|kvm|lowlatency"
    r"|linuxkit|orbstack|fc\d\d|el\d|x86_64|aarch64|rc\d|beta\d|post\d|ce|desktop))*)"
)
_MARKED_VERSION = re.compile(r"(?:v|go)\d{1,3}(?:\.\d{1,3}){1,2}")
_PLACE = re.compile(r"(<(?:state|cache|work|course)>|~)((?:/.*)?)")
_OURS = re.compile(r"<(?:removed|user|host|address)>")
_ROOTS = {"bin", "dev", "etc", "lib", "opt", "proc", "run", "sbin", "sys", "tmp", "usr", "var"}
_BARE = re.compile(r"[^\w<]*(?:[A-Za-z]|\d+(?:\.\d+)?)[^\w>]*")
_LONGEST = 400
"""Letters of a word that may be listed, as a path is."""
_SIGNS = {"-", "--", "->", "=>", "=", "==", "+", "&", "&&", "/", "✓", "✗", "·", "…", ">", "<", "•"}
_ALLOWED_WORDS = """
a about above abort aborted accept accepted access active actual actualduration added address
addressed addresses after again allocate allocated allowed already also an and another any api app
application apply are argument as at attach attached attempt available await back bad base be
because been before begin begins being below between bind bound bridge broken buffer build builder
building built busy but by bytes cache call called caller can cancel canceled cancelled cannot
cause caused certificate change changed channel check checked child class clean cleaned cleaning
cleanup client clock close closed closing code command commands commit complete completed component
conf config configuration configured conflict connect connected connecting connection connections
consider consumer container containerd containers content context continue control controller copy
core could count cpu create created creating current daemon data dead deadline debug default delete
deleted deleting denied deriving desc describe destroy detached device did digest directory
disabled disconnect disconnected disk dns do dockerd does done down download driver drop due during
duration each early empty enabled end endpoint ended ending endpoints engine entry environment eof
err error errors event events every exact exceeded exception exec executable exist existing exists
exit exited exiting exits expect expected expired extension extensions extract failed failing fails
failure fatal fatally feature file files filesystem final find finished first flag for forbidden
force forced foreground format found free freed from full gateway generated get given global go got
grace graceful group had handle handler handshake hard has have health healthcheck healthy help
hook host hosts how http https id if ignored ignoring image imageid images implementation import in
inactive info init initialize initialized initializing input insecure inspect instance instead
interface internal interrupt interrupted into invalid io ip iptables is issue it its job jupyter
jupyterlab jupyter_server jupyter_lsp jupyter_server_terminals jupyterlab_jupytext kernel kernels
key kill killed killing kubelet kubernetes lab labapp labels last later layer lease level library
limit line link linked linux list listen listening load loaded loading local lock log logs long
lookup lost machine make manager manifest manifests many max maximum may media memory message
metadata method min minimum missing mkdir mode module mount mounted mounting mounts moby msg must
name named names namespace native need net network networks never new next nftables no node non
none not notebook notebooks notebook_shim nothing now null object of off offline ok old on once one
only open opened opening operation option options or other out output over overlay overlayfs
overlay2 own package path pending permission permissions permitted pid ping plugin plugins pod pods
policy pool port ports prefix prepare present previous probe process processes protocol provider
proxy pull pulled pulling push quit range rate reached read readiness reading ready reason received
refused register registered registry release reload remaining remote remove removed removing
replace request requests required reset resolve resource response restart restarted restarting
result resume retry retrying return returned root route run runc running runtime runtimes same
sandbox save schema see selected send sent server serverapp service services serving session set
setting settings shim should shut shutdown shutting signal since site size skipped skipping slow
snapshot snapshotter so socket some space spec specified stack stage start started starting starts
startup state status step still stop stopped stopping storage store stored stream string success
successfully such supported swarm sync system system32 systemd table tag target task tcp temporary
terminal terminate terminated termination than that the their them then there they this thread time
timed timeout timeouts to together token too took topic trace traceback traffic transport traversing
true try trying twice type types udp unable unauthorized unavailable unexpected unhealthy unix
unknown unless unmount unpack until up update updated url us usage use used user using valid value
version versions via volume volumes wait waited waiting warn warning was watch we went were what
when where which while who why will with within without work worker working would write writing
written yes you your zone client kustomize bookworm trixie bullseye noble jammy ubuntu debian
fedora alpine darwin macos windows desktop colima orbstack rancher docker buildx kind kubectl
kindest traefik
postgres python most recent call raise warning userland
"""
_TOKENS = """
GNU/Linux github.com/docker/buildx client.go server.go task-delete x509: i/o no-such-host non-zero
shut-down exit-code read-only x86_64 amd64 arm64 aarch64 cgroup v1 v2 container-ip container-port
host-ip host-port Control-C overlay2 unix:///var/run/docker.sock unix:///run/course/docker.sock
"""


def kept(text: str, *, versions: bool = False) -> str:
    """One line, with what is not listed replaced by `MASK`.

    Args:
        text: the line, in which folders of the course have been named, as in `<state>/logs`.
        versions: whether numbers with dots may be in it; in what others wrote they may be
            a part of an address.
    """
    text = re.sub(r"(\d\d:\d\d:\d\d)[.,]\d+", r"\1", text)
    words = _unspelled([_kept(word, versions) for word in text.split()])
    indent = text[: len(text) - len(text.lstrip())]
    found = " ".join(words)
    return indent + re.sub(rf"{MASK}(?: {MASK})+", MASK, found)


def telling(line: str) -> bool:
    """Whether enough of a line was kept to say something."""
    return len(re.findall(r"[A-Za-z]{3,}", line.replace(MASK, ""))) >= 2


def _unspelled(words: list[str]) -> list[str]:
    """Words without runs of single letters or numbers, by which a secret may be spelled.

    So are bytes printed, and numbers of cards and telephones: each is harmless, all of them are
    not.
    """
    run: list[int] = []
    for at, word in enumerate([*words, "the end"]):
        if bare := _BARE.fullmatch(word):
            run.append(at)
        if bare or word == MASK:
            continue
        if len(run) > 2 or (len(run) == 2 and sum(map(len, (words[i] for i in run))) > 6):
            words = [MASK if i in run else kept for i, kept in enumerate(words)]
        run = []
    return words


def _kept(word: str, versions: bool) -> str:
    if len(word) > _LONGEST:
        return MASK
    if word in _SIGNS or word == MASK or word in _listed()[1]:
        return word
    match = _AROUND.fullmatch(word)
    before, core, after = match.groups() if match else ("", word, "")
    if not core:
        return word if len(word) <= 3 else MASK
    if core[-1].isdigit() and after.startswith("."):
        return MASK  # the first half of an address, perhaps
    found = _core(core, versions)
    return MASK if found is None else before + found + after


def _core(core: str, versions: bool) -> str | None:
    words, tokens = _listed()
    shapes = [_OURS, _LOOPBACK, _NUMBER, _TIME, _PLATFORM, _MARKED_VERSION]
    shapes += [_VERSION] if versions else []
    word = core.lower().removesuffix("'s").removesuffix("n't")
    if word in words or core in tokens or any(shape.fullmatch(core) for shape in shapes):
        return core
    place = _PLACE.fullmatch(core)
    if place:
        return place[1] + _path(place[2])
    if core.startswith("/") and core.split("/")[1] in _ROOTS:
        return _path(core)
    name, sign, value = core.partition("=")
    if sign and value and (name.lower() in words or name in tokens):
        return f"{name}={_kept(value, versions)}"
    return None


def _path(path: str) -> str:
    """A path whose parts are listed, or left out one by one."""
    parts = path.split("/")[:12]
    return "/".join(
        _unspelled([p if not p or _core(p, versions=False) == p else MASK for p in parts])
    )


@cache
def _listed() -> tuple[frozenset[str], frozenset[str]]:
    """Words in small letters, and what is more than a word, as it is written."""
    texts = [_ALLOWED_WORDS, *_of_python(), *_of_the_course()]
    words, tokens = set(), set(_TOKENS.split())
    for text in texts:
        for word in text.split():
            match = _AROUND.fullmatch(word)
            core = match[2] if match else word
            if _WORD.fullmatch(core):
                words.add(core.lower().removesuffix("'s").removesuffix("n't"))
            elif 2 < len(core) <= 80 and re.search(r"[A-Za-z]", core):
                tokens.add(core)
    return frozenset(words), frozenset(tokens)


def _of_python() -> Iterator[str]:
    yield " ".join(name for name in dir(builtins) if name.endswith(("Error", "Exception")))
    yield from (os.strerror(code) for code in errno.errorcode)
    yield from errno.errorcode.values()
    yield from (status.phrase for status in http.HTTPStatus)
    yield from (sign.name for sign in signal.Signals)


def _of_the_course() -> Iterator[str]:
    """What the course's own programs say, and the names in its catalogues."""
    for file in sorted(_PACKAGE.rglob("*.py")):
        yield file.stem
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    for catalogue in sorted((_PACKAGE.parents[1] / "airgap").rglob("*.toml")):
        for name, entry in tomllib.loads(catalogue.read_text(encoding="utf-8")).items():
            yield name
            if isinstance(entry, dict):
                yield " ".join(value for value in entry.values() if isinstance(value, str))
