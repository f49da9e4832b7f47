"""course.engine.doctor.report: fit for a bug report, and nothing private in it."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from course import cli
from course.core import environment, paths, steps
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import doctor, jupyterlab
from course.engine.doctor import Finding, Machine, report

PASSWORD = "c4nary-pass word/1"
TOKEN = "c4naryTokenOfTheLab0123456789abcdef"
KEY = base64.b64encode(b"c4nary private key, as a kubeconfig holds it").decode()
ENV = {
    "HOME": "/home/c4naryuser",
    "USER": "c4naryuser",
    "HOSTNAME": "c4naryhost.corp.example",
    "HTTPS_PROXY": "http://c4naryproxyuser:c4naryproxypass@proxy.example:3128",
    "GITHUB_TOKEN": "c4nary-env-token",
    "DB_PASSWORD": PASSWORD,
    "AWS_SECRET_ACCESS_KEY": "c4naryAwsSecret+/value",
    "DATABASE_URL": "postgres://c4narydbuser:c4narydbpass@db/x",
    "UV_INDEX_URL": "https://c4naryindexuser:c4naryindex%2Fpass@10.0.0.5/simple",
    "PIP_EXTRA_INDEX_URL": "https://a:x@b/s https://u:c4nary@p4ss@mirror.corp/simple",
    "PATH": "/usr/bin:/bin",
}
LOG = f"""\
started in /home/c4naryuser/src/course by c4naryuser on c4naryhost
Authorization: Bearer c4narybearertoken
GET /lab?token={TOKEN} HTTP/1.1
X-Auth-Token: c4naryheader
password={PASSWORD}
encoded {base64.b64encode(PASSWORD.encode()).decode()}
shifted {base64.b64encode(b"x" + PASSWORD.encode()).decode()}
quoted {urllib.parse.quote(PASSWORD, safe="")}
json {json.dumps({"password": "c4naryjson", "apiKey": "c4naryapikey"})}
pulling from https://c4narymirror:c4narymirrorpass@mirror.corp/simple
nonnumeric port: 'c4naryindex%2Fpass@10.0.0.5', or c4naryindex/pass of c4naryindexuser
client-key-data: {KEY}
-----BEGIN RSA PRIVATE KEY-----
c4naryc4naryc4nary
-----END RSA PRIVATE KEY-----
ghp_c4naryc4naryc4nary0123 glpat-c4nary0123456789 npm_c4nary0123456789
eyJhbGciOiJIUzI1NiJ9.eyJjNG5hcnkiOjF9.c4narysignature
mailed to c4nary@corp.example, kept in /srv/c4naryuser/x and /tmp/pytest-of-C4naryUser
kept: sha256:{"ab" * 32} node:24-slim exit code 3 127.0.0.1:8080
"""


@pytest.fixture
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which much is secret."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr("socket.gethostname", lambda: "c4naryhost")
    monkeypatch.setattr("platform.node", lambda: "c4naryhost")
    monkeypatch.setattr("getpass.getuser", lambda: "c4naryuser")
    state = paths.state()
    (state / "logs").mkdir(parents=True)
    (state / "logs" / "up.log").write_text("much\n" * 200_000 + LOG)
    (state / "logs" / "jupyter.log").write_bytes(b"\xff\xfe no UTF-8\n")
    user = {"name": "a", "user": {"client-key-data": KEY, "token": "c4narykubetoken0123456789"}}
    paths.kubeconfig().write_text(yaml.safe_dump({"users": [user]}))
    process = psutil.Process()
    record = {"pid": process.pid, "started": process.create_time(), "port": 8888, "token": TOKEN}
    (state / "jupyter.json").write_text(json.dumps(record))
    environment.save(
        environment.Engine("kind", {"DOCKER_HOST": "x"}, ["containers"], {"http": 8080})
    )
    failed = steps.Step("docker", "Docker answers", "failed", detail=f"token={TOKEN} {state}")
    done = steps.Step("images", "Base images", "done", seconds=12.3)
    steps.write(steps.Steps([done, failed], error=f"saw:  no Docker\npassword: {PASSWORD}"))
    root = f"git -C {paths.ROOT}"
    runner = FakeRunner(
        {
            f"{root} log": "abc1234 2026-11-26\n",
            f"{root} status": " M content/c4nary.py\nM  c4nary-notes.txt\n",
            "docker": "Docker version 29.8.1, build c4nary",
            "docker image inspect": f"sha256:{'ab' * 32} 0123456789abcdef\n",
            "kind": 1,
        }
    )
    return Machine(runner, env=ENV)


@pytest.fixture
def text(machine: Machine, home: Path) -> str:
    finding = Finding("proxy", False, f"the proxy {ENV['HTTPS_PROXY']}", f"cd {home}; do this")
    return report.write(home / "report.txt", [finding], machine).read_text()


def test_no_canary_is_in_it(text: str) -> None:
    assert "c4nary" not in text.lower()
    for secret in (PASSWORD, TOKEN, KEY, ENV["AWS_SECRET_ACCESS_KEY"], "proxyuser"):
        assert secret not in text
    middle = base64.b64encode(PASSWORD.encode()).decode().rstrip("=")[4:-4]
    assert middle not in text


def test_it_says_what_a_reader_needs(text: str) -> None:
    for needed in (
        "## versions",
        "python: 3.",
        "kubernetes v1.36.4",
        "docker (client): Docker version 29.8.1",
        "## findings",
        "✗ proxy",
        "## the last course up",
        "done: Base images, 12.3 s",
        "failed: Docker answers",
        "saw: no Docker",
        "## log up.log",
        "## log jupyter.log",
        "node:24-slim exit code 3 127.0.0.1:8080",
        "course: abc1234 2026-11-26",
        "changed: 2 files",
        f"sha256:{'ab' * 32} 0123456789abcdef",
    ):
        assert needed in text
    assert text.count("\n") < 200, "the tails of logs, and not the logs"


def test_nobody_else_reads_the_file(machine: Machine, home: Path) -> None:
    assert report.write(home / "r.txt", [], machine).stat().st_mode & 0o077 == 0


def test_the_labs_token_is_known_by_its_value(machine: Machine) -> None:
    assert f"token={TOKEN}" in (jupyterlab.url() or "")
    censor = report.Censor({}, report._secrets())
    assert TOKEN not in censor(f"it is {TOKEN}.")


def test_what_a_command_does_not_answer_is_told(machine: Machine) -> None:
    lines = report.versions(machine)
    assert any(line.startswith("kind: ") for line in lines)
    assert any("cannot be started" in line for line in lines)


@pytest.mark.parametrize("user", ["root", "debian", ""])
def test_a_name_that_is_nobodys_is_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert report.Censor({"USER": user})("a root cause on Debian") == "a root cause on Debian"


def test_a_short_value_does_not_blacken_the_text(home: Path) -> None:
    assert report.Censor({"API_KEY": "a", "AUTH_TOKEN": "1"})("a port of 1") == "a port of 1"


def test_the_command_writes_it(
    home: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("x", True, "good")])
    done = CliRunner().invoke(cli.app, ["doctor", "--report"])
    assert done.exit_code == 0 and "course-report.txt" in done.output
    assert "✓ x: good" in (home / "course-report.txt").read_text()
    done = CliRunner().invoke(cli.app, ["doctor", "--report", str(home / "other.txt")])
    assert done.exit_code == 0 and (home / "other.txt").exists()


def test_a_file_that_is_no_report_is_left_alone(machine: Machine, home: Path) -> None:
    mine, there = home / "notes.txt", home / "report.txt"
    mine.write_text("mine")
    with pytest.raises(CourseError, match=r"notes\.txt is there"):
        report.write(mine, [], machine)
    assert mine.read_text() == "mine"
    report.write(there, [Finding("x", True, "old")], machine)
    assert "x: old" not in report.write(there, [], machine).read_text()


def test_a_file_without_report_is_refused(home: Path) -> None:
    done = CliRunner().invoke(cli.app, ["doctor", str(home / "x.txt")])
    assert done.exit_code == 2 and not (home / "x.txt").exists()
