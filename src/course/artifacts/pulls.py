"""Pull official images by Docker as it is set up: its mirror, proxy, authorities and login.

An image is pulled by its digest: the published one, else the one that this machine pulled first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from course.artifacts import docker_context, fetch, first_seen
from course.core.errors import CourseError
from course.core.process import UNENDED, CommandError, Runner
from course.core.report import Report

_PULL_WAIT = 3600.0
"""Of a whole pull. Docker itself gives up a registry that is silent: after 30 s where packets are
dropped, after 40 s where it accepts and does not answer (measured with 29.8)."""
_HUB = "docker.io/"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


_unreached: list[fetch.UnreachableError] = []
"""That no registry could be reached. A process asks once: where packets are dropped, each pull
would cost half a minute."""


@dataclass(frozen=True)
class Wanted:
    """An image to pull.

    Args:
        upstream: its full name at the publisher, with the tag.
        ref: the name that lessons use.
        digest: of its index as the publisher gives it; empty where none is published, and then
            the one of the first pull on this machine is kept.
    """

    upstream: str
    ref: str
    digest: str = ""


def pull(image: Wanted, report: Report, runner: Runner) -> None:
    """Pull an image and give it the name that lessons use.

    Args:
        image: which one.
        report: told what is being done.
        runner: runs docker.

    Raises:
        fetch.UnreachableError: no registry could be reached; another source may do.
        CourseError: the registry refuses, has another image, or the disk is full.
    """
    if _unreached:
        raise _unreached[0]
    kept = None if image.digest else first_seen.first(image.upstream)
    wanted = image.digest or (kept.value if kept else "")
    name = image.upstream.rpartition(":")[0]
    source = f"{name}@{wanted}" if wanted else image.upstream
    report(f"docker pull {source}", None)
    try:
        runner.run(
            ["docker", "pull", source],
            timeout=_PULL_WAIT,
            on_line=lambda line: report(f"{image.ref}: {line}", None),
            try_="course up again: a pull goes on where it stopped",
        )
    except CommandError as error:
        raise _named(error, image, kept, runner) from error
    runner.run(["docker", "tag", source, image.ref], timeout=30)
    if not wanted:
        argv = ["docker", "image", "inspect", image.ref, "--format", "{{json .RepoDigests}}"]
        done = runner.run(argv, timeout=30, check=False)
        with suppress(ValueError):
            found = digest_of(json.loads(done.stdout or "null"), image.upstream)
            if found:
                first_seen.keep(image.upstream, found)


def accept(upstream: str, digests: Sequence[str]) -> None:
    """Keep another digest, where the learner pulled another image than the one that was kept.

    Where none was kept, it says nothing: with containerd's store what was built here has one too.

    Args:
        upstream: the image's full name at the publisher, with the tag.
        digests: the `RepoDigests` of what Docker has.
    """
    kept, found = first_seen.first(upstream), digest_of(digests, upstream)
    if kept and found and found != kept.value:
        first_seen.keep(upstream, found)


def digest_of(digests: Sequence[str] | None, upstream: str) -> str:
    """The digest that one publisher's name has among an image's `RepoDigests`, or nothing."""
    name = _short(upstream.rpartition(":")[0])
    parted = (entry.partition("@") for entry in digests or ())
    return next((digest for of_name, _, digest in parted if _short(of_name) == name), "")


def _short(name: str) -> str:
    """A name of Docker Hub as Docker shows it."""
    return name.removeprefix(_HUB).removeprefix("library/")


def _named(
    error: CommandError, image: Wanted, kept: first_seen.Sight | None, runner: Runner
) -> CourseError:
    """What Docker's words mean, and what to do.

    Docker's own sentence is kept: it names the address, the proxy or the mirror.
    """
    done = error.completed
    lines = _lines(done.stderr or done.stdout or error.reason)
    low = _FAULT.sub(r"\1", "\n".join(lines).lower())
    if re.search("eof|reset|broken pipe", low) and runner.run(_ASK, timeout=30, check=False).code:
        low += "error during connect"
    what = f"docker pull {image.ref}"
    kinds = (kind for kind in _KINDS if re.search(kind[0], low))
    known_as = None if done.code == UNENDED else next(kinds, None)
    if known_as:
        pattern, saw, want, try_ = known_as
        return CourseError(f"{what}: {saw}\n      {_sentence(lines, pattern)}", want, try_)
    said = _sentence(lines, "")
    if re.search(_MISSING, low):
        return _missing(image, kept, said, runner)
    if not re.search(_UNREACHED, low):
        return error
    if "Pulling fs layer" in done.stdout:
        again = "course up again: a pull goes on where it stopped"
        return CourseError(f"{what}: broke off\n      {said}", "the whole image", again)
    if (image.digest or kept) and _named_now(image.upstream, runner):
        # Of a mirror that lacks a digest, graph drivers say only that the publisher behind it
        # cannot be reached.
        return _missing(image, kept, said, runner)
    _unreached.append(fetch.UnreachableError(f"{what}: no registry in reach", said))
    return _unreached[0]


def _lines(text: str) -> list[str]:
    """What Docker says of the pull: before it may stand warnings, e.g. of its own settings."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return [line for line in lines if not _WARNING.match(line)] or lines


