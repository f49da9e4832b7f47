"""The main engine: one Kubernetes node in a Docker container."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.artifacts import images, tools
from course.core import paths, private
from course.core.errors import CourseError
from course.core.names import (
    CLUSTER,
    CLUSTER_NAME,
    NETWORK_POLICY,
    NODE_NAME,
    OWNER_LABEL,
    REGISTRY_NAME,
)
from course.core.process import CommandError, Runner
from course.core.report import Report
from course.engine import lifecycle, ports
from course.engine.lifecycle import Action, Partial
from course.engine.local_registry import Registry

NODE_IMAGE = f"kindest/node:{tools.KUBERNETES}"
HTTP_NODE_PORT = 30080
HTTPS_NODE_PORT = 30443
_CREATE_WAIT = 300.0
_SYSTEM_PODS_WAIT = 240.0
_LOOK = """
test ! -e /etc/cni/net.d/10-course.conflist || echo own-network
echo -500 2>/dev/null >/proc/self/oom_score_adj && echo oom-adjustable
true
"""
_RESTRICT_OOM = """\
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
"""
"""kind's own setting for where a lower score is refused; in the form of its configuration."""


@dataclass(frozen=True)
class NodeFacts:
    """What a node image carries and its host allows. Read from them: a pulled one has no label.

    Args:
        own_network: it has the network that the recipe puts in, else kind installs its own.
        oom_adjustable: a privileged container may lower its oom_score_adj, as a kubelet does.
    """

    own_network: bool = False
    oom_adjustable: bool = True


def node_facts(runner: Runner, ref: str = NODE_IMAGE) -> NodeFacts:
    """Look into the node image, in a container of a moment, privileged as a node is.

    Args:
        runner: runs docker.
        ref: the image.
    """
    seen = runner.run(
        ["docker", "run", "--rm", "--privileged", "--network=none", "--label", OWNER_LABEL]
        + ["--entrypoint=sh", ref, "-c", _LOOK],
        timeout=60,
        try_="course doctor; then: course up",
    ).stdout.split()
    return NodeFacts("own-network" in seen, "oom-adjustable" in seen)


def _beside_the_proxy(env: Mapping[str, str]) -> dict[str, str]:
    """What keeps a node from asking a proxy for our registry: kind hands nodes the proxies.

    Always, since kind takes them from Docker's configuration too.

    Args:
        env: this process's variables.
    """
    kept = env.get("NO_PROXY") or env.get("no_proxy") or ""
    return {"NO_PROXY": ",".join(filter(None, [kept, REGISTRY_NAME]))}


