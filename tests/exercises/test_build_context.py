"""What a build of slim-images-2 sends, and which files a developer's folder has."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from course.exercises import build_context
from course.exercises.kit.draw import Draw
from course.exercises.kit.reply import Heard, Reply
from tests.exercises.image_lab import ImageLab, begin, broken, files, seen
from tests.exercises.local import NODE


@pytest.fixture
def greets(tmp_path: Path) -> Iterator[Callable[[str], Heard]]:
    """The service of api/server.mjs, as it came."""
    source = files("slim-images-2") / "api"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (tmp_path / "lang").symlink_to(source / "lang")
    text = (source / "server.mjs").read_text().replace("listen(3000", f"listen({port}")
    (tmp_path / "server.mjs").write_text(text)

    def hear(path: str) -> Heard:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return Reply(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read().decode())

    with subprocess.Popen([NODE, "server.mjs"], cwd=tmp_path) as process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield hear
        process.kill()


def test_the_service_greets_in_its_languages_and_in_no_other(greets: Any) -> None:
    contract = partial(build_context._greeted, build_context._LANGUAGES, False)
    assert broken(contract, greets) == set()
    added = partial(build_context._greeted, {"x1": "Hello"}, True)
    assert broken(added, greets) == {"new-file-missing"}
    assert broken(contract, lambda path: Reply(500, greets(path).body)) == {"wrong-answer"}
    assert broken(contract, lambda _: Reply(200, "{}")) == {"needed-missing", "wrong-answer"}


def test_what_is_planted_has_names_and_depths_that_nobody_can_foresee() -> None:
    class Copy:
        """A folder."""

        def __init__(self) -> None:
            self.files: dict[str, bytes] = {}

        def write(self, name: str, content: bytes) -> None:
            self.files[name] = content

    depths, endings = set(), set()
    for seed in range(40):
        copy: Any = Copy()
        planted = build_context._plant(copy, Draw(seed))
        assert {plant.name for plant in planted.values()} == set(copy.files)
        assert all(text in copy.files[plant.name] for text, plant in planted.items())
        root, below, deep, among, other, *_ = (plant.name for plant in planted.values())
        assert (root, below, among) == (".env", "api/.env", "api/lang/.env")
        depths.add(deep.count("/"))
        endings.add(other)
        assert min(map(len, copy.files.values())) >= build_context._MOST_BYTES
    assert depths == {8, 9, 10, 11} and len(endings) == 40


def test_a_file_that_was_written_and_not_read_is_no_file_that_was_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("a secret")
    assert not build_context.was_read(file)
    written = file.stat().st_mtime_ns
    os.utime(file, ns=(written + 10**7, written))
    assert build_context.was_read(file)


def test_the_developers_folder_has_its_secret_wherever_a_build_may_send_it(home: Path) -> None:
    lab = begin(ImageLab("slim-images-2"))
    secret = lab.facts["secret"].encode()
    files = [file for file in lab.folder().rglob("*") if file.is_file()]
    having = {str(file.relative_to(lab.folder())) for file in files if secret in file.read_bytes()}
    assert having == {
        *(".env", "api/.env", "api/debug.log", ".git/description"),
        *("node_modules/esbuild/package.json", "api/node_modules/sharp/package.json"),
    }
    assert all((lab.folder() / name).exists() for name in build_context._STAY)
    assert sum(file.stat().st_size for file in files) > 8_000_000


def test_a_folder_that_sends_no_secret_is_right(home: Path, images: Any, greets: Any) -> None:
    def hear(path: str) -> Heard:
        added = re.match(r"/\?lang=(x\w+)&name=(\w+)", path)
        if not added:
            return cast("Heard", greets(path))
        greeting = json.loads(lab.made.files[f"api/lang/{added[1]}.json"])["greeting"]
        return Reply(200, json.dumps({"text": f"{greeting}, {added[2]}"}))

    lab: ImageLab = begin(ImageLab("slim-images-2", hear))
    (sent,) = seen(lab)
    assert next(sent.notes()) == "a colleague's build sent 2.0 kB"
