"""What goes over the wire, and what is refused before it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure.traffic.console import header, seconds
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


def test_a_header_as_one_types_it() -> None:
    assert header("X-A: b: c") == ("X-A", " b: c")
    assert header("X-A:") == ("X-A", "")
    with pytest.raises(CourseError, match="no header"):
        header("X-A")


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


def test_the_roots_dot_is_not_in_the_certificate() -> None:
    assert parse("https://shop.localhost./").name == "shop.localhost"


def test_the_roots_dot_makes_no_other_target() -> None:
    assert parse("http://shop.localhost./").key == parse("http://shop.localhost/").key


def test_an_interface_is_dialled_and_not_sent() -> None:
    for url in ("http://[fe80::1%251]:81/", "http://[fe80::1%lo]:81/"):
        target = parse(url)
        assert target.addresses == (("fe80::1", 81, 0, 1),)
        assert "%" not in target.authority
    for zone in ("eth99", "999999", "99999999999999999999"):
        with pytest.raises(CourseError, match=f"no interface `{zone}`"):
            parse(f"http://[fe80::1%25{zone}]/")
    with pytest.raises(CourseError, match="on each interface"):
        parse("http://[fe80::1]/")


@pytest.mark.parametrize(
    ("url", "saw"),
    [
        ("http://user:secret@orders.localhost/", "a name or a password"),
        ("http://:secret@orders.localhost/", "a name or a password"),
        ("http://@orders.localhost/", "a name or a password"),
        ("http://orders.localhost:0/", "not an address"),
        ("http://orders.localhost:99999/", "not an address"),
        ("http://orders.localhost:80a/", "not an address"),
        ("http://orders.localhost:-1/", "not an address"),
        ("http://[::1/", "not an address"),
        ("http://[::g]/", "not an address"),
        ("http://a b/", "not an address"),
        ("http://./", "not an address"),
        ("http:///path", "not an address"),
        ("orders.localhost:8080/x", "not an address"),
        ("ws://orders.localhost/", "not an address"),
        ("http://orders.localhost/\t", "no address may contain"),
        ("http://orders.localhost/\udcff", "no address may contain"),
        ("http://orders.localhost/\x1b[31m", "no address may contain"),
        ("http://8.8.8.8./", "not on this machine"),
        ("http://1.2.3/", "1.2.0.3 is not on this machine"),
        ("http://134744072/", "8.8.8.8 is not on this machine"),
        ("http://256.1.1.1/", "ends in a number"),
        ("http://orders.localhost.1/", "ends in a number"),
        ("http://[v1.a]/", "not an address"),
        ("http://" + "a." * 150 + "localhost/", "not an address"),
        ("http://[::ffff:8.8.8.8]/", "not on this machine"),
        ("http://[2606:4700::1]/", "not on this machine"),
    ],
)
def test_an_address_that_cannot_be_loaded_is_refused_in_a_word(url: str, saw: str) -> None:
    with pytest.raises(CourseError, match=saw) as caught:
        parse(url)
    assert "secret" not in str(caught.value)
    assert str(caught.value).replace("\n", "").isprintable()


def test_an_address_without_its_scheme_is_completed() -> None:
    with pytest.raises(CourseError) as caught:
        parse("orders.localhost:8080/x")
    assert caught.value.try_ == "http://orders.localhost:8080/x"


# -- rate and time


@pytest.mark.parametrize(
    ("rate", "time", "planned"),
    [
        (2.5, 1, 3),
        (0.5, 5, 3),
        (500, 30, 15_000),
        (1.1, 10, 11),
        (0.7, 10, 7),
        (3, 0.1, 1),
        (0.001, 1, 1),
        (3000, 3600, 10_800_000),
        (999.9, 0.3, 300),
        (1e-300, 1, 1),
    ],
)
def test_each_request_whose_time_comes_before_the_end_is_planned(
    rate: float, time: float, planned: int
) -> None:
    assert Plan(URL, float(rate), float(time)).planned == planned


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90", 90),
        ("30s", 30),
        ("1.5m", 90),
        ("1h", 3600),
        ("500ms", 0.5),
        ("300 ms", 0.3),
        (".5s", 0.5),
        ("1m30s", 90),
        ("1h 1m 1s 1ms", 3661.001),
        (" 2 m ", 120),
        ("0s", 0),
    ],
)
def test_a_length_of_time_as_one_types_it(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "s", "soon", "-5s", "1d", "nan", "inf", "1e3", "1 2", "1m30", ".", "9" * 5000]
)
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(CourseError, match="no length of time"):
        seconds(text)


def test_what_it_takes_of_trailers_is_named_in_connection() -> None:
    assert "Connection: close, TE" in lines(("TE", "trailers"))
