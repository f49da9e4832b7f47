"""course.engine.doctor.trust: certificates, of this machine and in containers."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from course.core.process import FakeRunner
from course.engine.doctor import Machine, trust
from tests.engine.findings import bad, on, only
from tests.fake_docker import FakeDocker


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
def test_a_variable_that_points_to_no_certificate(tmp_path: Path, variable: str) -> None:
    found = bad(trust.certificates(Machine(env={variable: "/nowhere/ca.pem"})))
    assert found.saw == f"{variable} is /nowhere/ca.pem, which is not there"
    (tmp_path / "ca.pem").write_text("no certificate")
    found = bad(trust.certificates(Machine(env={variable: str(tmp_path / "ca.pem")})))
    assert "holds no certificate" in found.saw


def test_a_folder_of_certificates_that_is_none() -> None:
    assert "SSL_CERT_DIR" in bad(trust.certificates(Machine(env={"SSL_CERT_DIR": "/no"}))).saw


def test_a_machine_without_certificates(tmp_path: Path) -> None:
    found = bad(trust.certificates(Machine(FakeRunner(), tmp_path, {})))
    assert found.try_ == "sudo apt-get install ca-certificates"


PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(("inside", "ok"), [("AAAA\nBBBB", True), ("CCCC", False)])
def test_an_authority_that_containers_do_not_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, ok: bool
) -> None:
    own = tmp_path / "usr/local/share/ca-certificates/corp"
    own.mkdir(parents=True)
    (own / "Corp.crt").write_text(PEM.format("AAAABBBB"))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("ca-certificates.crt")
        info.size = len(PEM.format(inside))
        tar.addfile(info, io.BytesIO(PEM.format(inside).encode()))
    answers = {
        "/containers/create": {"Id": "made"},
        "/containers/made/archive": archive.getvalue(),
        "/containers/made": b"",
    }
    with FakeDocker(**answers) as fake:
        machine = on(fake, monkeypatch)
        machine.root = tmp_path
        found = only(trust.in_containers(machine))
    assert found.ok is ok
    assert ok or "Corp.crt" in found.saw
    with FakeDocker() as fake:
        machine = on(fake, monkeypatch)
        machine.root = tmp_path
        assert only(trust.in_containers(machine)).ok is None
