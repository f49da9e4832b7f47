"""One namespace of a Kubernetes API, as far as a rollout and a chain need it: plain dictionaries.

The objects stay as the API sends them: making the client's classes of them costs more time than
the call itself, and a watch would pay it for every event.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

from course.core import environment, inherited
from course.core.errors import CourseError

_CONNECT_WAIT = 3.0
_CALL_WAIT = 10.0
NOT_FOUND = 404
_FORBIDDEN, _EXPIRED = 403, 410
_LISTS = 3

_GROUPS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "cronjobs": "/apis/batch/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "gateways": "/apis/gateway.networking.k8s.io/v1",
    "referencegrants": "/apis/gateway.networking.k8s.io/v1beta1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "ingressclasses": "/apis/networking.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "storageclasses": "/apis/storage.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
"""Where the API keeps a kind; what is not here is of the core."""

Object = dict[str, Any]
Query = dict[str, str]


class ApiError(CourseError):
    """The API refused a call.

    Args:
        code: the HTTP status; 0 if there was no answer.
        saw: see `CourseError`.
        want: see `CourseError`.
        try_: see `CourseError`.
    """

    def __init__(self, code: int, saw: str, want: str = "", try_: str = "") -> None:
        self.code = code
        super().__init__(saw, want, try_)


class Events(Protocol):
    """A watch that is open."""

    def __iter__(self) -> Iterator[Object]:
        """Each event as the API sends it; ends when the watch does."""

    def close(self) -> None:
        """End it, from any thread."""


class Api(Protocol):
    """The calls a rollout makes; the real one and a fake share this shape.

    Kinds are `deployments`, `replicasets` and `pods`. All calls raise `ApiError`.
    """

    namespace: str

    def get(self, kind: str, name: str) -> Object:
        """One object."""

    def select(self, kind: str, query: Query) -> Object:
        """A list object, with its `items` and its `metadata.resourceVersion`."""

    def patch(self, kind: str, name: str, body: Object | list[Object]) -> Object:
        """Change an object: a dictionary merges strategically, a list is a JSON patch."""

    def watch(self, kind: str, query: Query, since: str, seconds: float) -> Events:
        """What changes after a resource version, for so many seconds."""


def no_deployment(api: Api, name: str) -> ApiError:
    """That a Deployment is not there, with the nearest name of those that are.

    Args:
        api: the namespace that it was looked for in.
        name: the one that is missing.

    Raises:
        ApiError: the API does not say which there are.
    """
    try:
        there = [found["metadata"]["name"] for found in api.select("deployments", {})["items"]]
    except ApiError as error:
        if error.code != _FORBIDDEN:
            raise
        there = []  # who may not list them is told what is known
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    which = f"; there is `{near[0]}`" if near else ""
    return ApiError(
        NOT_FOUND,
        f"no Deployment `{name}` in namespace `{api.namespace}`{which}",
        f"a Deployment named `{name}`",
        "kubectl get deployments",
    )


class Kubernetes:
    """The API that `KUBECONFIG` names.

    Args:
        namespace: of the objects; that of its context by default.

    Raises:
        CourseError: there is no kubeconfig, or it cannot be read.
    """

    def __init__(self, namespace: str = "") -> None:
        from kubernetes import client, config

        path = os.environ.get("KUBECONFIG") or environment.environment().get("KUBECONFIG", "")
        if not path:
            raise CourseError("no cluster is running", "a running one", "course up")
        try:
            _, context = config.list_kube_config_contexts(path)
            settings = client.Configuration()
            config.load_kube_config(path, client_configuration=settings, persist_config=False)
        except Exception as error:
            raise CourseError(
                f"the kubeconfig {path} cannot be used: {error}",
                "one that names a cluster",
                "course up   writes it anew",
            ) from error
        settings.retries = False
        if inherited.is_loopback(urlsplit(settings.host).hostname or ""):
            settings.proxy = None  # as kubectl: a proxy cannot reach this machine's own cluster
        self.own: str = context["context"].get("namespace") or "default"
        self.namespace: str = namespace or self.own
        self._settings = settings
        self._client = client.ApiClient(settings)

    def get(self, kind: str, name: str) -> Object:
        """See `Api.get`."""
        return self._json("GET", f"{self._path(kind)}/{name}")

    def select(self, kind: str, query: Query) -> Object:
        """See `Api.select`; whole, also where the server gives it in parts."""
        tries = 0
        while True:
            try:
                return self._parts(kind, query)
            except ApiError as error:
                tries += 1
                # The rest is of a moment that the server has forgotten: all anew, as client-go.
                if error.code != _EXPIRED or tries == _LISTS:
                    raise

    def _parts(self, kind: str, query: Query) -> Object:
        path = self._path(kind)
        whole = self._json("GET", path, query=query)
        while token := (whole.get("metadata") or {}).get("continue"):
            part = self._json("GET", path, query={**query, "continue": token})
            whole = {**part, "items": [*whole["items"], *part["items"]]}
        return whole

    def everywhere(self, kind: str) -> list[Object]:
        """The objects of a kind in all namespaces, or of a kind that has none."""
        return items(self._json("GET", f"{_GROUPS.get(kind, '/api/v1')}/{kind}"))

    def log(self, pod: str, container: str, *, lines: int, previous: bool) -> str:
        """The last lines that a container wrote, or the one before it of that name."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": "20000"}
        query |= {"previous": "true"} if previous else {}
        answer = self._call("GET", f"{self._path('pods')}/{pod}/log", query=query)
        return bytes(answer.data).decode(errors="replace")

    def ask(self, service: str, port: int, *, scheme: str, wait: float) -> None:
        """Send `GET /` to a pod behind a Service, through the API server."""
        place = f"{scheme}:{service}:{port}" if scheme else f"{service}:{port}"
        self._call("GET", f"{self._path('services')}/{place}/proxy/", wait=wait)

    def patch(self, kind: str, name: str, body: Object | list[Object]) -> Object:
        """See `Api.patch`."""
        form = "json-patch" if isinstance(body, list) else "strategic-merge-patch"
        return self._json("PATCH", f"{self._path(kind)}/{name}", body=body, form=form)

    def delete(self, kind: str, name: str) -> Object:
        """Remove an object; what it owns goes after it."""
        return self._json("DELETE", f"{self._path(kind)}/{name}")

    def delete_all(self, kind: str, query: Query) -> None:
        """Remove the objects of a kind that a query selects; pods at once, without their grace."""
        self._json("DELETE", self._path(kind), query={**query, "gracePeriodSeconds": "0"})

    def watch(self, kind: str, query: Query, since: str, seconds: float) -> Events:
        """See `Api.watch`; over a connection of its own."""
        asked = {
            **query,
            "watch": "true",
            "resourceVersion": since,
            "timeoutSeconds": f"{seconds:.0f}",
            "allowWatchBookmarks": "true",
        }
        # The server ends the watch in time; a connection that died in between is noticed here.
        return _Stream(self._call("GET", self._path(kind), query=asked, wait=seconds + 5), self)

    def _path(self, kind: str) -> str:
        return f"{_GROUPS.get(kind, '/api/v1')}/namespaces/{self.namespace}/{kind}"

    def _json(self, *args: Any, **kwargs: Any) -> Object:
        from urllib3.exceptions import HTTPError

        answer = self._call(*args, **kwargs)
        try:
            return dict(json.loads(answer.data))
        except (HTTPError, OSError, ValueError) as error:  # the rest of the answer never came
            raise self.silent(error) from error

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        form: str = "",
        wait: float = _CALL_WAIT,
    ) -> Any:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json"}
        if form:
            headers["Content-Type"] = f"application/{form}+json"
        try:
            return self._client.call_api(
                path,
                method,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _preload_content=False,
                _request_timeout=(_CONNECT_WAIT, wait),
            )
        except ApiException as error:
            raise _refused(error, method, path, query or {}) from error
        except (HTTPError, OSError) as error:
            raise self.silent(error) from error

    def silent(self, error: Exception) -> ApiError:
        """What an API that does not answer is told as."""
        return ApiError(
            0,
            f"no Kubernetes API answers at {self._settings.host} ({type(error).__name__})",
            "an answer",
            "course status; then: course up",
        )


