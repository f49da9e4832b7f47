"""One request ahead of a run: the plan's own, and what stands in its way in plain words."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from pathlib import Path

from course.core.errors import CourseError
from course.measure.traffic.exchange import SWEEP, Client, Failure, Request
from course.measure.traffic.plan import Plan
from course.measure.traffic.request import build
from course.measure.traffic.target import Target, parse

_ASIDE = 2.0
"""Seconds for a second look, at whether a port speaks TLS or does not."""
_ALERT, _HANDSHAKE, _TLS_MAJOR = 21, 22, 3
_CERTIFICATE_REQUEST = 13
_UNTRUSTED = {2, 18, 19, 20, 21}
"""OpenSSL's codes for a chain that ends in nothing that is trusted."""
_TRUST = "--ca FILE to trust the CA that signed it, or --insecure to look away"
# By OpenSSL's word for it (a substring of its reason): what was seen, and what is wanted.
_TLS = {
    "UNRECOGNIZED_NAME": (
        "does not know the name {name} (SNI)",
        "a name that it has a certificate for",
    ),
    "PROTOCOL_VERSION": (
        "speaks another version of TLS only",
        "TLS 1.2 or 1.3",
    ),
    "UNSUPPORTED_PROTOCOL": (
        "speaks an old version of TLS only",
        "TLS 1.2 or 1.3",
    ),
    "WRONG_SSL_VERSION": (
        "speaks another version of TLS only",
        "TLS 1.2 or 1.3",
    ),
    "HANDSHAKE_FAILURE": (
        "breaks the TLS handshake off: no version or cipher in common, or no certificate for the "
        "name {name}",
        "TLS 1.2 or 1.3, and a name that it knows",
    ),
    "NO_APPLICATION_PROTOCOL": ("speaks no HTTP/1.1 (ALPN), as a rule HTTP/2 only", "HTTP/1.1"),
    "INTERNAL_ERROR": (
        "breaks the TLS handshake off with an error of its own; some servers do so when they have "
        "no certificate for a name, here {name}",
        "a name that it knows",
    ),
}


def probe(
    url: str, *, ca: str | Path | None = None, verify: bool = True, timeout: float = 3.0
) -> int:
    """Send one GET.

    Args:
        url: where to.
        ca: a file of CA certificates.
        verify: whether to verify the certificate.
        timeout: seconds until the end of the answer.

    Returns:
        The status of the answer, whatever it is.

    Raises:
        CourseError: a bad address, nothing that answers there, or a certificate that fails.
    """
    target = parse(url, ca=ca, verify=verify)
    return first(Plan(url, 1.0, 1.0, ca=target.ca, verify=verify, timeout=timeout))


def first(plan: Plan) -> int:
    """Send the request of a plan once, as the generator will.

    Args:
        plan: the plan.

    Returns:
        The status of the answer, whatever it is.

    Raises:
        CourseError: the plan is bad, or there is no answer, with the reason.
    """
    target = parse(plan.url, ca=plan.ca or None, verify=plan.verify)
    target.tls()
    build(plan, target)
    request, error, asked = _once(plan)
    if error == "unsent":
        raise CourseError(
            "no request can be sent: this machine has no port, file or memory left for it",
            "room for a connection",
            "end what holds many: ss -s; ulimit -n",
        )
    if not target.secure and (request.status == 400 or error in ("closed", "reset", "not-http")):
        _refuse_plain_towards_tls(plan, target)
    if error and not error.isdecimal():
        raise _reason(plan, target, request, error, asked) from request.failures[-1].cause
    return request.status


_Ended = tuple[Request, str, bool]
"""A request, its error, and whether the server asked for a client certificate."""


def _once(plan: Plan) -> _Ended:
    """Send the request, in a thread: a notebook's own has a loop that runs."""
    found: list[_Ended | BaseException] = []

    def work() -> None:
        try:
            found.append(asyncio.run(_send(plan)))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, name="preflight", daemon=True)
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


async def _send(plan: Plan) -> _Ended:
    ended: list[tuple[Request, str]] = []
    over = asyncio.Event()
    messages: set[int] = set()

    def end(request: Request, error: str) -> None:
        ended.append((request, error))
        over.set()

    client = Client(
        plan,
        clock=time.monotonic,
        on_answer=lambda request, _, __, error: end(request, error),
        on_unsent=lambda request: end(request, "unsent"),
    )
    if client.tls:
        # The one way to see what TLS 1.3 asks for: not every server ends with an alert that says
        # so. It is not public, so nothing but a better word hangs on it.
        client.tls._msg_callback = lambda *told: messages.add(told[4])  # type: ignore[attr-defined]
    client.send(0)
    while not over.is_set():
        try:
            await asyncio.wait_for(over.wait(), SWEEP)
        except TimeoutError:
            client.sweep()
    client.close()
    return *ended[0], _CERTIFICATE_REQUEST in messages


