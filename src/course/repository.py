"""One repository of a registry: what its tags name, and how to make them name something else.

The registry's own API (https://github.com/opencontainers/distribution-spec/blob/main/spec.md), for
what `docker push` cannot do: move a tag without touching the images of this machine.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from course.errors import CourseError

_WAIT = 20
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True)
class Repository:
    """A repository.

    Args:
        registry: `host:port`; spoken to over plain HTTP.
        name: e.g. `team/runtime`.
    """

    registry: str
    name: str

    def tags(self) -> dict[str, str]:
        """Tag → digest of what it names; empty if there is no such repository."""
        try:
            listed = json.loads(self._ask("GET", "tags/list")[1]).get("tags") or []
        except urllib.error.HTTPError:
            return {}
        return {tag: self.digest(tag) for tag in listed}

    def digest(self, reference: str) -> str:
        """The digest of the manifest that a tag names.

        Raises:
            CourseError: there is none.
        """
        return _digest(self._manifest(reference)[1])

    def point(self, tag: str, digest: str) -> None:
        """Make a tag name a manifest that the repository has.

        Raises:
            CourseError: it has none of this digest.
        """
        kind, body = self._manifest(digest)
        self._ask("PUT", f"manifests/{tag}", body, kind)

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
        kind, body = self._manifest(reference)
        manifest: dict[str, Any] = json.loads(body)
        config = json.loads(self._ask("GET", f"blobs/{manifest['config']['digest']}")[1])
        settings = config.setdefault("config", {})
        settings["Labels"] = {**(settings.get("Labels") or {}), **labels}
        content = json.dumps(config).encode()
        manifest["config"] |= {"digest": self._upload(content), "size": len(content)}
        made = json.dumps(manifest).encode()
        digest = _digest(made)
        self._ask("PUT", f"manifests/{digest}", made, kind)
        return digest

    def remove(self, digest: str) -> None:
        """Remove a manifest, and with it every tag that names it, if it is there."""
        try:
            self._ask("DELETE", f"manifests/{digest}")
        except urllib.error.HTTPError:
            return

    def _manifest(self, reference: str) -> tuple[str, bytes]:
        try:
            return self._ask("GET", f"manifests/{reference}")
        except urllib.error.HTTPError:
            raise CourseError(
                f"{self.registry} has no {self.name}, {reference}",
                "an image of that name",
                f"curl -s {self.registry}/v2/{self.name}/tags/list",
            ) from None

    def _upload(self, content: bytes) -> str:
        digest = _digest(content)
        with self._open("POST", "blobs/uploads/", b"") as answer:
            where = answer.headers["Location"]
        glue = "&" if "?" in where else "?"
        self._ask("PUT", f"{where}{glue}digest={digest}", content, "application/octet-stream")
        return digest

    def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[str, bytes]:
        with self._open(method, path, body, kind) as answer:
            return answer.headers.get("Content-Type", ""), answer.read()

    def _open(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:
        # Python's resolver may answer ::1 for localhost, where nothing listens.
        host = self.registry.replace("localhost", "127.0.0.1")
        if path.startswith("http"):  # an upload's place, as the registry names it
            path = path.split("/v2/", 1)[1]
            url = f"http://{host}/v2/{path}"
        elif path.startswith("/"):
            url = f"http://{host}{path}"
        else:
            url = f"http://{host}/v2/{self.name}/{path}"
        headers = {"Accept": ", ".join(_MANIFESTS)} | ({"Content-Type": kind} if kind else {})
        request = urllib.request.Request(  # noqa: S310
            url, data=body, headers=headers, method=method
        )
        try:
            return urllib.request.urlopen(request, timeout=_WAIT)  # noqa: S310
        except urllib.error.HTTPError:
            raise
        except OSError:
            raise CourseError(
                f"no registry answers at {self.registry}", "an answer", "course up"
            ) from None


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
