"""Download files from the internet: resumed when interrupted, checked before they count.

The shell says how the internet is reached: its proxy variables, and the authorities of the
system and of SSL_CERT_FILE, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from course.artifacts import first_seen
from course.core.errors import CourseError, from_os_error

if TYPE_CHECKING:
    # Not at run time: a bundle is read where there is nothing but Python itself.
    import requests

    from course.core.report import Report

_CHUNK = 1 << 18
_CONNECT_WAIT = 10.0
_READ_WAIT = 30.0
"""Seconds without a byte."""
_FIRST_WAIT = (15.0, 5.0)
"""Seconds to the first answer of a host; and once another was silent, of each further one: where
packets are dropped, each host would cost its full wait."""
_SLOWEST = (64_000, 60.0)
"""At least so many bytes in so many seconds."""
_LOCK_WAIT = 3600.0
OFFLINE = "COURSE_OFFLINE"
AGAIN = "the same command again; it goes on where it stopped"

_unreached: dict[str, str] = {}
"""Host → why it could not be reached. A process asks each host once."""


class UnreachableError(CourseError):
    """The network is in the way, not the publisher: another source may do."""

    def __init__(self, what: str, why: str) -> None:
        self.why = why
        try_ = "course doctor; is this machine on the network? then the same command again"
        super().__init__(f"{what}: {why}", "an answer", try_)


class _PointedError(ValueError):
    """A server points to what is not downloaded."""


def offline() -> bool:
    """Whether the learner said that there is no internet: `COURSE_OFFLINE=1`."""
    return os.environ.get(OFFLINE) == "1"


def text(url: str) -> str:
    """A small text file, e.g. a published checksum.

    Raises:
        UnreachableError: the network does not lead there.
        CourseError: it cannot be had.
    """
    with _opened(url, {}) as answer:
        _good(url, answer)
        found = bytearray()
        with _transfer(url, lambda: len(found)):
            for chunk in _chunks(answer, unpack=True):
                found += chunk
                if len(found) > _CHUNK:
                    raise CourseError(f"{url} has more than {_CHUNK} bytes", "a small file", "")
        return found.decode(errors="replace")


def download(url: str, dest: Path, *, sha256: str = "", report: Report | None = None) -> Path:
    """Download one file, going on where an earlier try stopped.

    Args:
        url: where from.
        dest: where to; it exists only when it is whole and its checksum is right.
        sha256: what the publisher says; without it what was seen at the first download on
            this machine is kept and must stay the same.
        report: told how far it is.

    Returns:
        `dest`.

    Raises:
        UnreachableError: the network does not lead there.
        CourseError: the server refuses, the download broke off, or the checksum is another one.
    """
    from course.core import locks

    part = dest.with_name(dest.name + ".part")
    lock = dest.with_name(f".{dest.name}.lock")
    what = f"another process downloads {dest.name}"
    with locks.hold(lock, wait=_LOCK_WAIT, what=what, try_=AGAIN), _disk(part):
        if not _whole(url, part, sha256, report):
            # What was here belongs to another file, or the server lost its place.
            _forget(part)
            if not _whole(url, part, sha256, report):
                raise CourseError(f"{url} answers with a part of the file", "all of it", AGAIN)
        found = digest(part)
        sight = None if sha256 else first_seen.first(url)
        expected = sha256 or (sight.value if sight else found)
        if found != expected:
            _forget(part)
            since = f", as on {sight.since}" if sight else ""
            raise CourseError(
                f"{url} has sha256 {found[:16]}…",
                f"sha256 {expected[:16]}…{since}",
                "the same command again; if it stays so, a proxy or the publisher changed the"
                " file: report it",
            )
        if not sha256 and not sight:
            first_seen.keep(url, found)
        part.replace(dest)
        _forget(part)
    return dest


def _whole(url: str, part: Path, sha256: str, report: Report | None) -> bool:
    """Fetch what is missing of a file; whether what is there now is one file from end to end."""
    have, headers = _place(url, part, sha256)
    with _opened(url, headers) as answer:
        if answer.status_code == 416 and have:
            # Whole already, or longer than the file: its checksum tells.
            return bool(sha256) and digest(part) == sha256
        _good(url, answer)
        if answer.status_code == 206 and not _begins(answer, have):
            return False
        if answer.status_code != 206:
            have = 0
        # A server that packs a file on the way; a .tgz is packed itself, and some say so here.
        packed = answer.headers.get("Content-Encoding", "identity") != "identity"
        unpack = packed and not part.name.endswith((".tgz.part", ".gz.part"))
        length = _length(answer)
        total = 0 if unpack or not length else have + length
        # What was unpacked on the way cannot be gone on with: its place is not the server's.
        _note(part, "" if unpack else url, _validator(answer))
        with part.open("ab" if have else "wb") as sink, _transfer(url, sink.tell):
            for chunk in _chunks(answer, unpack=unpack):
                sink.write(chunk)
                have += len(chunk)
                if report:
                    of = f" of {total / 1e6:.0f}" if total else ""
                    share = have / total if total else None
                    report(f"{part.stem}: {have / 1e6:.0f}{of} MB", share)
        if not have:
            raise CourseError(f"{url} answers with an empty file", "the file", AGAIN)
    return True


def _length(answer: requests.Response) -> int:
    """How many bytes are to come; 0 if that is not said. A number may be said twice."""
    said = {word.strip() for word in answer.headers.get("Content-Length", "").split(",")}
    number = said.pop() if len(said) == 1 else ""
    return int(number) if number.isascii() and number.isdecimal() else 0


def _chunks(answer: requests.Response, *, unpack: bool) -> Iterator[bytes]:
    """The body as it comes.

    Raises:
        TimeoutError: it hardly moves.
    """
    began, came = time.monotonic(), 0
    while chunk := answer.raw.read1(_CHUNK, decode_content=unpack):
        yield chunk
        came += len(chunk)
        if time.monotonic() - began > _SLOWEST[1]:
            if came < _SLOWEST[0]:
                raise TimeoutError(f"{came} bytes in {_SLOWEST[1]:.0f} s")
            began, came = time.monotonic(), 0


def _place(url: str, part: Path, sha256: str) -> tuple[int, dict[str, str]]:
    """How much of a file is here already, and the headers that ask for the rest."""
    note = _note_of(part)
    have = part.stat().st_size if part.exists() else 0
    if not have or note.get("url") != url or not (note["validator"] or sha256):
        return 0, {}
    headers = {"Range": f"bytes={have}-"}
    if note["validator"]:
        headers["If-Range"] = note["validator"]
    return have, headers


def _begins(answer: requests.Response, have: int) -> bool:
    """Whether the answer goes on where the part ends."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == have


