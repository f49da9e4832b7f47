"""An API server on loopback that has one of the apps, and refuses what it is told to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.loopback import Server, serving
from tests.measure.chain.apps import SPACELESS, App

LIST = re.compile(r"/apis?/(?:[^/]+/)?v\d(?:beta1)?(?:/namespaces/(?P<space>[^/]+))?/(?P<kind>\w+)")


@contextmanager
def api(
    app: App,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Collection[str] = (),
    absent: Collection[str] = (),
) -> Iterator[Server]:
    """Serve an app, with a kubeconfig of the namespace `course` in `KUBECONFIG`.

    Args:
        app: what there is.
        folder: for the kubeconfig.
        monkeypatch: sets the variable.
        refused: kinds that may not be read, `pods*` for those of all namespaces alone.
        absent: kinds that are not installed.
    """

    async def answer(_: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        status, body = said(app, head.split(" ")[1], refused, absent)
        data = body if isinstance(body, str) else json.dumps(body)
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(data.encode())}\r\n\r\n{data}".encode()
        )
        await writer.drain()
        return True

    with serving(answer) as server:
        config = folder / "kubeconfig"
        config.write_text(
            "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}],"
            f" clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{server.port}'}}}}],"
            " contexts: [{name: c, context: {cluster: k, user: u, namespace: course}}]}"
        )
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield server


def said(
    app: App, target: str, refused: Collection[str], absent: Collection[str]
) -> tuple[int, Any]:
    url = urlsplit(target)
    if found := re.fullmatch(r"/api/v1/namespaces/course/pods/([^/]+)/log", url.path):
        container = parse_qs(url.query)["container"][0]
        return 200, app.logs.get((found[1], container), "")
    if found := re.fullmatch(r"/api/v1/namespaces/course/services/(\w+):(\d+)/proxy/", url.path):
        failed = app.replies.get((found[1], int(found[2])), "").partition(": ")[2]
        return (503, {"kind": "Status", "message": failed}) if failed else (404, "Not Found")
    found = LIST.fullmatch(url.path)
    assert found, target
    kind, space = found["kind"], found["space"]
    if kind in absent:
        return 404, "404 page not found\n"
    if kind in refused or (f"{kind}*" in refused and not space):
        message = f'{kind} is forbidden: User "learner" cannot list resource "{kind}"'
        return 403, {"kind": "Status", "message": message}
    known = app.chain().objects[kind]
    there = [t for t in known if not space or (t.space == space and t["kind"] not in SPACELESS)]
    named = known[0]["kind"] if known else kind
    items = [{key: value for key, value in t.items() if key != "kind"} for t in there]
    return 200, {"apiVersion": "v1", "kind": f"{named}List", "metadata": {}, "items": items}
