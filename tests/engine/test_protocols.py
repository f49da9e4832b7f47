"""An engine is one module and one entry: nothing else knows its class or sets its variables."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from course.core import environment, locks, paths
from course.core.errors import CourseError
from course.core.process import OWNER, FakeRunner, RealRunner, Runner
from course.core.report import Report
from course.engine import addons, detect, up
from course.engine.addons import addon
from course.engine.addons.addon import Addon
from course.engine.base import Cluster, ContainerEngine, ImageRegistry
from course.engine.detect import Maker
from course.engine.docker import Docker
from course.engine.env_runner import EnvRunner

ENGINE = paths.ROOT / "src" / "course" / "engine"
PORTS = {"registry": 5001, "http": 8080, "https": 8443}
HOST = "unix:///toy.sock"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def changes(tree: ast.AST) -> list[int]:
    """The lines that change `os.environ`."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), ctx=ast.Store() | ast.Del()):
                found.append(node.lineno)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="environ"), attr=name)):
                if name in {"update", "pop", "setdefault", "clear", "popitem"}:
                    found.append(node.lineno)
            case ast.AugAssign(target=ast.Attribute(attr="environ")):
                found.append(node.lineno)
            case ast.Call(func=ast.Attribute(attr="putenv" | "unsetenv")):
                found.append(node.lineno)
    return sorted(found)


def test_a_change_of_the_processes_variables_is_seen() -> None:
    lines = ["os.environ['A'] = 'b'", "del os.environ['A']", "os.environ.update({})"]
    lines += ["os.environ |= {}", "os.environ.pop('A')", "os.putenv('A', 'b')"]
    assert changes(ast.parse("\n".join(lines))) == [1, 2, 3, 4, 5, 6]
    assert changes(ast.parse("os.environ['A']; {**os.environ}; os.environ.get('A')")) == []


@pytest.mark.parametrize("file", sorted(ENGINE.rglob("*.py")), ids=lambda file: file.stem)
def test_nothing_of_the_engine_changes_this_processes_variables(file: Path) -> None:
    assert changes(ast.parse(file.read_text())) == []


# -- commands that reach an engine


def said(runner: Runner, name: str, env: dict[str, str] | None = None) -> str:
    """What a variable is for a command."""
    return runner.run(["printenv", name], timeout=10, env=env, check=False).stdout.strip()


def test_a_command_gets_the_engines_variables_and_this_process_does_not() -> None:
    reaching = EnvRunner(RealRunner(), {"KUBECONFIG": "/toy/config"})
    assert said(reaching, "KUBECONFIG") == "/toy/config"
    assert said(reaching, "KUBECONFIG", {"KUBECONFIG": "/another"}) == "/another"
    assert os.environ.get("KUBECONFIG") != "/toy/config"


def test_a_command_gets_what_each_layer_adds() -> None:
    reaching = EnvRunner(EnvRunner(RealRunner(), {"COURSE_TOY": "a"}), {"KUBECONFIG": "/toy"})
    assert (said(reaching, "COURSE_TOY"), said(reaching, "KUBECONFIG")) == ("a", "/toy")


