"""Where requests go: an address as one types it, and who is dialled for it."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
import string
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from course.core.errors import CourseError

LOOPBACK = ("127.0.0.1", "::1")
"""Who is dialled for a name, in this order: it is never looked up, it means this machine."""
_WANT = "http://NAME:PORT/PATH or https://…"
_EXAMPLE = "e.g. http://orders.localhost:8080/"
# What browsers leave as it is (URL Standard, "path percent-encode set" and "query …").
_IN_PATH = "".join(c for c in string.punctuation if c not in '"#<>?^`{}')
_IN_QUERY = "".join(c for c in string.punctuation if c not in '"#<>')
_KEY = b"PRIVATE KEY-----"
_NAME = re.compile(r"(?=.{1,254}$)[a-z0-9_.-]*[a-z0-9_-]\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Target:
    """A parsed address.

    Args:
        url: as it was given.
        secure: whether it is HTTPS.
        host: the name in Host, in ASCII, or an IP address.
        port: where to connect.
        path: path and query, percent-encoded.
        ca: a file of CA certificates to trust in place of the system's; empty for the system's.
        verify: whether certificate and name are verified.
        scope: the number of the interface of a link-local IPv6 address, else 0.
    """

    url: str
    secure: bool
    host: str
    port: int
    path: str
    ca: str = ""
    verify: bool = True
    scope: int = 0

    @property
    def addresses(self) -> tuple[tuple[str, int] | tuple[str, int, int, int], ...]:
        """The socket addresses to try, in this order."""
        hosts = (self.host,) if _ip(self.host) else LOOPBACK
        return tuple((h, self.port, 0, self.scope) if ":" in h else (h, self.port) for h in hosts)

    @property
    def dial(self) -> str:
        """The first address that is connected to."""
        return self.addresses[0][0]

    @property
    def name(self) -> str:
        """The name for SNI and for the certificate: without the root's dot (RFC 6066, 3)."""
        return self.host.removesuffix(".")

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def key(self) -> str:
        """What two generators may not share: the socket address and the name."""
        return f"{self.dial}:{self.port} as {self.name}"

    def tls(self) -> ssl.SSLContext | None:
        """What HTTPS needs, or `None` for HTTP.

        Raises:
            CourseError: the CA file cannot be read.
        """
        if not self.secure:
            return None
        # Not `create_default_context`: it writes keys where SSLKEYLOGFILE says.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["http/1.1"])  # else some servers speak HTTP/2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if not self.ca:
            context.load_default_certs()
            return context
        # What stands in the file is trusted, be it a root or not, as curl takes it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as error:
            raise _bad_ca(self.ca, error) from error
        return context


def _bad_ca(file: str, error: OSError) -> CourseError:
    why, try_ = error.strerror or str(error), f"openssl x509 -noout -subject -in {file}"
    if isinstance(error, ssl.SSLError):
        content = b""
        with contextlib.suppress(OSError):
            content = Path(file).read_bytes()[:65536]
        why = "it holds no certificate"
        if _KEY in content:
            why = "it holds a private key and no certificate"
        elif content[:2] in (b"\x30\x82", b"\x30\x81"):
            why, try_ = "its form is DER", f"openssl x509 -inform der -in {file} -out {file}.pem"
        elif b"BEGIN CERTIFICATE-----" in content:
            why = f"a certificate in it is damaged: {error.reason or error}"
    return CourseError(
        f"the CA file {file} cannot be used: {why}", "a file of certificates in PEM form", try_
    )


def parse(url: str, *, ca: str | Path | None = None, verify: bool = True) -> Target:
    """Read an address.

    What has no place in one is percent-encoded, as browsers do it; a fragment is left out, since
    it is never sent.

    Args:
        url: `http://` or `https://`, a name or an IP address, a path.
        ca: a file of CA certificates.
        verify: whether to verify the certificate.

    Raises:
        CourseError: it is not of that form, or is not on this machine or its own network.
    """
    url = url.strip(" ")
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in url):
        raise CourseError(f"{url!a} contains what no address may contain", _WANT, _EXAMPLE)
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        if "@" in parts.netloc:  # not shown again: it may hold a password
            raise CourseError(
                "the address carries a name or a password",
                _WANT,
                'a header instead: -H "Authorization: Basic $(printf NAME:PASSWORD | base64)"',
            )
        scope = 0
        if "[" in parts.netloc:
            host, scope = _without_zone(host)
        elif not _ip(host):
            # As TLS does, too late for a clear word; and Host takes ASCII alone.
            host = _numeric(host.encode("idna").decode())
    except ValueError as error:
        raise CourseError(f"`{url}` is not an address ({error})", _WANT, _EXAMPLE) from error
    if parts.scheme not in ("http", "https"):
        bare = re.match(r"[\w.-]+(:\d+)?(/|$)", url)
        raise CourseError(
            f"`{url}` is not an address that can be loaded",
            _WANT,
            f"http://{url}" if bare else _EXAMPLE,
        )
    if port == 0 or not (_ip(host) or _NAME.fullmatch(host)):
        raise CourseError(f"`{url}` is not an address that can be loaded", _WANT, _EXAMPLE)
    _refuse_strangers(host)
    secure = parts.scheme == "https"
    query = f"?{quote(parts.query, _IN_QUERY)}" if "?" in url.partition("#")[0] else ""
    path = _without_dots(quote(parts.path, _IN_PATH)) + query
    where = str(Path(ca).resolve()) if ca else ""
    return Target(url, secure, host, port or (443 if secure else 80), path, where, verify, scope)


def _numeric(host: str) -> str:
    """A name; or an IPv4 address that is written in another way, e.g. `127.1`, as it is meant.

    Raises:
        ValueError: a name that ends in a number, which can be nothing but an address.
    """
    bare = host.removesuffix(".")
    if not _NUMBER.fullmatch(bare.rpartition(".")[2]):
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(bare))
    except OSError as error:
        raise ValueError("a name that ends in a number") from error


def _without_dots(path: str) -> str:
    """A path in which `.` and `..` are resolved (RFC 3986, 5.2.4), as clients send it."""
    kept: list[str] = []
    dots = ""
    for part in path.split("/")[1:]:
        dots = re.sub("(?i)%2e", ".", part)
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(part)
    if dots in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _without_zone(host: str) -> tuple[str, int]:
    """An IPv6 address, and the number of the interface that it names (RFC 6874: after `%25`)."""
    host, _, zone = host.partition("%")
    zone = zone[2:] if zone.startswith("25") and len(zone) > 2 else zone
    if not zone:
        if ipaddress.IPv6Address(host).is_link_local:
            raise CourseError(
                f"{host} is one address on each interface",
                "the interface behind it",
                f"http://[{host}%25eth0]/, with a name out of `ip link`",
            )
        return host, 0
    try:
        if not zone.isdecimal():
            return host, socket.if_nametoindex(zone)
        socket.if_indextoname(int(zone))
        return host, int(zone)
    except (OSError, OverflowError) as error:
        known = ", ".join(name for _, name in socket.if_nameindex())
        raise CourseError(f"this machine has no interface `{zone}`", f"one of {known}") from error


def plain(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IP address, of version 4 even where it is written as one of version 6.

    Args:
        host: an IP address.
    """
    ip = ipaddress.ip_address(host)
    return (isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped) or ip


def _refuse_strangers(host: str) -> None:
    ip = plain(host) if _ip(host) else None
    if ip and not (ip.is_private or ip.is_loopback or ip.is_link_local):
        raise CourseError(
            f"{host} is not on this machine or its own network",
            "a system of yours: the load would reach somebody else's",
            _EXAMPLE,
        )


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
