"""course.measure.registry_client: a repository's tags, moved through a small registry."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure.registry_client import Repository, short

KIND = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry(BaseHTTPRequestHandler):
    """As much of the distribution protocol as is asked of it."""

    manifests: dict[str, bytes]
    blobs: dict[str, bytes]
    faults: dict[str, int]

    def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(self.faults.get(self.path, code))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        where, _, name = self.path.removeprefix("/v2/team/runtime/").partition("/")
        if where == "tags":
            tags = [tag for tag in self.manifests if ":" not in tag]
            self.answer(200, json.dumps({"tags": tags}).encode())
            return
        found = {"manifests": self.manifests, "blobs": self.blobs}.get(where, {}).get(name)
        if found is None:
            self.answer(404)
        else:
            self.answer(200, found, Content_Type=KIND)

    def do_HEAD(self) -> None:
        self.answer(200 if self.path.rpartition("/")[2] in self.blobs else 404)

    def do_POST(self) -> None:
        self.answer(202, Location="/v2/team/runtime/blobs/uploads/1?state=x")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.removeprefix("/v2/team/runtime/").partition("?")
        if path.startswith("blobs/uploads/"):
            self.blobs[query.split("digest=")[1]] = body
        else:
            assert self.headers["Content-Type"] == KIND
            self.manifests[path.removeprefix("manifests/")] = self.manifests[digest(body)] = body
        self.answer(201)

    def do_DELETE(self) -> None:
        gone = self.manifests.pop(self.path.rpartition("/")[2], None)
        for tag in [tag for tag, body in self.manifests.items() if body == gone]:
            del self.manifests[tag]
        self.answer(404 if gone is None else 202)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def runtime() -> Iterator[Repository]:
    config = json.dumps({"config": {"Labels": {"a": "1"}}, "rootfs": {"diff_ids": ["x"]}}).encode()
    manifest = {"config": {"digest": digest(config), "size": len(config)}, "layers": ["y"]}
    body = json.dumps(manifest).encode()
    Registry.faults = {}
    Registry.blobs = {digest(config): config}
    Registry.manifests = {"1.0": body, digest(body): body}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Repository(f"localhost:{server.server_port}", "team/runtime")
    server.shutdown()
    server.server_close()


def test_a_tag_is_moved_and_moved_back(runtime: Repository) -> None:
    first = runtime.digest("1.0")
    other = runtime.relabel("1.0", {"moved": "yes"})
    assert other != first
    runtime.retag("1.0", other)
    assert runtime.tags() == {"1.0": other}
    runtime.retag("1.0", first)
    assert runtime.tags() == {"1.0": first}


def test_another_label_leaves_the_layers_and_the_other_labels(runtime: Repository) -> None:
    made = json.loads(Registry.manifests[runtime.relabel("1.0", {"moved": "yes"})])
    config = json.loads(Registry.blobs[made["config"]["digest"]])
    assert config["config"]["Labels"] == {"a": "1", "moved": "yes"}
    assert config["rootfs"] == {"diff_ids": ["x"]} and made["layers"] == ["y"]
    assert made["config"]["size"] == len(Registry.blobs[made["config"]["digest"]])


def test_an_image_whose_configuration_is_null_has_no_labels_and_gets_some(
    runtime: Repository,
) -> None:
    for config in list(Registry.blobs):
        Registry.blobs[config] = b'{"config": null}'
    assert runtime.labels("1.0") == {}
    made = json.loads(Registry.manifests[runtime.relabel("1.0", {"a": "1"})])
    assert json.loads(Registry.blobs[made["config"]["digest"]]) == {
        "config": {"Labels": {"a": "1"}}
    }


def test_an_image_that_cannot_be_pulled_lacks_a_layer_or_its_configuration(
    runtime: Repository,
) -> None:
    layers = [{"digest": digest(layer)} for layer in (b"lower", b"upper")]
    (config,) = Registry.blobs
    body = json.dumps({"config": {"digest": config}, "layers": layers}).encode()
    Registry.manifests |= {"1.0": body, digest(body): body}
    index({"digest": digest(body), "platform": {"architecture": "amd64"}})
    Registry.blobs |= {digest(layer): layer for layer in (b"lower", b"upper")}
    assert runtime.lost("1.0", "amd64") == runtime.lost("index", "amd64") == ()
    del Registry.blobs[digest(b"upper")], Registry.blobs[config]
    assert runtime.lost("1.0", "amd64") == (config, digest(b"upper"))
    assert runtime.lost("index", "amd64") == (config, digest(b"upper"))
    assert runtime.lost("2.0", "amd64") == ()


def index(*entries: dict[str, Any]) -> str:
    """Serve an index under the tag `index`, and return its digest."""
    body = json.dumps({"manifests": entries}).encode()
    Registry.manifests |= {"index": body, digest(body): body}
    return digest(body)


def test_what_a_machine_would_pull_is_known_by_each_of_its_digests(runtime: Repository) -> None:
    made = runtime.digest("1.0")
    (config,) = Registry.blobs
    assert runtime.ids("1.0", "amd64") == (made, config)
    assert runtime.ids("2.0", "amd64") == ()
    for_us = {"digest": made, "platform": {"architecture": "amd64", "os": "linux"}}
    about = {"digest": "sha256:a", "platform": {"architecture": "unknown", "os": "unknown"}}
    whole = index(about, for_us)
    assert runtime.ids("index", "amd64") == (whole, made, config)
    assert runtime.ids("index", "arm64") == (whole,)


def test_of_an_index_the_first_that_fits_is_pulled_and_no_other(runtime: Repository) -> None:
    made = runtime.digest("1.0")
    other = runtime.relabel("1.0", {"moved": "yes"})
    ids = {index({"digest": other}, {"digest": made, "platform": None})}
    ids |= set(runtime.ids("index", "amd64"))
    assert other in ids and made not in ids


def test_a_digest_is_shown_by_its_beginning() -> None:
    assert short("sha256:0123456789abcdef") == short("0123456789ab") == "0123456789ab"


def test_what_is_removed_takes_its_tags_along_and_may_be_gone_already(runtime: Repository) -> None:
    first = runtime.digest("1.0")
    runtime.remove(first)
    runtime.remove(first)
    assert runtime.tags() == {}


def test_what_is_not_there_is_named(runtime: Repository) -> None:
    with pytest.raises(CourseError, match=r"no team/runtime, 2\.0"):
        runtime.digest("2.0")


def test_only_what_is_not_there_is_not_there(runtime: Repository) -> None:
    found = runtime.manifest("1.0")
    assert found and found[0] == runtime.digest("1.0") and found[1]["layers"] == ["y"]
    assert (runtime.labels("1.0"), runtime.names()) == ({"a": "1"}, ["1.0"])
    assert (runtime.manifest("2.0"), runtime.labels("2.0")) == (None, {})
    blob = f"/v2/team/runtime/blobs/{found[1]['config']['digest']}"
    Registry.faults = {blob: 404}
    with pytest.raises(CourseError, match="answers HTTP 404 to GET"):
        runtime.labels("1.0")
    Registry.faults = {"/v2/team/runtime/manifests/1.0": 500}
    for asks in (runtime.manifest, runtime.labels, runtime.digest):
        with pytest.raises(CourseError, match="answers HTTP 500 to GET"):
            asks("1.0")


def test_it_is_dialled_directly_whatever_proxy_is_set(
    runtime: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert runtime.names() == ["1.0"]


def test_a_registry_that_does_not_answer_is_named() -> None:
    with pytest.raises(CourseError, match="no registry answers at localhost:1"):
        Repository("localhost:1", "a").digest("1.0")