def _sentence(lines: Sequence[str], pattern: str) -> str:
    """The line that tells: of a web page in the answer, the one before it."""
    telling = [line for line in lines if re.search(pattern, line.lower())] if pattern else []
    plain = [line for line in telling or lines if not line.lstrip().startswith("<")]
    said = (plain or lines or [""])[-1]
    return said.removeprefix("Error response from daemon: ")[:400]


def _missing(
    image: Wanted, kept: first_seen.Sight | None, said: str, runner: Runner
) -> CourseError:
    """The registry has no such image, or another one of that name."""
    what = f"docker pull {image.ref}: the registry"
    if not image.digest and kept is None:
        return CourseError(
            f"{what} has no such image\n      {said}",
            image.upstream,
            "is this clone up to date? git pull. Has Docker a mirror that lacks it? docker info",
        )
    wanted = image.digest or (kept.value if kept else "")
    whose = f"pulled here first, on {kept.since}" if kept else "the published one"
    now = _named_now(image.upstream, runner)
    other = f"; its tag names {now} now" if now not in ("", wanted) else ""
    return CourseError(
        f"{what} does not give {wanted}{other}\n      {said}",
        f"the image with that digest, {whose}",
        "a mirror may lack it or have another image of that name: ask who runs it. To take "
        f"the other one: docker pull {_short(image.upstream)}; then: course up",
    )


def _named_now(upstream: str, runner: Runner) -> str:
    """The digest that a tag names now, asked through Docker; empty if it does not say."""
    import docker

    with suppress(Exception):  # it is asked for a message only
        api: Any = docker.APIClient(base_url=docker_context.address(runner), timeout=15)
        found = str(api.inspect_distribution(upstream)["Descriptor"]["digest"])
        return found if _DIGEST.fullmatch(found) else ""
    return ""


