"""Docker Hub: the registry, its tokens, the CDN that holds the blobs, and the limit."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.internet.published import Published
from tests.internet.web import Answer, Request, Site, moved

REGISTRY = "registry-1.docker.io"
TOKENS = "auth.docker.io"
CDN = "production.cloudflare.docker.com"
LIMIT = 100
"""Pulls without a login in six hours."""
TOO_MANY = (
    "You have reached your unauthenticated pull rate limit. "
    "https://www.docker.com/increase-rate-limit"
)
_JSON = {"Content-Type": "application/json"}
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<what>manifests|blobs|tags)/(?P<ref>[^/]+)")
_DATA = re.compile(r"/registry-v2/docker/registry/v2/blobs/sha256/\w\w/(?P<hex>\w{64})/data")


def _error(status: int, code: str, message: str, **headers: str) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, body, _JSON | headers)


@dataclass
class Hub:
    """Docker Hub with some images.

    Args:
        images: what was published.
        tokens: whether one has to be asked for; a company's mirror wants none.
        redirects: whether blobs come from the CDN.
    """

    images: Published
    tokens: bool = True
    redirects: bool = True
    pulls: int = 0
    given: dict[str, str] = field(default_factory=dict)
    """Token → scope."""

    def sites(self) -> dict[str, Site]:
        """Its hosts."""
        return {REGISTRY: self.registry, TOKENS: self.token, CDN: self.cdn}

    def token(self, request: Request) -> Answer:
        """An anonymous token for one scope."""
        query = parse_qs(request.query)
        if request.path != "/token" or query.get("service") != ["registry.docker.io"]:
            return Answer(404)
        token = secrets.token_urlsafe(24)
        self.given[token] = " ".join(query.get("scope", []))
        body = {"token": token, "access_token": token, "expires_in": 300}
        return Answer(200, json.dumps(body).encode(), _JSON)

    def cdn(self, request: Request) -> Answer:
        """A blob, to whom the registry sent here."""
        found = _DATA.fullmatch(request.path)
        if not found or "verify=" not in request.query:
            return Answer(403)
        file = self.images.blob(f"sha256:{found['hex']}")
        return (
            Answer(200, file, {"Content-Type": "application/octet-stream"}) if file else Answer(404)
        )

    def registry(self, request: Request) -> Answer:
        """The registry protocol, for whoever pulls."""
        found = _PATH.fullmatch(request.path)
        name = found["name"] if found else ""
        if self.tokens and not self._allowed(request, name):
            where = f'Bearer realm="https://{TOKENS}/token",service="registry.docker.io"'
            if name:
                where += f',scope="repository:{name}:pull"'
            return _error(
                401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": where}
            )
        if request.path == "/v2/":
            return Answer(200, b"{}", _JSON | {"Docker-Distribution-Api-Version": "registry/2.0"})
        if not found:
            return _error(404, "NOT_FOUND", "not found")
        what = {"manifests": self._manifest, "blobs": self._blob, "tags": self._tags}
        return what[found["what"]](request, name, found["ref"])

    def _allowed(self, request: Request, name: str) -> bool:
        scope = self.given.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return scope is not None and (not name or f"repository:{name}:" in scope)

    def _manifest(self, request: Request, name: str, ref: str) -> Answer:
        found = self.images.manifest(name, ref)
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        self.pulls += request.method == "GET"
        digest, media, body = found
        limit = f"{LIMIT};w=21600"
        left = f"{max(0, LIMIT - self.pulls)};w=21600"
        headers = {"Content-Type": media, "Docker-Content-Digest": digest}
        headers |= {"ratelimit-limit": limit, "ratelimit-remaining": left}
        return Answer(200, body, headers)

    def _blob(self, _: Request, name: str, digest: str) -> Answer:
        file = self.images.blob(digest)
        if file is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        hex_ = digest.removeprefix("sha256:")
        if self.redirects:
            path = f"/registry-v2/docker/registry/v2/blobs/sha256/{hex_[:2]}/{hex_}/data"
            return moved(f"https://{CDN}{path}?verify={secrets.token_hex(8)}")
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        return Answer(200, file, headers)

    def _tags(self, _: Request, name: str, ref: str) -> Answer:
        found = sorted(tag for n, tag in self.images.tags if n == name)
        return Answer(200, json.dumps({"name": name, "tags": found}).encode(), _JSON)


def too_many() -> dict[str, Any]:
    """What `Web.fault` takes for Docker Hub's limit."""
    body = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": TOO_MANY}]}).encode()
    headers = _JSON | {"ratelimit-limit": f"{LIMIT};w=21600", "ratelimit-remaining": "0;w=21600"}
    return {"status": 429, "body": body, "headers": headers}