def items(listed: Object) -> list[Object]:
    """The items of a list object, with the head that it leaves out since all of them share it."""
    head = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
    return [head | item for item in listed["items"]]


def _refused(error: Any, method: str, path: str, query: Query) -> ApiError:
    try:
        said = str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        said = str(error.reason)
    namespace, kind, *name = path.rsplit("/namespaces/", maxsplit=1)[-1].split("/")
    want, try_ = "that it agrees", "kubectl get events"
    if error.status == _FORBIDDEN:
        changes = method in ("PATCH", "DELETE")
        verb = method.lower() if changes else "get" if name else "list"
        verb = "watch" if "watch" in query else verb
        want = f"the right to {verb} {kind} in namespace {namespace}"
        try_ = f"kubectl auth can-i {verb} {kind} --namespace={namespace}"
    return ApiError(int(error.status), f"the API says {error.status}: {said}", want, try_)


class _Stream:
    """The lines of a watch's answer as events."""

    def __init__(self, answer: Any, api: Kubernetes) -> None:
        self._answer = answer
        self._api = api
        self._closed = False

    def __iter__(self) -> Iterator[Object]:
        from kubernetes.watch.watch import iter_resp_lines
        from urllib3.exceptions import HTTPError

        try:
            for line in iter_resp_lines(self._answer):
                if line:
                    yield json.loads(line)
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # What urllib3 raises on an answer that was closed differs from version to version.
            if not self._closed:
                raise self._api.silent(error) from error
        finally:
            self.close()

    def close(self) -> None:
        self._closed = True
        # A plain close would not wake a thread that reads.
        with contextlib.suppress(Exception):
            self._answer.shutdown()
        with contextlib.suppress(Exception):
            self._answer.close()