@dataclass(frozen=True)
class Kind:
    """A `Cluster` made by kind, on Docker."""

    runner: Runner
    registry: Registry
    http_port: int
    https_port: int

    def ensure(self, report: Report) -> None:
        """See `Cluster.ensure`."""
        lifecycle.run(self.actions(), report)

    def actions(self) -> list[Action]:
        """What has to be so, in order."""
        half = Partial("a cluster", _unfinished(), self._delete)
        return [
            Action("kind and kubectl", self._tools),
            Action("the node's image", self._node_image, done=self._is_whole),
            Action("a cluster", self._create, done=self._is_whole, half=half),
            Action("a cluster of ours", self._refuse),
            Action("a running node", self._start_node),
            Action("a kubeconfig", self._write_kubeconfig),
            Action("our registry, for the node", self._use_registry),
            lifecycle.awaited(
                "ready pods", self._waits_for, wait=_SYSTEM_PODS_WAIT, pause=1, late=_not_ready
            ),
            Action("the learner's namespace", self._make_namespace),
        ]

    def _tools(self, report: Report) -> None:
        for name in ("kind", "kubectl"):
            tools.link(tools.ensure(name, report, runner=self.runner))

    def exists(self) -> bool:
        """Whether Docker has our cluster's node."""
        names = self.runner.run([_kind(), "get", "clusters"], timeout=60).stdout.split()
        return CLUSTER_NAME in names

    def _is_whole(self) -> bool:
        return not _unfinished().exists() and self.exists()

    def _node_image(self, report: Report) -> None:
        images.ensure(NODE_IMAGE, report, runner=self.runner)

    def _refuse(self, _: Report) -> None:
        if not self.ours():
            raise CourseError(
                f"Docker has a kind cluster named {CLUSTER_NAME} that this course did not make",
                "that name for the course's own cluster",
                f"if nobody needs it: kind delete cluster --name {CLUSTER_NAME}; then: course up",
            )

    def ours(self) -> bool:
        """Whether the cluster of our name publishes our port, as the one that we made does."""
        return published_port(self.runner) == self.http_port

    def config(self, node: NodeFacts) -> str:
        """Kind's configuration of the cluster, as YAML.

        Args:
            node: what the node image carries and its host allows.
        """
        mappings = [
            {"containerPort": inner, "hostPort": outer, "listenAddress": "127.0.0.1"}
            for inner, outer in (
                (HTTP_NODE_PORT, self.http_port),
                (HTTPS_NODE_PORT, self.https_port),
            )
        ]
        config: dict[str, Any] = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": CLUSTER_NAME,
            "networking": {"apiServerAddress": "127.0.0.1"},
            "nodes": [{"role": "control-plane", "extraPortMappings": mappings}],
        }
        import yaml

        # Since 1.35 a kubelet refuses cgroup v1 unless told otherwise.
        kubelet: dict[str, Any] = {"failCgroupV1": False}
        if node.own_network:
            config["networking"] |= {"disableDefaultCNI": True, "kubeProxyMode": "nftables"}
        if not node.oom_adjustable:
            kubelet["featureGates"] = {"KubeletInUserNamespace": True}
            config["containerdConfigPatches"] = [_RESTRICT_OOM]
        patch = {
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            **kubelet,
        }
        config["kubeadmConfigPatches"] = [yaml.safe_dump(patch)]
        return yaml.safe_dump(config, sort_keys=False)

    def _create(self, report: Report) -> None:
        report("kind create cluster", None)

        def line(text: str) -> None:
            report(f"kind: {text.strip()}", None)

        self.runner.run(
            [_kind(), "create", "cluster", "--name", CLUSTER_NAME, "--image", NODE_IMAGE]
            + ["--kubeconfig", paths.kubeconfig(), "--config", "-"],
            timeout=_CREATE_WAIT,
            env=_beside_the_proxy(os.environ),
            input=self.config(node_facts(self.runner)),
            on_line=line,
            try_="course doctor; then: course up",
        )

    def _delete(self) -> None:
        self.runner.run(
            [_kind(), "delete", "cluster", "--name", CLUSTER_NAME]
            + ["--kubeconfig", paths.kubeconfig()],
            timeout=180,
        )

    def _start_node(self, _: Report) -> None:
        """Start a node that a restart of Docker left stopped, or whose ports Docker has given up.

        Docker's own proxy of a port ends when it runs out of open files, some thousand connections
        at once, and comes back with the container alone.
        """
        if not self._node_runs():
            self.runner.run(["docker", "start", NODE_NAME], timeout=120)
        elif not ports.taken(self.http_port) or not ports.taken(self.https_port):
            self.runner.run(["docker", "restart", "--time", "20", NODE_NAME], timeout=120)

    def _node_runs(self) -> bool:
        inspect = ["docker", "container", "inspect", NODE_NAME, "--format", "{{.State.Running}}"]
        return self.runner.run(inspect, timeout=30, check=False).stdout.strip() == "true"

    def _write_kubeconfig(self, _: Report) -> None:
        import yaml

        config = self.runner.run(
            [_kind(), "get", "kubeconfig", "--name", CLUSTER_NAME], timeout=60
        ).stdout
        loaded = yaml.safe_load(config)
        loaded["contexts"][0]["context"]["namespace"] = CLUSTER_NAME
        text = yaml.safe_dump(loaded)
        target = paths.kubeconfig()
        if not target.exists() or target.read_text() != text:
            private.write(target, text)

    def hosts(self) -> dict[str, str]:
        """Registry → containerd's `hosts.toml` for it.

        The node pulls `localhost:PORT/…`, and Docker Hub's names, from our registry first.
        """
        inner = f"http://{REGISTRY_NAME}:5000"
        here = f'[host."{inner}"]\n  capabilities = ["pull", "resolve"]\n'
        hub = f'server = "https://registry-1.docker.io"\n\n{here}'
        return {self.registry.address: here, "docker.io": hub}

    def made_from(self) -> list[str]:
        """See `Cluster.made_from`."""
        return [f"{host}\0{text}" for host, text in sorted(self.hosts().items())]

    def _use_registry(self, _: Report) -> None:
        """Make the node find our registry."""
        for host, text in self.hosts().items():
            folder = f"/etc/containerd/certs.d/{host}"
            self.runner.run(
                ["docker", "exec", "--interactive", NODE_NAME, "sh", "-c"]
                + [f"mkdir -p {folder} && cat >{folder}/hosts.toml"],
                timeout=30,
                input=text,
            )
        networks = self.runner.run(
            ["docker", "container", "inspect", REGISTRY_NAME]
            + ["--format", "{{json .NetworkSettings.Networks}}"],
            timeout=30,
        ).stdout
        if "kind" not in json.loads(networks or "{}"):
            self.runner.run(["docker", "network", "connect", "kind", REGISTRY_NAME], timeout=30)

    def _waits_for(self, report: Report) -> list[str]:
        """What is not ready, and told.

        Raises:
            CourseError: the node has gone.
        """
        waiting = self.not_ready()
        if waiting and not self._node_runs():
            raise CourseError(
                "the cluster's node has gone: Docker stopped, or it was removed",
                "a running node",
                "course up   starts it again",
            )
        if waiting:
            report(f"waiting for {', '.join(waiting)[:70]}", None)
        return waiting

    def _make_namespace(self, _: Report) -> None:
        self.kubectl("create", "namespace", CLUSTER_NAME, check=False)

    def not_ready(self) -> list[str]:
        """The node and system pods that are not Ready."""
        try:
            listed = self.kubectl("get", "nodes,pods", "--all-namespaces", "-o", "json")
        except CommandError:
            return ["the Kubernetes API"]
        items = json.loads(listed)["items"]
        system = ("kube-system", "local-path-storage", None)
        waiting = []
        for item in items:
            meta = item["metadata"]
            if meta.get("namespace") not in system or _ready(item):
                continue
            waiting.append(meta["name"])
        if not any("coredns" in item["metadata"]["name"] for item in items):
            waiting.append("coredns")
        return waiting

    def kubectl(self, *argv: str, check: bool = True, wait: float = 60) -> str:
        """See `Cluster.kubectl`."""
        return self.runner.run(
            ["kubectl", "--kubeconfig", str(paths.kubeconfig()), *argv], timeout=wait, check=check
        ).stdout

    def apply(self, manifest: str, namespace: str = "") -> None:
        """See `Cluster.apply`."""
        where = ["--namespace", namespace] if namespace else []
        self.runner.run(
            ["kubectl", "--kubeconfig", paths.kubeconfig(), *where, "apply", "--server-side"]
            + ["--force-conflicts", "-f", "-"],
            timeout=60,
            input=manifest,
        )

    def environment(self) -> dict[str, str]:
        """See `Cluster.environment`."""
        return {
            "KUBECONFIG": str(paths.kubeconfig()),
            "REGISTRY": self.registry.address,
            "ORDERS_URL": f"http://orders.localhost:{self.http_port}",
            "COURSE_NAMESPACE": CLUSTER_NAME,
        }

    def capabilities(self) -> set[str]:
        """See `Cluster.capabilities`."""
        found = {CLUSTER}  # limits are those of the Docker that the node is in
        # Of the networks that a node of ours may have, only kind's own enforces policies.
        ready = self.kubectl(
            *("--namespace=kube-system", "get", "daemonset", "kindnet", "--ignore-not-found"),
            "--output=jsonpath={.status.numberReady}",
            check=False,
        ).strip()
        if ready.isdigit() and int(ready) > 0:
            found.add(NETWORK_POLICY)
        return found

    def stop(self) -> None:
        """See `Cluster.stop`."""
        if _kind().exists() and (_unfinished().exists() or self.ours()):
            self._delete()
            _unfinished().unlink(missing_ok=True)
        paths.kubeconfig().unlink(missing_ok=True)


def published_port(runner: Runner) -> int | None:
    """The port of this machine that the cluster of our name has its gateway at, running or not.

    Args:
        runner: runs docker.
    """
    bound = f'(index .HostConfig.PortBindings "{HTTP_NODE_PORT}/tcp")'
    done = runner.run(
        ["docker", "container", "inspect", NODE_NAME]
        + ["--format", f"{{{{range {bound}}}}}{{{{.HostPort}}}}{{{{end}}}}"],
        timeout=30,
        check=False,
    )
    text = done.stdout.strip()
    return int(text) if done.code == 0 and text.isdigit() else None


def _not_ready(waiting: Sequence[str]) -> CourseError:
    return CourseError(
        f"not ready after {_SYSTEM_PODS_WAIT:.0f} s: {', '.join(waiting)}",
        "every system pod Ready",
        "kubectl get pods -A; kubectl get events -A; then: course up",
    )


def _kind() -> Path:
    """The program, as `_tools` links it."""
    return paths.state() / "bin" / "kind"


def _unfinished() -> Path:
    return paths.state() / "cluster-unfinished"


def _ready(item: dict[str, Any]) -> bool:
    status = item.get("status", {})
    if status.get("phase") == "Succeeded":
        return True
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
