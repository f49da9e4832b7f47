"""course.engine.doctor.allowlist: whatever is secret, a reader of a report cannot get at it."""

from __future__ import annotations

import base64
import binascii
import json
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from course.core import environment, paths, steps
from course.core.process import CommandError, Completed, FakeRunner
from course.engine.doctor import Finding, Machine, allowlist, report

SECRETS = {
    "password": "Tr0ub4dor&3 x/y",
    "words": "correct-horse-battery-staple",
    "github": "ghp_Zk4canary9QwErTyUiOpAsDfGhJkLzXcVbNm12",
    "gitlab": "glpat-Zk4canary9QwErTyUiOp",
    "slack": "xoxb-2345678901-2345678901234-Zk4canary9QwErTyUiOp",
    "npm": "npm_Zk4canary9QwErTyUiOpAsDfGhJkLzXcVbN",
    "aws": "AKIAZK4CANARY9QWERTY",
    "aws secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYcanaryKEY",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.TJVA95OrM7E2cBab30RMHrHDcEfxjoYZ",
    "hex": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "digits": "4929130255571234",
    "uuid": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "user": "zacharias",
    "host": "build-agent-17.corp.initech.example",
    "registry": "registry.intern.initech.example:5443",
    "ip": "10.231.7.94",
    "email": "zacharias.quux@initech.example",
    "home": "/home/zacharias/projekte/geheim",
    "company": "Initech",
    "umlaut": "pässwörd-Łódź",
}
ENV = {
    "HOME": SECRETS["home"],
    "USER": SECRETS["user"],
    "HOSTNAME": SECRETS["host"],
    "HTTP_PROXY": f"http://pu:{urllib.parse.quote(SECRETS['password'], safe='')}@proxy.example:1",
    "all_proxy": f"pu:{SECRETS['words']}@{SECRETS['host']}:3128",
    "DOCKER_AUTH_CONFIG": json.dumps({"auths": {SECRETS["registry"]: {"auth": SECRETS["aws"]}}}),
    "PIP_INDEX_URL": f"https://u:{SECRETS['gitlab']}@{SECRETS['registry']}/simple",
    "UV_DEFAULT_INDEX": f"https://{SECRETS['registry']}/simple?token={SECRETS['npm']}",
    "npm_config_registry": f"https://{SECRETS['registry']}/npm",
    "GOPROXY": f"https://u:{SECRETS['hex']}@{SECRETS['registry']}",
    "GITHUB_TOKEN": SECRETS["github"],
    "AWS_SECRET_ACCESS_KEY": SECRETS["aws secret"],
    "PATH": "/usr/bin:/bin",
}


def forms(secret: str) -> dict[str, str]:
    """How a secret may be in a text."""
    raw = secret.encode()
    coded = {f"base64 {n}": base64.b64encode(b"xyz"[:n] + raw).decode() for n in range(3)}
    return {
        "plain": secret,
        **coded,
        "base64url": base64.urlsafe_b64encode(raw).decode(),
        "hex": raw.hex(),
        "url": urllib.parse.quote(secret, safe=""),
        "url of all": "".join(f"%{byte:02X}" for byte in raw),
        "reversed": secret[::-1],
        "upper": secret.upper(),
        "lower": secret.lower(),
        "json": json.dumps({"name": "x", "value": secret, "password": secret}),
        "json in json": json.dumps(json.dumps({"value": secret})),
        "header": f"Authorization: Basic {base64.b64encode(b'u:' + raw).decode()}",
        "cookie": f"Cookie: a=1; session={secret}; b=2",
        "query": f"GET /x?a=1&token={secret}&b=2 HTTP/1.1",
        "address": f"https://u:{secret}@host/path",
        "assignment": f"export NAME='{secret}'",
        "path": f"/var/lib/{secret}/x: permission denied",
        "container": f"Conflict. The container name /{secret} is already in use",
        "remote": f"origin git@{secret}:group/{secret}.git (fetch)",
        "image": f"{secret}/team/app:1.0 not found",
        "yaml": yaml.safe_dump({"users": [{"user": {"token": secret}}]}),
        "pem": f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----",
    }


