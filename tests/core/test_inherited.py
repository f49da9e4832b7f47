"""What a learner's shell hands down does not reach the course's tools, and they stay theirs."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from course.core import environment, inherited, paths
from course.core.errors import CourseError
from course.core.process import RealRunner
from course.exercises.kit import start
from course.learner import notebooks


@pytest.fixture
def dotfiles(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's own repository that the shell points to, as dotfiles repositories do."""
    folder = home / "dot"
    folder.mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=me", "-c", "user.email=me@example"]
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["commit", "--quiet", "--allow-empty", "--message=mine"],
    ):
        subprocess.run([*git, *words], check=True)
    (folder / "private").write_text("a secret")
    monkeypatch.setenv("GIT_DIR", str(folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(folder))
    monkeypatch.setenv("GIT_INDEX_FILE", str(folder / ".git" / "index"))
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder: its mode and its bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mode, path.read_bytes()) for path in files}


def git(folder: Path, *words: str) -> str:
    """What git says of a repository, whatever the environment names."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "XDG_"))}
    env["GIT_CONFIG_GLOBAL"] = os.devnull
    argv = ["git", "-C", str(folder), *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.strip()


def test_the_course_commits_into_its_own_repository_whatever_git_dir_names(dotfiles: Path) -> None:
    before = snapshot(dotfiles)
    folder = notebooks.ensure_orders()
    assert snapshot(dotfiles) == before
    assert git(folder, "log", "--format=%an <%ae> %s") == (
        "course <course@localhost> orders as the course begins"
    )
    assert "private" not in git(folder, "ls-files").split()


def test_a_lessons_own_git_leaves_the_learners_repository_alone(
    dotfiles: Path, mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(dotfiles)
    repository = notebooks.ensure_orders()
    # A cell of a lesson, in a kernel after its set-up.
    script = "import course; course.setup('01-mini'); import subprocess, sys; "
    script += "subprocess.run(['git', 'clone', '--quiet', sys.argv[1], 'cloned'], check=True)"
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}, ["containers"], {}))
    monkeypatch.chdir(mini)
    done = subprocess.run(
        [sys.executable, "-c", _in_mini(mini, script), str(repository)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (paths.work() / "cloned" / "package.json").exists()
    assert snapshot(dotfiles) == before


def _in_mini(mini: Path, script: str) -> str:
    return (
        "import pathlib; from course.core import paths; from course.core import manifest; "
        f"paths.ROOT = pathlib.Path({str(mini)!r}); {script}"
    )


SETTINGS = """\
[user]
name = Jane
[commit]
gpgsign = true
template = /nowhere
[gpg]
program = /bin/false
[core]
hooksPath = {hooks}
autocrlf = true
excludesFile = {hooks}/ignored
fsmonitor = {hooks}/pre-commit
attributesFile = {hooks}/attributes
[init]
defaultBranch = trunk
templateDir = {hooks}/template
"""


@pytest.mark.parametrize("where", ["home", "xdg", "variable", "count", "parameters", "template"])
def test_no_setting_or_hook_of_the_learners_takes_part_in_our_commits(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    hooks, ran = home / "hooks", home / "ran"
    for name in ("pre-commit", "post-commit", "template/hooks/post-commit"):
        hook = hooks / name
        hook.parent.mkdir(parents=True, exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {ran}\nexit 1\n")
        hook.chmod(0o755)
    (hooks / "ignored").write_text("package.json\n")
    (hooks / "attributes").write_text("* filter=none\n")
    text = SETTINGS.format(hooks=hooks)
    monkeypatch.setenv("HOME", str(home / "Jane Doe"))
    if where == "home":
        (home / "Jane Doe").mkdir()
        (home / "Jane Doe" / ".gitconfig").write_text(text)
    elif where == "xdg":
        (home / "xdg" / "git").mkdir(parents=True)
        (home / "xdg" / "git" / "config").write_text(text)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    elif where == "variable":
        (home / "settings").write_text(text)
        monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(home / "settings"))
    elif where == "count":
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(hooks))
    elif where == "parameters":
        monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.hookspath'='{hooks}'")
    else:
        monkeypatch.setenv("GIT_TEMPLATE_DIR", str(hooks / "template"))
    folder = notebooks.ensure_orders()
    assert git(folder, "log", "--format=%an") == "course"
    assert "package.json" in git(folder, "ls-files").split()
    assert not ran.exists() and not list((folder / ".git").glob("hooks/*"))
    assert b"\r" not in (folder / "package.json").read_bytes()


def test_git_of_ours_takes_no_repository_above_its_folder(home: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(home)], check=True)
    inside = home / "clone"
    inside.mkdir()
    argv = ["git", "-C", inside, "rev-parse", "--git-dir"]
    assert RealRunner().run(argv, timeout=20, check=False).code == 128


def test_a_program_of_ours_sees_none_of_what_points_elsewhere(home: Path) -> None:
    theirs = {
        "GIT_DIR": "/x",
        "BASH_ENV": "/x",
        "CDPATH": "/x",
        "BASH_FUNC_docker%%": "() { false; }",
        "DOCKER_DEFAULT_PLATFORM": "linux/s390x",
        "DOCKER_API_VERSION": "1.12",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/x",
        "DOCKER_BUILDKIT": "0",
        "BUILDX_BUILDER": "mine",
        "BUILDKIT_PROGRESS": "rawjson",
        "COMPOSE_PROJECT_NAME": "x",
        "SOURCE_DATE_EPOCH": "0",
        "KIND_EXPERIMENTAL_PROVIDER": "podman",
        "PYTHONPATH": "/x",
        "PYTHONHOME": "/x",
        "PYTHONIOENCODING": "ascii",
        "TMPDIR": "/nowhere",
    }
    seen = inherited.child("docker", theirs, {"DOCKER_HOST": "unix:///x"})
    assert {name for name in theirs if name in seen} == {"DOCKER_BUILDKIT", "BUILDX_BUILDER"}
    assert (seen["DOCKER_BUILDKIT"], seen["BUILDX_BUILDER"]) == ("1", "default")


def test_what_reaches_a_companys_registries_stays(home: Path) -> None:
    company = {
        "GOPROXY": "https://go.example",
        "GONOSUMDB": "*.example",
        "GOPRIVATE": "example",
        "GOINSECURE": "example",
        "UV_DEFAULT_INDEX": "https://pypi.example",
        "UV_SYSTEM_CERTS": "1",
        "PIP_INDEX_URL": "https://pypi.example",
        "npm_config_registry": "https://npm.example",
        "NPM_CONFIG_CAFILE": "/ca.pem",
        "HTTPS_PROXY": "http://proxy.example",
        "SSL_CERT_FILE": "/ca.pem",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
        "DOCKER_CONFIG": "/docker",
        "DOCKER_AUTH_CONFIG": "{}",
        "DOCKER_HOST": "tcp://127.0.0.1:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certs",
    }
    for program in ("docker", "/usr/bin/go", "npm", "uv", "apt-get"):
        assert company.items() <= inherited.child(program, company, {}).items()


@pytest.mark.parametrize(
    ("program", "theirs"),
    [
        ("/opt/go/bin/go", {"GOROOT": "/x", "GOOS": "plan9", "GO111MODULE": "off", "GOFLAGS": "x"}),
        ("npm", {"npm_config_global": "true", "NPM_CONFIG_OMIT": "dev", "NODE_OPTIONS": "-r x"}),
        ("uv", {"UV_PYTHON": "3.9", "UV_TARGET": "/x", "VIRTUAL_ENV": "/x", "CONDA_PREFIX": "/x"}),
        ("kubectl", {"KUBECTL_EXTERNAL_DIFF": "x", "KUBE_EDITOR": "x"}),
    ],
)
def test_a_tool_of_ours_works_as_if_it_were_not_configured(
    home: Path, program: str, theirs: dict[str, str]
) -> None:
    assert not theirs.keys() & inherited.child(program, theirs, {}).keys()
    given = dict.fromkeys(theirs, "ours")
    assert given.items() <= inherited.child(program, theirs, given).items()


@pytest.mark.parametrize(
    ("theirs", "no_proxy"),
    [
        ({"HTTPS_PROXY": "http://p"}, "localhost,127.0.0.1,::1,.localhost"),
        ({"all_proxy": "socks5://p", "no_proxy": "a"}, "a,localhost,127.0.0.1,::1,.localhost"),
        ({"http_proxy": "http://p", "NO_PROXY": "a, b"}, "a,b,localhost,127.0.0.1,::1,.localhost"),
        ({"http_proxy": "http://p", "NO_PROXY": "localhost"}, "localhost,127.0.0.1,::1,.localhost"),
    ],
)
def test_loopback_is_never_proxied(home: Path, theirs: dict[str, str], no_proxy: str) -> None:
    right = inherited.settled(theirs)
    assert (right["NO_PROXY"], right["no_proxy"]) == (no_proxy, no_proxy)


def test_without_a_proxy_and_where_nothing_is_proxied_nothing_is_added(home: Path) -> None:
    assert "NO_PROXY" not in inherited.settled({"NO_COLOR": "1"})
    right = inherited.settled({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"})
    assert (right["NO_PROXY"], right["no_proxy"]) == ("*", "*")


@pytest.mark.parametrize(
    ("entry", "name", "covered"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("10.0.0.0/8", "127.0.0.1", False),
        ("LOCALHOST", "orders.localhost", True),
        (".localhost", "localhost", True),
        ("*.localhost", "orders.localhost", True),
        ("127.0.0.1:8080", "127.0.0.1", True),
        ("corp, localhost", "localhost", True),
        ("corp localhost", "localhost", True),
        ("ocalhost", "localhost", False),
        ("::1/128", "::1", True),
        ("[::1]", "::1", True),
        ("", "localhost", False),
        ("*", "127.0.0.1", True),
    ],
)
def test_no_proxy_is_read_as_clients_read_it(entry: str, name: str, covered: bool) -> None:
    assert inherited.left_out(entry, name) is covered


def test_a_shell_gets_back_what_it_must_unset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.save(
        environment.Engine("kind", {"DOCKER_HOST": "unix:///x", "KUBECONFIG": "/k"}, [], {})
    )
    theirs = {"DOCKER_TLS_VERIFY": "1", "GIT_DIR": "/x", "HTTPS_PROXY": "http://p", "BUILDX_X": "1"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    course = Path(sys.executable).with_name("course")
    done = subprocess.run([course, "env"], capture_output=True, text=True, check=True)
    shown = 'python3 -c "import json, os; print(json.dumps(dict(os.environ)))"'
    seen = json.loads(
        subprocess.run(
            ["sh", "-c", f"{done.stdout}{shown}"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert not {"DOCKER_TLS_VERIFY", "GIT_DIR", "BUILDX_X"} & set(seen)
    assert ".localhost" in seen["NO_PROXY"] and seen["BUILDX_BUILDER"] == "default"


@pytest.mark.parametrize("umask", [0o077, 0o177, 0o777, 0o000])
def test_files_of_a_start_state_can_be_read_whatever_the_umask(
    mini: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}, ["containers"], {}))
    before = os.umask(umask)
    try:
        inherited.settle()
        start.goto("mini-1")
        notebooks.ensure_orders()
    finally:
        os.umask(before)
    for path in [*(paths.work() / "mini-1").rglob("*"), *(paths.work() / "orders").iterdir()]:
        mode = path.stat().st_mode & 0o777
        assert mode & 0o444 == 0o444 and (path.is_file() or mode & 0o111 == 0o111), path
        assert mode & 0o002 == 0, path


@pytest.mark.parametrize("home_", [None, ""])
def test_without_a_home_in_the_environment_the_users_own_is_meant(
    home: Path, monkeypatch: pytest.MonkeyPatch, home_: str | None
) -> None:
    monkeypatch.delenv("COURSE_STATE")
    monkeypatch.delenv("HOME")
    if home_ is not None:
        monkeypatch.setenv("HOME", home_)
    inherited.settle()
    own = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert Path(os.environ["HOME"]) == own and paths.state().is_relative_to(own)
    assert inherited.settled({})["HOME"] == str(own)


def test_a_user_that_no_list_knows_gets_a_home_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    monkeypatch.delenv("HOME")
    inherited.settle()
    assert os.environ["HOME"].endswith("home-987654")


def test_folders_that_are_named_from_where_one_stands_stay_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert inherited.settled({"COURSE_WORK": "w"})["COURSE_WORK"] == str(home / "w")


def test_a_tilde_that_no_shell_has_read_is_the_home_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("COURSE_STATE", "~/my state")
    assert paths.state() == home / "my state"
    assert inherited.settled(os.environ)["COURSE_STATE"] == str(home / "my state")
    assert inherited.settled(os.environ)["IPYTHONDIR"].startswith(str(home / "my state"))
    monkeypatch.setenv("COURSE_WORK", "~x")
    assert paths.work() == Path("~x")


def test_what_makes_python_slow_or_loud_does_not_reach_the_generator(home: Path) -> None:
    names = ("DEVMODE", "ASYNCIODEBUG", "VERBOSE", "TRACEMALLOC", "DONTWRITEBYTECODE")
    loud = {f"PYTHON{name}": "1" for name in names}
    assert not loud.keys() & inherited.settled(loud).keys()


def test_a_lessons_git_reads_attributes_where_it_works_and_may_commit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ATTR_SOURCE", "refs/heads/of-the-dotfiles")
    monkeypatch.setenv("GIT_QUARANTINE_PATH", str(home))
    own = inherited.settled(os.environ)
    name = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    for words in (("init", "-q"), (*name, "commit", "-q", "--allow-empty", "-m", "x"), ("status",)):
        subprocess.run(["git", *words], cwd=home, env=own, check=True, capture_output=True)


@pytest.mark.parametrize("theirs", [False, True])
def test_without_a_home_there_is_a_private_one_unless_somebody_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: bool
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("HOME")
    home = tmp_path / f"home-{os.getuid()}"
    if theirs:
        home.mkdir()
        home.chmod(0o1777)  # a folder for everybody, where anybody may have put links
        with pytest.raises(CourseError, match="export HOME=FOLDER"):
            inherited.settled(os.environ)
        return
    assert inherited.settled(os.environ)["HOME"] == str(home)
    assert home.stat().st_mode & 0o777 == 0o700
