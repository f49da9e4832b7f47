"""course.measure.traffic.target: addresses as browsers read them."""

from __future__ import annotations

import pytest

from course.core.errors import CourseError
from course.measure.traffic.target import parse


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


@pytest.mark.parametrize(
    "address",
    [
        "",
        "orders",
        "ftp://orders.localhost/",
        "http://",
        "http://orders.localhost:99999/",
        "http://orders.localhost/\r\nX: y",
        "http://user:secret@orders.localhost/",
        "http://8.8.8.8/",
        "http://orders.localhost:0/",
        "https://a..b/",
        "https://.localhost/",
        f"https://{'a' * 64}.localhost/",
    ],
)
def test_a_bad_address(address: str) -> None:
    with pytest.raises(CourseError):
        parse(address)


def test_names_mean_this_machine() -> None:
    target = parse("https://shop.example.test/a?b=c")
    assert (target.dial, target.port, target.authority) == ("127.0.0.1", 443, "shop.example.test")
    assert target.path == "/a?b=c"
    assert parse("http://10.1.2.3:80").dial == "10.1.2.3"
    assert parse("http://[::1]:81/").authority == "[::1]:81"
