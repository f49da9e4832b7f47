"""The bytes of a request: as the learner wants it, or the reason why it cannot be sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from course.core.errors import CourseError
from course.measure.traffic.plan import Plan
from course.measure.traffic.target import Target

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_AUTHORITY = re.compile(r"[A-Za-z0-9_.~!$&'()*+,;=%-]+(:\d*)?|\[[0-9A-Fa-f:.]+\](:\d*)?")
_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}


@dataclass(frozen=True)
class Wire:
    """A request as it goes over the wire, and what follows from it.

    Args:
        data: its bytes.
        keep_alive: whether its connection may be used again.
        head: whether the answer to it has no body.
        idempotent: whether it may be sent twice (RFC 9110, 9.2.2).
        upgrade: whether it asks for another protocol.
    """

    data: bytes
    keep_alive: bool
    head: bool
    idempotent: bool
    upgrade: bool


def token(text: str, what: str) -> str:
    """A method, or the name of a header.

    Args:
        text: as it was given.
        what: what it is, for the message.

    Raises:
        CourseError: it has a character that no such name has.
    """
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise CourseError(
            f"{text!a} as the name of a {what}" if text else f"a {what} without a name",
            "letters, digits and signs like - and _, without spaces",
        )
    return text


def build(plan: Plan, target: Target) -> Wire:
    """The request of a plan.

    Headers go out in the order in which they were given, with these exceptions: Host comes first
    and is the learner's own if given; cookies are joined into one line, as RFC 6265, 5.4 wants it;
    length and Connection come last. Text is sent as UTF-8.

    Args:
        plan: the plan.
        target: its address.

    Raises:
        CourseError: a request that is malformed or contradicts itself.
    """
    method, body = token(plan.method, "method"), _bytes(plan.body, "the body")
    if method == "CONNECT" or (method == "TRACE" and body):
        raise CourseError(
            f"the method {method}{' with a body' if body else ''}",
            "a request that a server answers itself",
            "--method GET",
        )
    lines: list[tuple[str, str]] = []
    special: dict[str, list[str]] = {}
    for name, given in plan.headers:
        key = token(name, "header").lower()
        value = _value(name, given)
        if key in _OURS:
            special.setdefault(key, []).append(value)
            if key != "cookie" or len(special[key]) > 1:
                continue
        lines.append((name, value))
    if cookies := special.get("cookie"):
        joined = "; ".join(cookies)
        lines = [(n, joined if n.lower() == "cookie" else v) for n, v in lines]
    lines.insert(0, ("Host", _host(special.get("host", []), target)))
    lengths = special.get("content-length", [])
    _refuse_framing(special, lengths, body)
    if body or lengths or method in ("POST", "PUT", "PATCH"):
        lines.append(("Content-Length", str(len(body))))
    asked = {name.lower(): value for name, value in lines}
    options, keep_alive = _connection(special.get("connection", []), plan.keep_alive)
    upgrade = "upgrade" in asked
    for name in ("Upgrade", "TE"):  # a must: RFC 9110, 7.8 and 10.1.4
        if name.lower() in asked and name.lower() not in map(str.lower, options):
            options.append(name)
    lines.append(("Connection", ", ".join(options)))
    if asked.get("expect", "").lower() == "100-continue" and not body:
        raise CourseError(
            "Expect: 100-continue without a body", "something to go on with", "--body TEXT"
        )
    text = "\r\n".join(
        [f"{method} {target.path} HTTP/1.1", *(f"{n}: {v}" for n, v in lines), "", ""]
    )
    data = text.encode("utf-8", "surrogateescape") + body
    return Wire(data, keep_alive, method == "HEAD", method in _IDEMPOTENT, upgrade)


_OURS = {"host", "cookie", "content-length", "transfer-encoding", "connection"}


def _value(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise CourseError(f"the header {name} is {value!r}", "text", f'"{value}"')
    value = value.strip(" \t")
    if found := _CONTROL.search(value):
        raise CourseError(
            f"the header {name} contains the control character {found[0]!a}", "one line of text"
        )
    _bytes(value, f"the header {name}")
    return value


def _bytes(text: str, what: str) -> bytes:
    try:
        # A word of the command line that is not UTF-8 goes out as it came in.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise CourseError(f"{what} contains {text[error.start]!a}", "text") from error


def _host(given: Sequence[str], target: Target) -> str:
    if len(given) > 1:
        raise CourseError(f"{len(given)} Host headers", "one: servers answer 400 to more")
    if given and not _AUTHORITY.fullmatch(given[0]):
        raise CourseError(
            f"{given[0]!a} as a Host header", "NAME or NAME:PORT, a name in ASCII letters"
        )
    return given[0] if given else target.authority


def _refuse_framing(special: dict[str, list[str]], lengths: Sequence[str], body: bytes) -> None:
    if "transfer-encoding" in special:
        raise CourseError(
            f"Transfer-Encoding: {special['transfer-encoding'][0]}",
            "none: a body is sent whole, with its length",
            "leave this header out",
        )
    if wrong := [length for length in lengths if length != str(len(body))]:
        raise CourseError(
            f"Content-Length: {wrong[0]}, and the body has {len(body)} bytes",
            "the length of the body",
            "leave this header out: it is added",
        )


def _connection(given: Sequence[str], keep_alive: bool) -> tuple[list[str], bool]:
    """The options of the Connection header; `close` or `keep-alive` of the learner's rules."""
    options = [word.strip() for value in given for word in value.split(",") if word.strip()]
    for option in options:
        token(option, "connection option")
    words = {option.lower() for option in options}
    if {"close", "keep-alive"} <= words:
        raise CourseError("Connection: close and keep-alive", "one of them")
    if not words & {"close", "keep-alive"}:
        return ["keep-alive" if keep_alive else "close", *options], keep_alive
    return options, "keep-alive" in words