def _validator(answer: requests.Response) -> str:
    """What names this very content, so that a file that changed is not joined to its old half."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _note_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _note(part: Path, url: str, validator: str) -> None:
    _note_file(part).write_text(json.dumps({"url": url, "validator": validator}))


def _note_of(part: Path) -> dict[str, str]:
    try:
        return dict(json.loads(_note_file(part).read_text()))
    except (OSError, ValueError):
        return {}


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_file(part).unlink(missing_ok=True)


@cache
def _session() -> requests.Session:
    """A client that reaches the internet as the shell is set to, and sends no login of anybody."""
    import requests
    import truststore
    from requests.adapters import HTTPAdapter

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        with contextlib.suppress(OSError):
            if os.environ.get(name):
                context.load_verify_locations(cafile=os.environ[name])

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            return super().proxy_manager_for(*args, ssl_context=context, **kwargs)

    class Session(requests.Session):
        def rebuild_auth(self, *_: Any) -> None:
            """Nothing: a redirect must not send what ~/.netrc holds either."""

        def get_redirect_target(self, resp: requests.Response) -> str | None:
            """Where an answer points to; from https to nothing else, or anybody could answer."""
            target = super().get_redirect_target(resp)
            scheme = urlsplit(urljoin(resp.url, target or "")).scheme
            plain = scheme == "http" and not resp.url.startswith("https:")
            if target and scheme != "https" and not plain:
                raise _PointedError(f"{resp.url} points to {scheme}://…")
            return target

    session = Session()
    session.auth = lambda request: request
    session.mount("https://", Adapter())
    session.headers["Accept-Encoding"] = "identity"
    return session


@contextlib.contextmanager
def _opened(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """The answer to a request, its body not read yet."""
    name = host(url)
    if offline():
        raise UnreachableError(name, f"{OFFLINE}=1 is set")
    if name in _unreached:
        raise UnreachableError(name, _unreached[name])

    def ask() -> requests.Response:
        waits = (_CONNECT_WAIT, _READ_WAIT)
        return _session().get(url, headers=headers, stream=True, timeout=waits)

    try:
        # Of all that may wait in turn (names, each address of a name, a proxy), bounded as one.
        answer = _within(_FIRST_WAIT[1 if _unreached else 0], ask)
    except (OSError, ValueError) as error:
        raise _named(name, url, error) from error
    with contextlib.closing(answer):
        yield answer


def _within(seconds: float, do: Callable[[], requests.Response]) -> requests.Response:
    """The result of a call that may hang, e.g. in the resolver, which knows no deadline."""
    results: queue.Queue[requests.Response | BaseException] = queue.Queue()

    def run() -> None:
        try:
            results.put(do())
        except BaseException as error:
            results.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = results.get(timeout=seconds)
    except queue.Empty:
        # The queue is only how we wait: `_root` would take it for what is wrong with the network.
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    if isinstance(result, BaseException):
        raise result
    return result


def _named(name: str, url: str, error: Exception) -> CourseError:
    """What stands between this machine and a host, in words and with what mends it."""
    import requests
    from urllib3.exceptions import LocationValueError

    root = _root(error)
    why = str(getattr(root, "strerror", None) or root) or type(root).__name__
    if isinstance(error, _PointedError):
        return CourseError(str(error), "the file, or another address of https", "report it")
    proxy = _proxy(url)
    if isinstance(root, ssl.SSLCertVerificationError):
        return _untrusted(name, root.verify_message or why)
    if "407" in why:
        return CourseError(
            f"the proxy {proxy} wants a user name and a password (HTTP 407) for {name}",
            "a proxy that lets the download through",
            "export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT   as your company gives it; again",
        )
    of_proxy = (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema)
    if isinstance(error, of_proxy) or isinstance(root, LocationValueError):
        # Not what the library says: it may hold a part of the password.
        return CourseError(
            f"the address of the proxy cannot be used: {proxy or 'it has no host'}",
            "http://HOST:PORT in HTTPS_PROXY, of the password's signs / # ? @ : as %2F %23 %3F %40 "
            "%3A",
            "correct HTTPS_PROXY, or unset it",
        )
    if "CA certificate bundle" in why:
        return CourseError(why, "a file of certificates", "correct or unset REQUESTS_CA_BUNDLE")
    _unreached[name] = f"{why} (through the proxy {proxy})" if proxy else why
    return UnreachableError(name, _unreached[name])


def _root(error: BaseException) -> BaseException:
    """The first cause: what the libraries above it say is long and the same for all."""
    while True:
        inner = getattr(error, "original_error", None) or getattr(error, "reason", None)
        inner = inner if isinstance(inner, BaseException) else None
        inner = inner or error.__cause__
        if inner is None and not error.__suppress_context__:
            inner = error.__context__
        inner = inner or next((a for a in error.args if isinstance(a, BaseException)), None)
        if inner is None:
            return error
        error = inner


def _untrusted(name: str, why: str) -> CourseError:
    if "expired" in why or "not yet valid" in why:
        try_ = "is this machine's clock right? date; course doctor"
    else:
        try_ = (
            "if a proxy of your company signs its own: export SSL_CERT_FILE=FILE with its"
            " authority, or add it to the system's; then again"
        )
    return CourseError(
        f"{name} shows a certificate that is not trusted: {why}", "one that is", try_
    )


def _proxy(url: str) -> str:
    """The proxy that an URL is asked through, without its login."""
    if urllib.request.proxy_bypass(host(url)):
        return ""
    proxies = urllib.request.getproxies()
    found = proxies.get(urlsplit(url).scheme) or proxies.get("all", "")
    # By hand: in a password that was not encoded any sign may be.
    return found.rpartition("//")[2].rpartition("@")[2].partition("/")[0]


def _good(url: str, answer: requests.Response) -> None:
    """Refuse an answer that is not the file.

    Raises:
        CourseError: it is another status, or a web page.
    """
    status, name = answer.status_code, host(answer.url)
    if status in (200, 206):
        if "html" in answer.headers.get("Content-Type", "").lower():
            raise CourseError(
                f"{url} answers with a web page of {name}",
                "the file",
                "does this network want you to log in? open a browser; then again",
            )
        return
    wait = answer.headers.get("Retry-After", "")
    later = f"in {wait} s" if wait.isdigit() else "in some minutes"
    known = {
        404: ("is not there", "is this clone up to date? git pull; else report it"),
        410: ("is not there any more", "is this clone up to date? git pull; else report it"),
        407: ("wants a login at the proxy", "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"),
        429: ("has had too many requests from this address", f"again {later}"),
        511: ("is behind a page to log in", "open a browser and log in to this network; again"),
    }
    fault = ("fails at the publisher", f"again {later}")
    refused = ("is refused", "does a company's proxy forbid it? course doctor")
    said, try_ = known.get(status) or (fault if status >= 500 or status == 408 else refused)
    raise CourseError(f"{url} {said}: HTTP {status}", "a download", try_)


@contextlib.contextmanager
def _transfer(url: str, have: Callable[[], int]) -> Iterator[None]:
    """Name a body that breaks off; what the disk refuses is not of the network."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (HTTPError, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise CourseError(
            f"{url}: the download broke off after {have() / 1e6:.0f} MB ({_root(error)})",
            "a whole file",
            AGAIN,
        ) from error


@contextlib.contextmanager
def _disk(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(part)  # a write names no file
        raise from_os_error(error) from error


def digest(path: Path) -> str:
    """The sha256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def host(url: str) -> str:
    """The host of an URL."""
    return urlsplit(url).hostname or ""
