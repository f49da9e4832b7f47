"""course.measure.traffic.request: what goes over the wire, and what is refused before it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure.traffic.plan import Plan
from course.measure.traffic.request import Wire, build
from course.measure.traffic.target import parse

URL = "http://orders.localhost:8080/"


def made(*headers: tuple[str, str], url: str = URL, **plan: Any) -> Wire:
    return build(Plan(url, 1.0, 1.0, headers=headers, **plan), parse(url))


def lines(*headers: tuple[str, str], **plan: Any) -> list[str]:
    head, _, _ = made(*headers, **plan).data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n")


def named(name: str, all_: Sequence[str]) -> list[str]:
    return [line.partition(":")[2].strip() for line in all_ if line.lower().startswith(f"{name}:")]


# -- headers


def test_headers_go_out_as_pairs_in_their_order() -> None:
    assert lines(("X-B", "2"), ("x-a", "1"), ("X-B", "3"), method="PUT", body="tea") == [
        "PUT / HTTP/1.1",
        "Host: orders.localhost:8080",
        "X-B: 2",
        "x-a: 1",
        "X-B: 3",
        "Content-Length: 3",
        "Connection: close",
    ]


def test_a_host_of_the_learners_replaces_ours() -> None:
    for name in ("Host", "host", "HOST"):
        sent = lines(("X-A", "1"), (name, "shop.localhost"), url="http://127.0.0.1:8080/")
        assert sent[1] == "Host: shop.localhost"
        assert len(named("host", sent)) == 1


@pytest.mark.parametrize("value", ["", "a b", "Łódź.localhost", "a/b", "user@shop", "[::1"])
def test_a_host_that_servers_refuse_is_refused_before(value: str) -> None:
    with pytest.raises(CourseError, match="Host"):
        made(("Host", value))


def test_two_hosts_are_refused() -> None:
    with pytest.raises(CourseError, match="2 Host headers"):
        made(("Host", "a"), ("host", "a"))


def test_cookies_are_joined_into_one_line() -> None:
    sent = lines(("Cookie", "a=1"), ("X-A", "1"), ("cookie", "b=2; c=3"))
    assert sent[2:4] == ["Cookie: a=1; b=2; c=3", "X-A: 1"]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Łódź", "Łódź".encode()),
        ("café", "café".encode()),
        ("  two words\t", b"two words"),
        ("a\tb", b"a\tb"),
        ("", b""),
        ("a: b", b"a: b"),
        ("\udce9", b"\xe9"),  # a byte of the command line that is not UTF-8
    ],
)
def test_a_value_goes_out_as_it_was_typed(value: str, sent: bytes) -> None:
    assert b"\r\nX-Name: " + sent + b"\r\n" in made(("X-Name", value)).data


@pytest.mark.parametrize(
    "name", ["", " ", "X Name", "X-Name ", " X-Name", "Łódź", "X:", "a\r\nb", "(x)"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(CourseError, match="header") as caught:
        made((name, "value"))
    assert "\n" not in caught.value.saw


@pytest.mark.parametrize(
    "value", ["a\r\nX-B: c", "a\nb", "a\rb", "a\x00b", "\x1b[31m", "a\x7f", "\ud83d"]
)
def test_a_value_with_control_characters_is_refused(value: str) -> None:
    with pytest.raises(CourseError, match="X-Name") as caught:
        made(("X-Name", value))
    assert str(caught.value).isprintable() or "\x1b" not in str(caught.value)


def test_a_length_of_the_learners_must_be_right_and_is_sent_once() -> None:
    for headers in ([("content-length", "3")], [("Content-Length", "3")] * 2, []):
        assert named("content-length", lines(*headers, method="POST", body="tea")) == ["3"]
    assert named("content-length", lines(("Content-Length", "0"))) == ["0"]
    assert named("content-length", lines()) == []
    assert named("content-length", lines(method="POST")) == ["0"]
    assert named("content-length", lines(method="POST", body="Łódź")) == ["7"]
    for length in ("4", "", "x", "-1", "3, 3"):
        with pytest.raises(CourseError, match="Content-Length"):
            made(("Content-Length", length), method="POST", body="tea")


def test_a_transfer_coding_of_the_learners_is_refused() -> None:
    with pytest.raises(CourseError, match="Transfer-Encoding: chunked"):
        made(("transfer-encoding", "chunked"), method="POST", body="tea")


@pytest.mark.parametrize(
    ("given", "keep_alive", "sent", "kept"),
    [
        ([], False, "close", False),
        ([], True, "keep-alive", True),
        (["close"], True, "close", False),
        (["Keep-Alive"], False, "Keep-Alive", True),
        (["TE"], True, "keep-alive, TE", True),
        (["TE, close", "x"], True, "TE, close, x", False),
        ([""], False, "close", False),
    ],
)
def test_there_is_one_connection_header_and_it_is_heeded(
    given: list[str], keep_alive: bool, sent: str, kept: bool
) -> None:
    headers = [("Connection", value) for value in given]
    assert named("connection", lines(*headers, keep_alive=keep_alive)) == [sent]
    assert made(*headers, keep_alive=keep_alive).keep_alive is kept


def test_a_connection_header_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(CourseError, match="close and keep-alive"):
        made(("Connection", "close"), ("Connection", "keep-alive"))
    with pytest.raises(CourseError, match="connection option"):
        made(("Connection", "a b"))


def test_an_expectation_needs_something_to_go_on_with() -> None:
    assert named("expect", lines(("Expect", "100-continue"), method="POST", body="tea"))
    with pytest.raises(CourseError, match="100-continue without a body"):
        made(("Expect", "100-Continue"))


def test_an_upgrade_is_named_in_connection() -> None:
    sent = made(("Upgrade", "websocket"))
    assert b"\r\nConnection: close, Upgrade\r\n" in sent.data
    assert sent.upgrade
    assert named("connection", lines(("upgrade", "x"), ("Connection", "upgrade"))) == [
        "close, upgrade"
    ]


@pytest.mark.parametrize("method", ["GE T", "", "Ł", "CONNECT", "G\r\nX: y", "GET/"])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(CourseError, match="method"):
        made(method=method)


def test_a_trace_has_no_body() -> None:
    assert made(method="TRACE").data.startswith(b"TRACE / ")
    with pytest.raises(CourseError, match="TRACE with a body"):
        made(method="TRACE", body="x")


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(CourseError, match="the body"):
        made(method="POST", body="\ud83d")


def test_what_is_no_text_is_refused() -> None:
    for pair in (("X-A", 1), ("X-A", None), ("X-A", b"1"), (1, "a")):
        with pytest.raises(CourseError, match="header"):
            made(pair)  # type: ignore[arg-type]


# -- addresses


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://orders.localhost/a b", "/a%20b", "orders.localhost"),
        ("http://orders.localhost/Łódź?ź=1&b=c d", "/%C5%81%C3%B3d%C5%BA?%C5%BA=1&b=c%20d", None),
        ("http://orders.localhost/a%20b%zz", "/a%20b%zz", None),
        ("http://orders.localhost/a'(b)*+,;=:@[c]|d^", "/a'(b)*+,;=:@[c]|d%5E", None),
        ("http://orders.localhost?x[a]=1", "/?x[a]=1", None),
        ("http://orders.localhost/a#part", "/a", None),
        ("http://orders.localhost#part", "/", None),
        ("HTTP://ORDERS.localhost:80/", "/", "orders.localhost"),
        ("  http://orders.localhost/  ", "/", "orders.localhost"),
        ("http://orders.localhost./", "/", "orders.localhost."),
        ("http://orders.localhost:/", "/", "orders.localhost"),
        ("https://orders.localhost:443/", "/", "orders.localhost"),
        ("https://orders.localhost:80/", "/", "orders.localhost:80"),
        ("http://bücher.localhost/", "/", "xn--bcher-kva.localhost"),
        ("http://[::1]:81/", "/", "[::1]:81"),
        ("http://[fe80::1%251]:81/", "/", "[fe80::1]:81"),
        ("http://orders.localhost/a/../b/./c//d/..", "/b/c//", "orders.localhost"),
        ("http://orders.localhost/../%2e%2E/a/%2e", "/a/", None),
        ("http://orders.localhost/..a/.b/c..?x=/../y", "/..a/.b/c..?x=/../y", None),
        ("http://orders.localhost/a?", "/a?", None),
        ("http://orders.localhost/a#?", "/a", None),
        ("http://127.1:81/", "/", "127.0.0.1:81"),
        ("http://0x7f000001/", "/", "127.0.0.1"),
        ("http://2130706433./", "/", "127.0.0.1"),
        ("http://127.000.000.001/", "/", "127.0.0.1"),
        ("http://10.1/", "/", "10.0.0.1"),
        ("http://my_service/", "/", "my_service"),
    ],
)
def test_an_address_as_browsers_read_it(url: str, line: str, host: str | None) -> None:
    sent = lines(url=url)
    assert sent[0] == f"GET {line} HTTP/1.1"
    assert host is None or sent[1] == f"Host: {host}"


def test_what_it_takes_of_trailers_is_named_in_connection() -> None:
    assert "Connection: close, TE" in lines(("TE", "trailers"))
