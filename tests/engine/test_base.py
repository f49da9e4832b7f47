"""course.engine.base: an engine is one module and one entry, and nothing else knows its class."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from course.core import environment
from course.core.process import FakeRunner, Runner
from course.core.report import Report
from course.engine import addons, detect, up
from course.engine.addons import addon
from course.engine.addons.addon import Addon
from course.engine.base import Cluster, ContainerEngine, ImageRegistry
from course.engine.detect import Maker
from course.engine.env_runner import EnvRunner

PORTS = {"registry": 5001, "http": 8080, "https": 8443}
HOST = "unix:///toy.sock"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


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
