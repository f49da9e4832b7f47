"""Certificates: whom this machine trusts, and whom its containers trust."""

from __future__ import annotations

import contextlib
import io
import re
import ssl
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from course.engine.doctor.finding import Finding, Machine
from course.measure.docker_client import client

_FILES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
)
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
)
_OWN = ("/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors")
"""Where an administrator puts a company's own certificate authority."""
_IMAGE = "debian:bookworm-slim"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates(machine: Machine) -> list[Finding]:
    """A bundle that is missing, and variables that point to nothing."""
    found = [finding for name in _FILES for finding in _named(machine, name)]
    folders = machine.env.get("SSL_CERT_DIR", "")
    if folders and not any(Path(folder).is_dir() for folder in folders.split(":")):
        saw = f"SSL_CERT_DIR is {folders}, which is no folder"
        found.append(Finding("certificates", False, saw, "unset SSL_CERT_DIR"))
    if sys.platform == "linux" and not any(machine.file(b).exists() for b in _BUNDLES):
        saw = f"no file {_BUNDLES[0]}"
        found.append(Finding("certificates", False, saw, "sudo apt-get install ca-certificates"))
    return found or [Finding("certificates", True, "found")]


def _named(machine: Machine, variable: str) -> Iterator[Finding]:
    path = machine.env.get(variable)
    if not path:
        return
    if not Path(path).exists():
        saw = f"{variable} is {path}, which is not there"
        yield Finding("certificates", False, saw, f"unset {variable}, or correct it")
    elif Path(path).is_file():
        try:
            ssl.create_default_context(cafile=path)
        except (ssl.SSLError, OSError):
            saw = f"{variable} is {path}, which holds no certificate"
            yield Finding("certificates", False, saw, f"unset {variable}, or correct it")


def in_containers(machine: Machine) -> list[Finding]:
    """An authority that an administrator added to this machine and that containers lack.

    A build in a container then fails at the company's proxy with a certificate error.
    """
    what = "certificates in containers"
    own = {
        _body(pem): file.name
        for folder in _OWN
        for file in sorted(machine.file(folder).rglob("*.*"))
        if file.suffix in (".crt", ".pem", ".cer")
        for pem in _PEM.findall(file.read_text(errors="replace"))
    }
    if not own:
        return [Finding(what, True, "this machine trusts nobody of its own")]
    known = _of_image(machine)
    if known is None:
        return [Finding(what, None, f"no image {_IMAGE} yet to compare with")]
    lacking = sorted({name for body, name in own.items() if body not in known})
    if not lacking:
        return [Finding(what, True, "containers trust this machine's own authorities as well")]
    saw = f"containers do not trust {', '.join(lacking)}, which this machine trusts"
    return [Finding(what, False, saw, "course down --purge; COURSE_OFFLINE=1 course up")]


def _body(pem: str) -> str:
    return "".join(pem.split())


def _of_image(machine: Machine) -> set[str] | None:
    """The certificates in the course's base image, or `None` if it is not there."""
    import docker.errors

    if machine.docker_info is None:
        return None
    api = client(machine.docker_host, timeout=3).api
    try:
        made = api.create_container(_IMAGE, "true", labels={"course.owner": "course"})["Id"]
    except docker.errors.ImageNotFound:
        return None
    try:
        chunks, _ = api.get_archive(made, _BUNDLES[0])
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            member = tar.extractfile(tar.getmembers()[0])
            text = member.read().decode() if member else ""
    except docker.errors.NotFound:
        text = ""
    finally:
        with contextlib.suppress(docker.errors.APIError):
            api.remove_container(made, force=True)
    return {_body(pem) for pem in _PEM.findall(text)}