_ASK = ("docker", "version", "--format", "{{.Server.Version}}")
_WARNING = re.compile(r"(?i)warning:|time=\S+ level=warn|emulate docker cli")
_FAULT = re.compile(r"(http (?:408|5\d\d) response body): invalid character.*")
"""A publisher's fault told by a web page: the page is no sign of a network that wants a login."""
_MISSING = (
    r"manifest unknown|: not found|manifest .*not found|unexpected commit digest"
    r"|manifest verification failed|digest mismatch|content digest .* not found"
    r"|http 404 response body|does not match provided manifest digest"
)
_UNREACHED = (
    r"(?m)dial (tcp|udp)\b|no such host|server misbehaving|temporary failure in name resolution"
    r"|name or service not known|connection refused|network is unreachable|no route to host"
    r"|i/o timeout|deadline exceeded|client\.timeout|timeout awaiting|tls handshake timeout"
    r"|connection reset|proxyconnect|unexpected eof|: eof|connection timed out|network is down"
    r"|operation timed out|broken pipe|use of closed network connection|http2: |stream error: "
    r"|tls: handshake failure|bad record mac|cannot assign requested address"
    r"|\bforbidden\b|(status|code)[^\n]*: 5\d\d\b|http (408|5\d\d) response body"
    r"|bad gateway$|service unavailable$|gateway time-?out$|internal server error$"
    r"|\b(get|head|post) \"https?://[^\"]+\": [a-z][\w -]{2,60}$"
)
"""The last is a proxy that forbids the host: it answers a CONNECT by its status alone, in words of
its own."""
_KINDS = (
    (
        r"toomanyrequests|too many requests|http 429\b|rate limit",
        "Docker Hub's limit of pulls for this address is reached (HTTP 429)",
        "a pull within the limit, which is counted over six hours",
        "docker login   (a free account has more); or wait; or a mirror in Docker's settings; "
        "then: course up",
    ),
    (
        r"proxy authentication required|\b407\b",
        "the proxy that Docker uses wants a user name and a password (HTTP 407)",
        "a proxy that lets the pull through",
        "put http://USER:PASSWORD@HOST:PORT into Docker's own proxy settings (Docker Desktop: "
        "Settings, Resources, Proxies; else HTTPS_PROXY of the docker service); then: course up",
    ),
    (
        r"certificate has expired|is not yet valid",
        "a certificate on the way to the registry is not valid at this machine's time",
        "one that is",
        "is the clock right? date; course doctor",
    ),
    (
        r"x509|certificate signed by unknown|failed to verify certificate",
        "Docker does not trust the certificate that the registry, or a proxy in between, shows",
        "one of an authority that Docker trusts",
        "give Docker your company's authority (Docker Desktop: the system's; else "
        "/etc/docker/certs.d/HOST/ca.crt or the system's), restart Docker; then: course up",
    ),
    (
        r"first record does not look like a tls handshake",
        "what answers in the registry's place, or Docker's proxy, speaks no TLS",
        "the registry",
        "is Docker's proxy given as https:// where it is http://? docker info; then: course up",
    ),
    (
        r"no space left on device|disk quota exceeded|thin pool has",
        "the disk that Docker keeps its images on is full",
        "some GB free",
        "docker system df; docker system prune; df -h; then: course up   (a pull goes on)",
    ),
    (
        r"input/output error|read-only file system",
        "Docker cannot write to the disk that it keeps its images on",
        "a disk with room that takes what is written",
        "is it full? df -h; docker system df; restart Docker; then: course up",
    ),
    (
        r"insufficient uids or gids|lchown .*invalid argument",
        "a Docker without root has too few user ids for the files of this image",
        "65536 of them in /etc/subuid and /etc/subgid",
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER; restart "
        "Docker; then: course up",
    ),
    (
        r"error getting credentials|docker-credential-",
        "the helper that keeps Docker's logins does not work",
        "one that does, or none",
        "take credsStore out of ~/.docker/config.json, or: docker logout; then: course up",
    ),
    (
        r"permission denied while trying to connect",
        "this user may not use Docker",
        "a user of the group docker",
        "sudo usermod -aG docker $USER   then log out and in again",
    ),
    (
        r"cannot connect to the docker daemon|error during connect|daemon is not running"
        r"|failed to connect to the docker api|dial(ing:)? (dial )?unix|api route and version"
        r"|docker desktop is ",
        "Docker has stopped",
        "a running Docker",
        "course doctor; then: course up   (a pull goes on where it stopped)",
    ),
    (
        r"incorrect username or password|unauthorized|authentication required|pull access denied"
        r"|(?<!permission )denied: |resource is denied|insufficient_scope",
        "the registry refuses this login",
        "a registry that gives the image",
        "docker logout; docker login; then: course up",
    ),
    (
        r"no matching manifest for|no match for platform|does not match the specified pl"
        r"|no image found in|cannot be used on this platform",
        "the registry has the image for other processors only",
        "one for this processor",
        "has Docker a mirror? ask who runs it for all platforms of the image",
    ),
    (
        r"filesystem layer verification failed|ref \"layer-\S+ unexpected commit digest"
        r"|unexpected commit size|digest did not match",
        "a layer of the image arrived damaged",
        "what its digest says",
        "course up again; if it stays so, a proxy or a virus scanner changes what is downloaded",
    ),
    (
        r"export control",
        "Docker Hub does not serve the country that this address is of",
        "a registry that gives the image",
        "a mirror in Docker's settings; then: course up",
    ),
    (
        r"invalid character '<'|text/html|gave http response to https client",
        "a web page answers in the registry's place",
        "the registry",
        "does this network want you to log in? open a browser; then: course up",
    ),
)
