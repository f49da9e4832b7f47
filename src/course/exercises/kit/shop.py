"""The shop of the labs on deployment strategies: its images, its objects, its start states.

The shop is the service `orders` in a Deployment, a Service and an HTTPRoute of its own, so that a
lab never touches the `orders` that the course runs. It has no database: one that is slow would take
every pod out of service at once, in the midst of a measurement. A start state replaces objects, not
the namespace, and works whatever is there: a rollout half done, paused or stuck, pods on their way
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from course.artifacts import docker_build, orders_image
from course.core import waiting
from course.core.errors import CourseError
from course.core.process import default_runner
from course.exercises.kit.lab import Lab
from course.learner.saves import save
from course.measure import traffic
from course.measure.rollout import containers

NAME = "shop-lab"
"""Of the Deployment, the Service and the HTTPRoute, and of the image in the registry."""
CONTAINER = containers.SERVICE
_SOURCE_LABEL = "course.source"
_KINDS = (
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
    "horizontalpodautoscalers",
    "services",
    "httproutes",
    "poddisruptionbudgets",
)
"""What a learner may have put behind the shop's name, or what makes pods with its label anew."""
_GONE_WAIT = 30.0
_PAUSE = 0.1


class Shop:
    """The shop of one exercise, in the namespace of the kubeconfig's context.

    Args:
        lab: the exercise's.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    @property
    def host(self) -> str:
        """Its name at the gateway: of this namespace, so that two learners do not meet."""
        return f"{NAME}.{self.lab.namespace}.localhost"

    @property
    def url(self) -> str:
        """Where it answers."""
        port = urlsplit(self.lab.orders_url).port
        return f"http://{self.host}:{port}/"

    # -- images

    def image(self, version: str) -> str:
        """An image of the shop in `$REGISTRY`, built from the service's source if it is not there.

        Args:
            version: what it answers in `x-orders-version`.

        Returns:
            Its name.
        """
        name = f"{self.lab.registry}/{NAME}:{version}"
        # With the version: another one may have been pushed under this tag.
        source = f"{version}-{orders_image.fingerprint()}"
        if self.lab.labels(NAME, version).get(_SOURCE_LABEL) != source:
            self._build(name, version, source)
        return name

    def _build(self, name: str, version: str, source: str) -> None:
        docker_build.build(
            orders_image.SOURCE,
            name,
            lambda *_: None,
            default_runner(),
            labels={_SOURCE_LABEL: source},
            args={"VERSION": version},
        )
        self.lab.run("docker", "push", "--quiet", name)

    # -- start states

    def apply_start_state(self, text: str) -> None:
        """Make the objects of a manifest the only ones of the shop, and return at once.

        Args:
            text: the manifest; it stays in the exercise's folder as `shop.yaml`.
        """
        self.clear()
        self.lab.write("shop.yaml", text)
        self.lab.run("kubectl", "apply", "-f", self.lab.folder() / "shop.yaml", wait=30)

    def clear(self) -> None:
        """Remove the shop with all its pods; what it was is saved in `work/.saved`."""
        import yaml

        for run in traffic.running():
            if urlsplit(run.plan.url).hostname == self.host:
                run.stop()
        found = [t for kind in _KINDS for t in self.lab.objects(kind) if self._ours(t)]
        if found:
            kept = self.lab.write("cluster.yaml", yaml.safe_dump_all(map(_bare, found)))
            save([kept])
            kept.unlink()
        # The pods too, and at once: one that is still leaving would still be sent requests.
        now = ("--ignore-not-found", "--wait=false", "--force", "--grace-period=0")
        kinds = ",".join([*_KINDS, "replicasets", "pods"])
        self.lab.run("kubectl", "delete", kinds, "-l", f"app={NAME}", *now, wait=_GONE_WAIT)
        strays = [t for t in found if (t["metadata"].get("labels") or {}).get("app") != NAME]
        if strays:
            names = [f"{t['kind'].lower()}/{t['metadata']['name']}" for t in strays]
            self.lab.run("kubectl", "delete", *names, *now, wait=_GONE_WAIT)
        self._await_end()

    def _await_end(self) -> None:
        """Until no Deployment of ours is on its way out: a new one would go with it."""

        def leaving() -> list[dict[str, Any]]:
            found = self.lab.objects("deployments")
            gone = [t["metadata"] for t in found if self._ours(t)]
            return [meta for meta in gone if "deletionTimestamp" in meta]

        left = waiting.eventually(
            leaving, wait=_GONE_WAIT, pause=_PAUSE, until=lambda found: not found
        )
        if left:
            held = ", ".join(left[0].get("finalizers") or ["none"])
            raise CourseError(
                f"Deployment {left[0]['name']} was deleted at "
                f"{left[0]['deletionTimestamp']} and is still there; finalizers: {held}",
                "that it goes",
                f"kubectl get deployment {left[0]['name']} -o yaml",
            )

    def _ours(self, thing: Mapping[str, Any]) -> bool:
        meta = thing["metadata"]
        return (
            str(meta["name"]).startswith(NAME)
            or (meta.get("labels") or {}).get("app", "").startswith(NAME)
            or self.host in (thing.get("spec", {}).get("hostnames") or [])
        )


def _bare(thing: Mapping[str, Any]) -> dict[str, Any]:
    """An object as one would apply it again."""
    kept = ("name", "labels", "annotations")
    meta = {key: thing["metadata"][key] for key in kept if key in thing["metadata"]}
    rest = {key: thing[key] for key in ("apiVersion", "kind", "spec") if key in thing}
    return rest | {"metadata": meta}


def manifest(
    *,
    host: str,
    image: str,
    replicas: int,
    settings: Mapping[str, str],
    strategy: str = "",
    spec: str = "",
    container: str = "",
) -> str:
    """The shop as a learner reads it.

    Args:
        host: its name at the gateway.
        image: of its one container.
        replicas: how many pods.
        settings: variables of the container.
        strategy: YAML below `strategy`; the default one if empty.
        spec: more YAML of the Deployment's `spec`.
        container: more YAML of the container, e.g. probes.
    """
    env = "".join(
        f'            - {{ name: {name}, value: "{value}" }}\n' for name, value in settings.items()
    )
    head = _indent(spec, 2) + (f"  strategy:\n{_indent(strategy, 4)}" if strategy else "")
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {NAME}
  labels: {{ app: {NAME} }}
spec:
  replicas: {replicas}
{head}  selector:
    matchLabels: {{ app: {NAME} }}
  template:
    metadata:
      labels: {{ app: {NAME} }}
    spec:
      containers:
        - name: {CONTAINER}
          image: {image}
          imagePullPolicy: Always
          env:
            - {{ name: LOG_LEVEL, value: warn }}
            - {{ name: DATABASE_URL, value: "postgres://nobody@localhost/none" }}
            - {{ name: READY_NEEDS_DATABASE, value: "false" }}
{env}          ports:
            - {{ name: http, containerPort: 3000 }}
          resources:
            requests: {{ cpu: 40m, memory: 64Mi }}
            limits: {{ memory: 256Mi }}
{_indent(container, 10)}---
apiVersion: v1
kind: Service
metadata:
  name: {NAME}
  labels: {{ app: {NAME} }}
spec:
  selector: {{ app: {NAME} }}
  ports:
    - {{ name: http, port: 80, targetPort: http }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {NAME}
  labels: {{ app: {NAME} }}
spec:
  parentRefs:
    - {{ name: course, namespace: course-system }}
  hostnames: [{host}]
  rules:
    - backendRefs:
        - {{ name: {NAME}, port: 80 }}
"""


def _indent(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.strip("\n").splitlines())