def test_commands_of_docker_find_it_and_the_courses_tools_first(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", HOST)
    mine = str(paths.state() / "bin")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{mine}")
    commands = Docker(RealRunner()).commands()
    assert said(commands, "DOCKER_HOST") == HOST
    assert said(commands, "PATH").split(os.pathsep)[0] == mine


def test_what_a_set_up_starts_carries_its_mark_and_this_process_does_not(home: Path) -> None:
    with up.exclusive() as runner:
        assert said(runner, OWNER) == locks.process_key()
        assert OWNER not in os.environ


def test_where_the_cluster_is_reached_the_learners_kubeconfig_is_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/the/learners/own")
    ours = detect.cluster(environment.Engine("kind", ports=PORTS), RealRunner())
    assert said(ours.runner, "KUBECONFIG") == str(paths.kubeconfig())


# -- another engine


@dataclass
class ToyRegistry:
    """A registry that is there."""

    address: str = "localhost:5001"
    mirrored: list[str] = field(default_factory=list)

    def answers(self) -> bool:
        return True

    def ensure(self, report: Report) -> None:
        """It is there."""

    def mirror(self, ref: str) -> None:
        self.mirrored.append(ref)


@dataclass
class ToyContainers:
    """A container engine that is there."""

    runner: Runner

    def host(self) -> str:
        return HOST

    def answers(self) -> bool:
        return True

    def ensure(self, report: Report) -> None:
        """It is there."""

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": HOST}

    def commands(self) -> Runner:
        return EnvRunner(self.runner, self.environment())

    def capabilities(self) -> set[str]:
        return {"containers"}

    def remove_owned(self) -> None:
        """Nothing is."""

    def purge(self) -> None:
        """Nothing is."""

    def stop(self) -> None:
        stopped.append("containers")


@dataclass
class ToyCluster:
    """A cluster without nodes, and what it was asked for."""

    runner: Runner
    registry: ImageRegistry = field(default_factory=ToyRegistry)
    http_port: int = 8080
    applied: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def ensure(self, report: Report) -> None:
        """It is there."""

    def ours(self) -> bool:
        return True

    def made_from(self) -> list[str]:
        return ["toy"]

    def kubectl(self, *argv: str, check: bool = True, wait: float = 60) -> str:
        self.asked.append(" ".join(argv))
        return ""

    def apply(self, manifest: str, namespace: str = "") -> None:
        self.applied.append(f"{namespace}: {manifest}")

    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": "/toy", "ORDERS_URL": "http://toy", "REGISTRY": "localhost:5001"}

    def capabilities(self) -> set[str]:
        return {"cluster"}

    def stop(self) -> None:
        stopped.append("cluster")


stopped: list[str] = []


@pytest.fixture
def toy(home: Path, monkeypatch: pytest.MonkeyPatch) -> environment.Engine:
    """An engine of which the course knows an entry, recorded."""
    containers: type[ContainerEngine] = ToyContainers
    monkeypatch.setitem(detect.ENGINES, "toy", Maker(containers, lambda _, runner: toy_in(runner)))
    monkeypatch.setattr("course.engine.up.orders.answers", lambda _: True)
    stopped.clear()
    of = environment.Engine("toy", ports=dict(PORTS))
    environment.save(of)
    return of


def toy_in(runner: Runner) -> Cluster:
    return ToyCluster(runner)


def test_another_engine_is_one_entry(toy: environment.Engine) -> None:
    tasks = {task.name: task for task in up.tasks(toy, FakeRunner({"docker ps": ""}))}
    for name in ("docker", "registry", "cluster"):
        tasks[name].do(quiet)
    found = environment.current()
    assert found is not None and found.name == "toy"
    assert (found.env["DOCKER_HOST"], found.env["KUBECONFIG"]) == (HOST, "/toy")
    assert found.has == ["containers"], "what is there is asked of it, and nothing is assumed"
    assert addon.applied()["node"] == addon.hashed(["toy"])


def test_another_engine_is_complete_when_its_own_parts_answer(toy: environment.Engine) -> None:
    assert not up.complete()
    toy.has = ["orders"]
    environment.save(toy)
    addon.record(up.wanted(toy))
    assert up.complete()
    assert up.wanted(toy).keys() == {"node", "images", *(one.name for one in addons.ALL)}


def test_another_engine_is_taken_down_by_its_own_means(toy: environment.Engine) -> None:
    up.down(quiet)
    assert stopped == ["cluster", "containers"]


def test_an_add_on_is_installed_on_another_engine(home: Path, tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_text("image: thing:1\n")
    thing = Addon(
        *("thing", (tmp_path / "thing.yaml",), ("thing",)),
        made_from=lambda: (),
        prepare=lambda cluster, _: {"thing:1": f"{cluster.registry.address}/thing:1"},
    )
    cluster = ToyCluster(FakeRunner())
    thing.install(cluster, quiet)
    assert cluster.applied == [": image: localhost:5001/thing:1\n"]
    assert cluster.asked == ["rollout status deployment/thing --timeout=180s"]


def test_an_engine_of_another_version_of_the_course_is_named(home: Path) -> None:
    of = environment.Engine("embedded", {"DOCKER_HOST": HOST}, ports=PORTS)
    environment.save(of)
    for ask in (lambda: detect.containers(FakeRunner()), lambda: detect.cluster(of, FakeRunner())):
        with pytest.raises(CourseError, match="`embedded` was set up") as caught:
            ask()
        assert caught.value.want == "one of: kind"


def test_what_no_engine_is_recorded_for_is_asked_of_the_one_by_default(home: Path) -> None:
    assert isinstance(detect.containers(FakeRunner()), Docker)
