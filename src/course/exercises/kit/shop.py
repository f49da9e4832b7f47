"""The shop of the labs on deployment strategies: its images, its objects, its start states.

The shop is the service `orders` in a Deployment, a Service and an HTTPRoute of its own, so that a
lab never touches the `orders` that the course runs. It serves without a database: one that is slow
would take every pod out of service at once, in the midst of a measurement. A start state replaces
objects, not the namespace, and works whatever is there: a rollout half done, paused or stuck, pods
on their way out.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from course.artifacts import docker_build, orders_image
from course.core import locks, paths, waiting
from course.core.errors import CourseError
from course.core.process import default_runner
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import Borrowed, borrowed
from course.exercises.kit.reply import Reply
from course.learner.saves import save
from course.measure import traffic
from course.measure.rollout import Rollout, containers

NAME = "shop-lab"
"""Of the Deployment, the Service and the HTTPRoute, and of the image in the registry."""
COPY = f"{NAME}-copy"
"""The label `app` of what a check makes after the shop's pattern: no request comes there."""
HISTORY = f"kubectl rollout history deployment/{NAME}"
"""Where a learner sees what was released before."""
CONTAINER = containers.SERVICE
START, LATENCY, DRAIN = "FAULT_START_MS", "FAULT_LATENCY_MS", "DRAIN_MS"
"""Variables of the service: its slow start, the work of a request, how long it drains."""
FILE = "shop.yaml"
"""The shop as a learner reads it, in the exercise's folder. The file in `files/` holds the
registry and the host name of a learner at home, so that it is a valid manifest as it is."""
_REGISTRY, _HOST = "localhost:5001", f"{NAME}.default.localhost"
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
_ASK_WAIT = 10.0
_TURN_WAIT = 120.0
_MOST_ANSWER = 100_000
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

    def ask(self, path: str) -> Reply:
        """Send one GET through the gateway.

        Args:
            path: path and query.

        Returns:
            The answer; status 0 and what was seen where none came.
        """
        port = urlsplit(self.lab.orders_url).port
        # The name is in the Host header: not every resolver knows *.localhost.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_WAIT)
        try:
            connection.request("GET", path, headers={"Host": f"{self.host}:{port}"})
            answer = connection.getresponse()
            body = answer.read(_MOST_ANSWER).decode(errors="replace")
            return Reply(answer.status, body)
        except (OSError, http.client.HTTPException) as error:
            return Reply(0, f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let one check at a time release to it: another one would take what it finds for yours.

        Raises:
            CourseError: another check goes on for too long.
        """
        file = paths.state() / "shops" / f"{self.lab.namespace}.lock"
        what = f"another check releases to {NAME}"
        again = "wait for its end, then run the check again"
        with contextlib.ExitStack() as stack:
            with self.lab.observe("the check's turn"):
                stack.enter_context(locks.hold(file, wait=_TURN_WAIT, what=what, try_=again))
            yield

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[Borrowed]:
        """Borrow it for a check's own releases, one check at a time; it is given back as it was.

        Raises:
            CourseError: another check goes on for too long, or one that was ended has left its
                release.
        """
        with self.held(), borrowed(Rollout(NAME), self.url, self.lab.observe) as made:
            yield made

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

    def start(self) -> None:
        """Make the objects of the exercise's manifest the only ones of the shop; return at once."""
        import yaml

        self.clear()
        text = (self.lab.folder() / FILE).read_text(encoding="utf-8")
        text = text.replace(_REGISTRY, self.lab.registry).replace(_HOST, self.host)
        file = self.lab.write(FILE, text)
        container = containers.service(next(yaml.safe_load_all(text))["spec"]["template"])
        self.image(container["image"].rpartition(":")[2])
        for name in (START, LATENCY):
            self.lab.remember(name, containers.variable(container, name))
        self.lab.run("kubectl", "apply", "-f", file, wait=30)

    def clear(self) -> None:
        """Remove the shop with all its pods; what it was is saved in `work/.saved`."""
        import yaml

        for run in traffic.running():
            if urlsplit(run.plan.url).hostname == self.host:
                run.stop()
        # Side by side: one after the other is half a second of each start.
        with ThreadPoolExecutor() as pool:
            listed = list(pool.map(self.lab.objects, _KINDS))
        found = [thing for things in listed for thing in things if self._ours(thing)]
        if found:
            kept = self.lab.write("cluster.yaml", yaml.safe_dump_all(map(_bare, found)))
            save([kept])
            kept.unlink()
        strays = [t for t in found if (t["metadata"].get("labels") or {}).get("app") != NAME]
        if strays:
            now = ("--ignore-not-found", "--wait=false", "--force", "--grace-period=0")
            names = [f"{t['kind'].lower()}/{t['metadata']['name']}" for t in strays]
            self.lab.run("kubectl", "delete", *names, *now, wait=_GONE_WAIT)
        # The pods too, and at once: one that is still leaving would still be sent requests. After
        # what would make them anew.
        ours = {"labelSelector": f"app in ({NAME}, {COPY})"}
        with ThreadPoolExecutor() as pool:
            for kinds in (_KINDS, ["replicasets"], ["pods"]):
                list(pool.map(lambda kind: self.lab.api.delete_all(kind, ours), kinds))
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
        app = (meta.get("labels") or {}).get("app", "")
        return app != COPY and (
            str(meta["name"]).startswith(NAME)
            or app.startswith(NAME)
            or self.host in (thing.get("spec", {}).get("hostnames") or [])
        )


class StartsAsShop:
    """An exercise whose start state is the shop of its file.

    Not one of `kit.declared.Start`: what the shop uses would be a part of every lesson then.
    """

    def begin(self, lab: Lab) -> None:
        """Make it the only shop of the namespace.

        Args:
            lab: the exercise's, with its files.
        """
        Shop(lab).start()


def _bare(thing: Mapping[str, Any]) -> dict[str, Any]:
    """An object as one would apply it again."""
    kept = ("name", "labels", "annotations")
    meta = {key: thing["metadata"][key] for key in kept if key in thing["metadata"]}
    rest = {key: thing[key] for key in ("apiVersion", "kind", "spec") if key in thing}
    return rest | {"metadata": meta}