def _reason(plan: Plan, target: Target, request: Request, error: str, asked: bool) -> CourseError:
    """Why there was no answer."""
    failure, where = request.failures[-1], _where(request.failures)
    curl = f"curl -sv {target.url}   course status"
    longer = f"a longer --timeout than {plan.timeout:g} (at most 60), or: {curl}"
    if failure.stage == "connect":
        if error == "timeout":
            saw = f"nothing answers HTTP at {where} (no connection within {plan.timeout:g} s)"
            return CourseError(saw, f"an answer of {target.url}", longer)
        why = _why(request.failures[0])
        return CourseError(
            f"nothing answers HTTP at {where} ({why})", f"an answer of {target.url}", curl
        )
    if failure.stage == "tls" or error == "tls":
        return _tls_reason(plan, target, failure, where, asked)
    if asked and failure.stage == "answer" and error != "timeout":
        return _no_certificate(where, "asks for", target)
    try_ = curl
    if error == "timeout":
        told = (
            "begins to answer, but does not end" if failure.stage == "rest" else "does not answer"
        )
        saw, try_ = f"takes the request and {told} within {plan.timeout:g} s", longer
    elif _is_http2(failure.said):
        saw, try_ = "speaks HTTP/2 only, as gRPC does", "a port of it for HTTP/1.1"
    elif error == "not-http":
        cause, said = failure.cause or "another protocol", ascii(failure.said[:60])[1:]
        saw = f"answers, but not in valid HTTP/1.1 ({cause}): {said}"
    else:
        how = "resets" if error == "reset" else "closes"
        when = "in the middle of its answer" if failure.stage == "rest" else "without an answer"
        saw = f"{how} the connection {when}"
    return CourseError(f"{where} {saw}", f"a whole answer of {target.url}", try_)


def _where(failures: tuple[Failure, ...]) -> str:
    """Who was dialled: all of them if nobody listened."""
    tried = failures if failures[-1].stage == "connect" else failures[-1:]
    names = []
    for failure in tried:
        host, port = failure.address[:2]
        names.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return ", nor at ".join(dict.fromkeys(names))


def _why(failure: Failure) -> str:
    cause = failure.cause
    text = cause.strerror if isinstance(cause, OSError) else ""
    return (text or failure.kind).lower()


def _look(target: Target, where: str) -> str:
    return f"openssl s_client -connect {where} -servername {target.name}"


def _no_certificate(where: str, how: str, target: Target) -> CourseError:
    return CourseError(
        f"{where} {how} a client certificate, and the generator has none",
        "a server, or a port of it, that does without",
        _look(target, where),
    )


def _tls_reason(
    plan: Plan, target: Target, failure: Failure, where: str, asked: bool
) -> CourseError:
    cause, name, look = failure.cause, target.name, _look(target, where)
    if isinstance(cause, ssl.SSLCertVerificationError):
        wants = {
            9: ("one that is valid already", "is this machine's clock right? date"),
            10: ("one that has not expired", "renew it; is this machine's clock right? date"),
            62: (f"one for the name {name}", "the name that stands in it"),
            64: (f"one for the address {name}", "the name that stands in it"),
        }
        want, try_ = ("one that is fit for a server", "make it anew, or --insecure to look away")
        if cause.verify_code in _UNTRUSTED:
            want, try_ = "one that is signed by a CA you trust", _TRUST
        want, try_ = wants.get(cause.verify_code, (want, try_))
        return CourseError(
            f"the certificate of {name} at {where} fails: {cause.verify_message}",
            want,
            f"{try_}; look at it: {look}",
        )
    reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
    if (asked and failure.kind != "timeout") or "CERTIFICATE_REQUIRED" in reason:
        return _no_certificate(where, "requires", target)
    for word, (saw, want) in _TLS.items():
        if word in reason:
            return CourseError(f"{where} {saw.format(name=name)}", want, look)
    said_tls = _is_tls(failure.said)
    if failure.stage == "tls" and not said_tls and _answers_plain(plan, target, failure):
        return CourseError(
            f"{where} does not speak TLS: it answers in plain HTTP",
            "HTTPS",
            f"http://{target.authority}{target.path} instead?",
        )
    if failure.stage == "tls" and failure.said and not said_tls:
        return CourseError(
            f"{where} does not speak TLS: it says {ascii(failure.said[:60])[1:]}", "HTTPS", look
        )
    if reason:
        saw = f"TLS with {where} fails: {reason.replace('_', ' ').lower()}"
    elif failure.kind == "timeout":
        saw = f"{where} does not end the TLS handshake within {plan.timeout:g} s"
    else:
        how = "resets" if failure.kind == "reset" else "closes"
        saw = (
            f"{where} {how} the connection in the TLS handshake and does not say why; servers do "
            f"so when they do not know a name, here {name}, or speak an old version of TLS only"
        )
    return CourseError(saw, "TLS 1.2 or 1.3", look)


def _is_tls(said: bytes) -> bool:
    return len(said) > 1 and said[0] in (_ALERT, _HANDSHAKE) and said[1] == _TLS_MAJOR


def _is_http2(said: bytes) -> bool:
    """Whether it begins with one of its frames: SETTINGS or GOAWAY, of the connection itself."""
    return len(said) > 8 and said[3] in (4, 7) and said[5:9] == bytes(4)


def _refuse_plain_towards_tls(plan: Plan, target: Target) -> None:
    """Raise an error if the port speaks TLS, which plain HTTP gets an odd answer from."""
    other, *_ = _once(_aside(plan, target, "https"))
    for failure in other.failures[-1:]:
        if failure.stage in ("connect", "tls") and not _is_tls(failure.said):
            return
    raise CourseError(
        f"{target.authority} speaks TLS, and the address says http://",
        "HTTPS",
        f"https://{target.authority}{target.path}; --ca FILE trusts the CA of its certificate",
    )


def _answers_plain(plan: Plan, target: Target, failure: Failure) -> bool:
    if failure.said:
        return failure.said.startswith(b"HTTP/")
    _, error, _ = _once(_aside(plan, target, "http"))
    return not error or error.isdecimal()


def _aside(plan: Plan, target: Target, scheme: str) -> Plan:
    """A look at a port that does nothing there: no header, no body, the path alone."""
    zone = f"%25{target.scope}" if target.scope else ""
    host = f"[{target.host}{zone}]" if ":" in target.host else target.host
    url = f"{scheme}://{host}:{target.port}/"
    return Plan(url, 1.0, 1.0, method="HEAD", verify=False, timeout=min(_ASIDE, plan.timeout))
