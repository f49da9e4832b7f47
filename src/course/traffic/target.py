"""Where requests go: an address, who is dialled for it, and one first request."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from course.errors import CourseError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Target:
    """A parsed address.

    Args:
        url: as it was given.
        secure: whether it is HTTPS.
        host: the name in Host and SNI.
        port: where to connect.
        path: path and query.
        ca: a file of CA certificates to trust in place of the system's; empty for the system's.
        verify: whether certificate and name are verified.
    """

    url: str
    secure: bool
    host: str
    port: int
    path: str
    ca: str = ""
    verify: bool = True

    @property
    def dial(self) -> str:
        """The address that is connected to: a name is never looked up, it means this machine."""
        return self.host if _ip(self.host) else LOOPBACK

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def key(self) -> str:
        """What two generators may not share: the socket address and the name."""
        return f"{self.dial}:{self.port} as {self.host}"

    def tls(self) -> ssl.SSLContext | None:
        """What HTTPS needs, or `None` for HTTP.

        Raises:
            CourseError: the CA file cannot be read.
        """
        if not self.secure:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except (OSError, ssl.SSLError) as error:
            raise CourseError(
                f"the CA file {self.ca} cannot be used ({error.strerror or error})",
                "a file of certificates in PEM form",
                f"openssl x509 -noout -subject -in {self.ca}",
            ) from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def parse(url: str, *, ca: str | Path | None = None, verify: bool = True) -> Target:
    """Read an address.

    Args:
        url: `http://` or `https://`, a name or an IP address, a path.
        ca: a file of CA certificates.
        verify: whether to verify the certificate.

    Raises:
        CourseError: it is not of that form, or is not on this machine or its own network.
    """
    want = "http://NAME:PORT/PATH or https://…"
    example = "e.g. http://orders.localhost:8080/"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")  # as TLS does, too late for a clear word
    except ValueError as error:
        raise CourseError(f"`{url}` is not an address ({error})", want, example) from None
    if parts.scheme not in ("http", "https") or not host or parts.username or port == 0:
        raise CourseError(f"`{url}` is not an address that can be loaded", want, example)
    if any(c <= " " or c > "~" for c in url):
        raise CourseError(f"`{url}` contains what no address may contain", want, example)
    ip = _ip(host)
    if ip and not (ip.is_private or ip.is_loopback or ip.is_link_local):
        raise CourseError(
            f"{host} is not on this machine or its own network",
            "a system of yours: the load would reach somebody else's",
            example,
        )
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    where = str(Path(ca).resolve()) if ca else ""
    return Target(url, secure, host, port or (443 if secure else 80), path, where, verify)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def probe(
    url: str, *, ca: str | Path | None = None, verify: bool = True, timeout: float = 3.0
) -> int:
    """Send one request.

    Args:
        url: where to.
        ca: a file of CA certificates.
        verify: whether to verify the certificate.
        timeout: deadline of each step in seconds.

    Returns:
        The status of the answer, whatever it is.

    Raises:
        CourseError: a bad address, nothing that answers there, or a certificate that fails.
    """
    target = parse(url, ca=ca, verify=verify)
    context = target.tls()
    where = f"{target.dial}:{target.port}"
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout)
    try:
        raw = socket.create_connection((target.dial, target.port), timeout=timeout)
        connection.sock = raw
        if context:
            connection.sock = context.wrap_socket(raw, server_hostname=target.host)
        headers = {"Host": target.authority, "Connection": "close"}
        connection.request("GET", target.path, headers=headers)
        return connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        raise CourseError(
            f"the certificate of {target.host} at {where} fails: {error.verify_message}",
            "one that is signed by a CA you trust, for this name, and not out of date",
            "--ca FILE to trust the CA that signed it, or --insecure to look away"
            f"; look at it: openssl s_client -connect {where} -servername {target.host}",
        ) from None
    except ssl.SSLError as error:
        raise CourseError(
            f"{where} does not speak TLS ({error.reason or error})", "HTTPS", "http:// instead?"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error) or repr(error)
        raise CourseError(
            f"nothing answers HTTP at {where} ({why})",
            f"an answer of {target.url}",
            f"curl -sv {target.url}   course status",
        ) from None
    finally:
        connection.close()