def read(text: str) -> Iterator[str]:
    """What a stranger can read out of a text."""
    for whole in (text, re.sub(r"\s", "", text), re.sub(r"\s|<…>|<\w+>", "", text)):
        for turned in (whole, whole[::-1]):
            yield turned
            yield urllib.parse.unquote(turned)
            for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", turned):
                for skip in range(4):
                    cut = run[skip:].replace("-", "+").replace("_", "/")
                    cut = cut[:-1] if len(cut) % 4 == 1 else cut
                    yield base64.b64decode(cut + "=" * (-len(cut) % 4)).decode(errors="replace")
            for run in re.findall(r"[0-9a-fA-F]{8,}", turned):
                try:
                    yield bytes.fromhex(run[: len(run) // 2 * 2]).decode(errors="replace")
                except (ValueError, binascii.Error):
                    continue


def found(text: str, secrets: dict[str, str] = SECRETS) -> list[str]:
    seen = "\n".join(read(text)).lower()
    return [
        name
        for name, secret in secrets.items()
        if secret.lower() in seen or re.sub(r"\s", "", secret).lower() in seen
    ]


def written(home: Path, log: str, *, env: dict[str, str] = ENV, error: str = "") -> str:
    """A report of a machine whose log and last set-up hold these texts."""
    (paths.state() / "logs").mkdir(parents=True, exist_ok=True)
    for name in ("up", "dockerd", "jupyter"):
        (paths.state() / "logs" / f"{name}.log").write_text(log)
    step = steps.Step("docker", "Docker answers", "failed", detail=error.replace("\n", " "))
    steps.write(steps.Steps([step], error=f"saw:  {error}\ntry:  course doctor"))
    finding = Finding("containers", False, error, f"docker rm {error}")
    failed = CommandError(Completed(("docker",), 1, "", error), f"no answer: {error}")
    machine = Machine(FakeRunner({"git": error, "docker": failed, "kind": error}), env=env)
    return report.write(home / "report.txt", [finding], machine).read_text()


@pytest.fixture(autouse=True)
def secret_machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_TAIL", 2000)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr("socket.gethostname", lambda: SECRETS["host"])
    monkeypatch.setattr("platform.node", lambda: SECRETS["host"])
    monkeypatch.setattr("platform.release", lambda: f"6.1.0-{SECRETS['company']}")
    monkeypatch.setattr("getpass.getuser", lambda: SECRETS["user"])
    environment.save(
        environment.Engine("kind", {"DOCKER_HOST": "x"}, ["containers"], {"http": 8080})
    )
    user = {"name": "a", "user": {"client-key-data": SECRETS["hex"], "token": SECRETS["jwt"]}}
    paths.kubeconfig().write_text(yaml.safe_dump({"users": [user]}))


def test_the_reader_of_this_test_finds_what_is_there() -> None:
    for name, secret in SECRETS.items():
        for form in (
            "plain",
            "base64 0",
            "base64 1",
            "base64 2",
            "url",
            "reversed",
            "upper",
            "hex",
        ):
            assert name in found(f"level=info {forms(secret)[form]} x", {name: secret}), form
        half = len(secret) // 2
        assert name in found(f"a {secret[:half]}\n{secret[half:]} b", {name: secret})


@pytest.mark.parametrize("env", [ENV, {"PATH": "/bin"}], ids=["known", "unknown"])
@pytest.mark.parametrize("name", SECRETS)
def test_no_form_of_a_secret_comes_out(home: Path, name: str, env: dict[str, str]) -> None:
    texts = forms(SECRETS[name])
    log = "".join(f'time="x" level=error msg="pull {text} failed"\n' for text in texts.values())
    shown = written(home, log, env=env, error="\n".join(texts.values()))
    assert found(shown, {name: SECRETS[name]}) == []


@pytest.mark.parametrize(
    ("form", "env"),
    [("plain", ENV), ("plain", {}), ("base64 1", {}), ("url", ENV), ("reversed", {})],
)
def test_no_secret_comes_out_that_is_broken_over_lines_at_any_column(
    home: Path, form: str, env: dict[str, str]
) -> None:
    lines = []
    for secret in SECRETS.values():
        text = forms(secret)[form]
        around = "{}\n{}", "level=info msg={}\n  {} failed"
        lines += [around[at % 2].format(text[:at], text[at:]) for at in range(1, len(text))]
    for at in range(0, len(lines), 500):
        some = "\n".join(lines[at : at + 500])
        assert found(written(home, some, env=env, error=some)) == []


AROUND = (
    *("{}", '"{}"', "({})", "[{}]", "name={}", "'{}',", "/usr/{}", "http://localhost/{}", "<{}>"),
    *("{}:8080", "v{}", "sha256:{}", "~/{}", "level={}", "--{}", "{}=x", "|{}|", "{}.", "go{}"),
)


def test_no_secret_of_any_kind_comes_out_whatever_is_around_it(home: Path) -> None:
    luck = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~+/=:@!$%&*"
    secrets = {}
    lines = []
    for number in range(400):
        secret = "".join(luck.choices(letters, k=luck.randint(8, 40)))
        secrets[str(number)] = secret
        lines.append("error: " + luck.choice(AROUND).format(secret))
    for at in range(0, len(lines), 40):
        some = {key: secrets[key] for key in map(str, range(at, at + 40))}
        text = "\n".join(lines[at : at + 40])
        assert found(written(home, text, env={}, error=text), some) == []


SPELLED = {
    "bytes, as Go prints them": "[115 101 99 114 101 116 49]",
    "a dump of bytes": "68 75 6e 74 65 72 32",
    "a dump of its text": "00000000  73 65 63 72 65 74",
    "letters": "s e c r e t",
    "letters in brackets": "(s) (e) (c) (r) (e) (t)",
    "wide spaces": "s\u2003e\u2003c\u2003r\u2003e\u2003t",
    "a card": "4929 1302 5557 1234",
    "two numbers": "4929 1302",
    "a telephone": "+49 170 1234 567",
    "an address": "10 231 7 94",
    "an address as a path": "/tmp/10/231/7/94",
    "bits": "0111 0011 0110 0101",
}


@pytest.mark.parametrize("text", SPELLED.values(), ids=SPELLED)
def test_no_secret_comes_out_that_is_spelled_in_letters_or_numbers(text: str) -> None:
    shown = allowlist.kept(f"error: failed to read {text} from the file")
    assert not re.search(r"[0-9]|\b[secrt]\b", shown), shown
    assert shown.startswith("error: failed to read ") and shown.endswith(" from the file")


@pytest.mark.parametrize(
    "form",
    [
        lambda secret: secret.encode("utf-16").decode("latin-1"),
        lambda secret: "".join(f"&#{ord(letter)};" for letter in secret),
        lambda secret: "".join(f"\x1b[31m{letter}\x1b[0m" for letter in secret),
        "\u200b".join,
        "\xad".join,
        lambda secret: urllib.parse.quote(urllib.parse.quote(secret, safe=""), safe=""),
        lambda secret: f"token: |-\n      {secret[:9]}\n      {secret[9:]}\n",
        lambda secret: f'  File "/srv/{secret}/x.py", line 3, in {secret}\n    raise {secret}',
        lambda secret: "".join(rf"\x{byte:02x}" for byte in secret.encode()),
        lambda secret: "".join(rf"\u{ord(letter):04x}" for letter in secret),
        lambda secret: "".join(rf"\{byte:03o}" for byte in secret.encode()),
    ],
    ids=[
        "utf-16",
        "html",
        "colours",
        "zero-width",
        "soft-hyphen",
        "url-twice",
        "yaml",
        "traceback",
        "x",
        "u",
        "octal",
    ],
)
def test_nothing_of_a_secret_comes_out_in_forms_that_nobody_listed(
    home: Path, form: Callable[[str], str]
) -> None:
    for secret in ("Zk4canaryQwErTy", "hunter2Zyxwvu99"):
        text = form(secret)
        shown = written(home, f"error: {text} failed\n", env={}, error=text).lower()
        pieces = [secret[at : at + 4].lower() for at in range(len(secret) - 3)]
        assert not [piece for piece in (*pieces, text.lower()) if piece in shown]


@pytest.mark.parametrize(
    "word", ["a", "token", "a@", "-data", "1", "//a", ".a", '"', "s ", "basic "]
)
def test_a_long_line_of_a_log_does_not_hold_up_the_report(home: Path, word: str) -> None:
    began = time.monotonic()
    report.Censor({"API_TOKEN": "aaaa"})(word * (64_000 // len(word)))
    assert time.monotonic() - began < 15


def test_a_secret_that_is_no_utf_8_does_not_stop_the_report(home: Path) -> None:
    env = {"API_TOKEN": "caf\udce9-geheim", "HOME": "/home/j\udce9r\udce9mie"}
    shown = written(home, "error: caf\ufffd-geheim caf%E9-geheim failed", env=env)
    assert "geheim" not in shown and "error" in shown


def test_what_programs_say_of_themselves_stays(home: Path) -> None:
    for line in (
        'time="2026-11-26T20:07:57Z" level=warning msg="healthcheck failed" timeout=15s',
        "failed to do request: dial tcp: lookup registry-1.docker.io: no such host",
        "Error response from daemon: Get https://registry-1.docker.io: connection refused",
        "OSError: [ENOSPC] No space left on device",
        "kind: Preparing nodes",
        "the disk is full; free some: docker system df",
        "port 8080 is used, and 8443 is free; 127.0.0.1:8080 answers 503 after 1.5 s",
    ):
        shown = allowlist.kept(line)
        assert shown.count(allowlist.MASK) <= 1, shown


def test_the_courses_own_messages_stay(home: Path) -> None:
    text = str(
        CommandError(Completed(("docker", "pull"), 1), "no end after 900 s", "course doctor")
    )
    shown = report.Censor({})(text)
    assert (
        "no end after 900 s" in shown and "course doctor" in shown and allowlist.MASK not in shown
    )


def test_a_log_of_somebody_elses_is_not_read(home: Path) -> None:
    (paths.state() / "logs").mkdir()
    (paths.state() / "logs" / "mine.log").write_text("the cluster is ready\n")
    machine = Machine(FakeRunner({"git": "", "docker": 1, "kind": 1}), env={})
    assert "mine" not in report.write(home / "r.txt", [], machine).read_text()


def test_a_report_in_a_links_place_does_not_follow_it(home: Path) -> None:
    machine = Machine(FakeRunner({"git": "", "docker": 1, "kind": 1}), env={})
    old = report.write(home / "old.txt", [], machine)
    old.chmod(0o644)
    (home / "r.txt").symlink_to(old)
    before = old.read_text()
    written_ = report.write(home / "r.txt", [Finding("x", True, "good")], machine)
    assert not written_.is_symlink() and written_.stat().st_mode & 0o077 == 0
    assert old.read_text() == before
