"""One repository of a registry: what its tags name, and how to make them name something else.

The registry's own API (https://github.com/opencontainers/distribution-spec/blob/main/spec.md), for
what it serves in truth, and for what `docker push` cannot do: move a tag without touching the
images of this machine.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from dataclasses import dataclass
from typing import Any, Literal

from course.core.errors import CourseError
from course.core.names import REGISTRY_NAME, VERSION_HEADER

_WAIT = 20
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def short(digest: str) -> str:
    """The beginning of a digest, as Docker's tools print it."""
    return digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True)
class Repository:
    """A repository.

    Args:
        registry: `host:port`; spoken to over plain HTTP.
        name: e.g. `team/runtime`.
    """

    registry: str
    name: str

    def names(self) -> list[str]:
        """Its tags; none if there is no such repository."""
        answer = self._ask("GET", "tags/list", allow_status=(404,))
        return list((json.loads(answer.body).get("tags") if answer.ok else None) or [])

    def tags(self) -> dict[str, str]:
        """Tag → digest of what it names; empty if there is no such repository."""
        return {tag: self.digest(tag) for tag in self.names()}

    def manifest(self, reference: str) -> tuple[str, dict[str, Any]] | None:
        """Digest and manifest that a tag names, or `None` if there is no such tag."""
        answer = self._ask("GET", f"manifests/{reference}", allow_status=(404,))
        return (_digest(answer.body), json.loads(answer.body)) if answer.ok else None

    def ids(self, reference: str, processor: str) -> tuple[str, ...]:
        """The digests of what a machine would pull: as served, its manifest, its configuration.

        Args:
            reference: a tag or a digest.
            processor: the machine's, as registries name it; of an index the first that is for it.

        Returns:
            None of them if there is no such tag.
        """
        served = self._pulled(reference, processor)
        config = served[-1][1].get("config") if served else None
        return (*(digest for digest, _ in served), *([str(config["digest"])] if config else ()))

    def lost(self, reference: str, processor: str) -> tuple[str, ...]:
        """The digests of what a machine would pull and is not there; arguments as of `ids`."""
        config = self.ids(reference, processor)[-1:]
        parts = (*config, *self.layers(reference, processor))
        return tuple(part for part in parts if not self._has(part))

    def layers(self, reference: str, processor: str) -> tuple[str, ...]:
        """The digests of the layers that a machine would pull; arguments as of `ids`."""
        served = self._pulled(reference, processor)
        found = served[-1][1].get("layers") if served else ()
        return tuple(str(layer["digest"]) for layer in found or ())

    def _has(self, blob: str) -> bool:
        return self._ask("HEAD", f"blobs/{blob}", allow_status=(404,)).ok

    def _pulled(self, reference: str, processor: str) -> list[tuple[str, dict[str, Any]]]:
        """The manifests that a machine reads one after the other, with their digests."""
        found = self.manifest(reference)
        if not found:
            return []
        for inside in found[1].get("manifests") or ():
            platform = inside.get("platform") or {}
            if platform.get("architecture", processor) == processor:
                return [found, *self._pulled(str(inside["digest"]), processor)]
        return [found]

    def labels(self, reference: str) -> dict[str, str]:
        """The labels of an image; none if it is not there, or there are several in one."""
        found = self.manifest(reference)
        config = found[1].get("config") if found else None
        if not config:
            return {}
        about = json.loads(self._ask("GET", f"blobs/{config['digest']}").body)
        return dict((about.get("config") or {}).get("Labels") or {})

    def digest(self, reference: str) -> str:
        """The digest of the manifest that a tag names.

        Raises:
            CourseError: there is none.
        """
        return _digest(self._served(reference).body)

    def retag(self, tag: str, digest: str) -> None:
        """Make a tag name a manifest that the repository has.

        Raises:
            CourseError: it has none of this digest.
        """
        found = self._served(digest)
        self._ask("PUT", f"manifests/{tag}", found.body, found.kind)

    def relabel(self, reference: str, labels: dict[str, str]) -> str:
        """Put an image of the same layers and other labels beside one that is there.

        Args:
            reference: tag or digest of one image (no index of several).
            labels: added to its own.

        Returns:
            The digest of the new one; no tag names it yet.

        Raises:
            CourseError: there is no such image.
        """
        found = self._served(reference)
        manifest: dict[str, Any] = json.loads(found.body)
        config = json.loads(self._ask("GET", f"blobs/{manifest['config']['digest']}").body)
        config["config"] = settings = config.get("config") or {}
        settings["Labels"] = {**(settings.get("Labels") or {}), **labels}
        content = json.dumps(config).encode()
        manifest["config"] |= {"digest": self._upload(content), "size": len(content)}
        made = json.dumps(manifest).encode()
        digest = _digest(made)
        self._ask("PUT", f"manifests/{digest}", made, found.kind)
        return digest

    def remove(self, digest: str, kind: Literal["manifests", "blobs"] = "manifests") -> None:
        """Remove a manifest, and with it every tag that names it, if it is there and that goes.

        Args:
            digest: its own.
            kind: `blobs` for a layer or a configuration.
        """
        self._ask("DELETE", f"{kind}/{digest}", allow_status=(404, 405))

    def _served(self, reference: str) -> _Response:
        answer = self._ask("GET", f"manifests/{reference}", allow_status=(404,))
        if not answer.ok:
            raise CourseError(
                f"{self.registry} has no {self.name}, {reference}",
                "an image of that name",
                f"curl -s {self.registry}/v2/{self.name}/tags/list",
            )
        return answer

    def _upload(self, content: bytes) -> str:
        digest = _digest(content)
        # An upload's place, as the registry names it: with a host or without.
        where = self._ask("POST", "blobs/uploads/", b"").place.split("/v2/", 1)[1]
        glue = "&" if "?" in where else "?"
        path = f"{where.removeprefix(f'{self.name}/')}{glue}digest={digest}"
        self._ask("PUT", path, content, "application/octet-stream")
        return digest

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        *,
        allow_status: tuple[int, ...] = (),
    ) -> _Response:
        """What the registry answers.

        Args:
            method: of HTTP.
            path: below the repository.
            body: what is sent.
            kind: the body's type.
            allow_status: statuses of 400 and above that are an answer too.

        Raises:
            CourseError: nobody answers, or no registry, or with another such status.
        """
        # Dialled directly, whatever proxy the environment names. Python's resolver may answer ::1
        # for localhost, where nothing listens.
        host = self.registry.replace("localhost", "127.0.0.1")
        headers = {"Accept": ", ".join(_MANIFESTS)} | ({"Content-Type": kind} if kind else {})
        connection = http.client.HTTPConnection(host, timeout=_WAIT)
        try:
            connection.request(method, f"/v2/{self.name}/{path}", body, headers)
            got = connection.getresponse()
            answer = _Response(
                got.status,
                got.headers.get("Content-Type", ""),
                got.headers.get("Location", ""),
                got.read(),
            )
            ours = VERSION_HEADER in got.headers
        except http.client.HTTPException:
            ours = False
        except OSError as error:
            raise CourseError(
                f"no registry answers at {self.registry}", "an answer", "course up"
            ) from error
        finally:
            connection.close()
        if not ours:
            raise CourseError(
                f"what answers at {self.registry} is no registry",
                "the course's registry",
                "course doctor   names who listens there; then: course up",
            )
        if not answer.ok and answer.status not in allow_status:
            raise CourseError(
                f"the registry at {self.registry} answers HTTP {answer.status} to {method} "
                f"/v2/{self.name}/{path.partition('?')[0]}",
                "an answer without an error",
                f"docker logs {REGISTRY_NAME}; then: course up",
            )
        return answer


@dataclass(frozen=True)
class _Response:
    """What a registry answers: its status, its body with its type, and the place that it names."""

    status: int
    kind: str
    place: str
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 400


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
