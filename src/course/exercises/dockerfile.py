"""Start states and checks of 02-dockerfile.

Each check builds a copy of the learner's folder, edits it with a fresh nonce and builds again. The
program in the copy is the course's own, whatever the folder holds, and tells of itself what the
check asks for: which edition it is, when its dependencies were installed.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

from course.core import paths
from course.exercises.kit.build_errors import named, wrong_build
from course.exercises.kit.copy import Copy
from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import Lab, Served
from course.exercises.kit.verdict import EDIT_MISSING, OLD_RUNTIME, WRONG_ANSWER, Wrong
from course.measure.builds import Build

_PORT = 3000
_START_WAIT = 30.0


def _ask(served: Served, path: str, id_: str) -> dict[str, Any]:
    """What the service says of itself.

    Raises:
        Wrong: it does not answer; the end of its log is told.
    """
    status, body = served.get(path, wait=_START_WAIT)
    if status == 0:
        raise _why_no_answer(served, id_)
    try:
        return dict(json.loads(body))
    except ValueError as error:
        raise Wrong(
            WRONG_ANSWER,
            saw=f"GET {path} answers {status}: {body[:80]}",
            want="the answer of the program in this folder",
            try_="which program does CMD start?",
        ) from error


def _why_no_answer(served: Served, id_: str) -> Wrong:
    log = served.log()
    package = re.search(r"Cannot find (?:package|module) '([^']+)'", log)
    if package and not package[1].startswith("/"):
        return Wrong(
            "packages-missing",
            saw=f"the container ends: it cannot find the package {package[1]}",
            want="the dependencies in the image, installed by a step of it",
            try_=f"docker run --rm $(docker build -q {id_}) ls node_modules",
        )
    if package:
        return Wrong(
            "file-missing",
            saw=f"the container ends: it cannot find {package[1]}",
            want="every file that the program reads, where it reads it",
            try_=f"docker run --rm $(docker build -q {id_}) ls -R --ignore=node_modules",
        )
    return served.why_no_answer(f"$(docker build -q {id_})", f"the service, listening on {_PORT}")


def _slowest(build: Build) -> str:
    """The longest RUN that was done again, as a message names it."""
    runs = [step for step in build.ran if step.key == "RUN"]
    if not runs:
        return "the install"
    step = max(runs, key=lambda s: s.seconds)
    return f"{named(step)} ({step.seconds:.1f} s)"


def _lock(name: str, version: str, packages: dict[str, tuple[str, str]]) -> str:
    """A lock file as npm writes it.

    Args:
        name: of the project.
        version: of the project.
        packages: dependency → its version and integrity.
    """
    whole: dict[str, Any] = {
        "": {"name": name, "version": version, "dependencies": _wanted(packages)}
    }
    for package, (pinned, integrity) in packages.items():
        whole[f"node_modules/{package}"] = {
            "version": pinned,
            "resolved": f"https://registry.npmjs.org/{package}/-/{package}-{pinned}.tgz",
            "integrity": integrity,
        }
    head = {"name": name, "version": version, "lockfileVersion": 3, "requires": True}
    return json.dumps({**head, "packages": whole}, indent=2) + "\n"


def _package(name: str, version: str, packages: dict[str, tuple[str, str]]) -> str:
    head = {"name": name, "version": version, "private": True, "type": "module"}
    return json.dumps({**head, "dependencies": _wanted(packages)}, indent=2) + "\n"


def _wanted(packages: dict[str, tuple[str, str]]) -> dict[str, str]:
    # A range, so that an install without the lock file brings something else.
    return {name: f"^{pinned}" for name, (pinned, _) in packages.items()}


_PACKAGES = {
    "ms": (
        "2.1.2",
        "sha512-sGkPx+VjMtmA6MX27oA4FBFELFCZZ4S4XqeGOXCv68tT+jb3vk/RyaKWP0PTKyWtmLSM0b+adUTEvbs1PEaH2w==",
    ),
}

_INDEX_TOOL = """\
// Reads data/stops.txt, writes index.json: word -> the stops with that word.
import { readFileSync, writeFileSync } from "node:fs";

const words = {};
for (const stop of readFileSync("data/stops.txt", "utf8").split("\\n").filter(Boolean)) {
  for (const word of stop.toLowerCase().split(" ")) (words[word] ??= []).push(stop);
}
writeFileSync("index.json", JSON.stringify({ made: Date.now(), words }));
console.log(`indexed ${Object.keys(words).length} words`);
"""
_STOPS_SERVER = """\
// GET /?word=hill -> the stops with that word.   GET /about -> how old the parts of this image are.
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import ms from "ms";
import { edition } from "./edition.mjs";

const index = JSON.parse(readFileSync(new URL("../index.json", import.meta.url), "utf8"));
const installed = statSync(createRequire(import.meta.url).resolve("ms")).mtimeMs;

createServer((request, response) => {
  const url = new URL(request.url, "http://service");
  response.setHeader("content-type", "application/json");
  if (url.pathname === "/about") {
    const age = ms(Date.now() - index.made, { long: true });
    response.end(JSON.stringify({ edition, installed, indexed: index.made, age }));
    return;
  }
  response.end(JSON.stringify({ stops: index.words[url.searchParams.get("word")] ?? [] }));
}).listen(3000, () => console.log("stops listens on 3000"));
"""
_STOPS = "Harbour Lane\nHarbour Hill\nOld Town Hall\nTown Hill\nMill Lane\nStation\n"
_STOPS_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY . .
RUN npm ci
RUN node tools/index.mjs
USER node
CMD ["node", "src/server.mjs"]
"""


@exercise("dockerfile-1")
class EditKeepsDependencies:
    """Two slow steps, and each is done again for a change of its own input only."""

    def begin(self, lab: Lab) -> None:
        """A service with a dependency and a generated index; everything is copied first."""
        lab.rename_existing("stops:lab")
        lab.write("package.json", _package("stops", "1.0.0", _PACKAGES))
        lab.write("package-lock.json", _lock("stops", "1.0.0", _PACKAGES))
        lab.write("tools/index.mjs", _INDEX_TOOL)
        lab.write("data/stops.txt", _STOPS)
        lab.write("src/edition.mjs", 'export const edition = "first";\n')
        lab.write("src/server.mjs", _STOPS_SERVER)
        lab.write("Dockerfile", _STOPS_DOCKERFILE)

    def check(self, lab: Lab) -> None:
        """Edit the source of a copy, then its data, and ask each image what it was made of."""
        with lab.observe("three builds of a copy"), lab.copy() as copy:
            copy.write("src/server.mjs", _STOPS_SERVER)
            copy.write("tools/index.mjs", _INDEX_TOOL)
            copy.build()
            first = self._about(copy)
            edition = f'export const edition = "{copy.nonce}";\n'
            build = copy.rebuild({"src/edition.mjs": edition})
            edited = self._about(copy)
            self._source_alone(copy.nonce, first, edited, build)
            stop = f"{copy.nonce} Square"
            build = copy.rebuild({"data/stops.txt": f"{_STOPS}{stop}\n"})
            with copy.container(port=_PORT) as served:
                found = _ask(served, f"/?word={copy.nonce}", lab.id).get("stops")
                moved = _ask(served, "/about", lab.id)
        if found != [stop]:
            raise Wrong(
                "stale-index",
                saw=f"a stop that was added to data/stops.txt is not found: {found}",
                want="an index that the build makes, from the data that it copies",
                try_="which step writes index.json? and what did it read?",
            )
        if moved["installed"] != edited["installed"]:
            raise Wrong(
                "install-after-data",
                saw=f"after an edit of data/stops.txt {_slowest(build)} was done, "
                "and the dependencies were installed again",
                want="the index made again, and the install kept",
                try_="which of the two slow steps stands below the other's COPY?",
            )
        lab.note("an edit of src/ keeps both slow steps, an edit of data/ keeps the install")

    def _about(self, copy: Copy) -> dict[str, Any]:
        with copy.container(port=_PORT) as served:
            return _ask(served, "/about", "dockerfile-1")

    def _source_alone(
        self, nonce: str, first: dict[str, Any], edited: dict[str, Any], build: Build
    ) -> None:
        if edited["edition"] != nonce:
            raise Wrong(
                EDIT_MISSING,
                saw=f"after an edit of src/ the image still serves edition `{edited['edition']}`",
                want=f"the edited source, edition `{nonce}`",
                try_="which COPY brings src/ in?",
            )
        if edited["installed"] != first["installed"]:
            if not any(step.key == "RUN" for step in build.ran):
                raise Wrong(
                    "installs-at-start",
                    saw="no step of the build installs: each start of the container does",
                    want="the dependencies installed while the image is built",
                    try_="which step of dockerfile-1/Dockerfile installs? and what does CMD do?",
                )
            raise Wrong(
                "install-again",
                saw=f"after an edit of src/ {_slowest(build)} was done, "
                "and the dependencies were installed again",
                want="the install kept: its inputs did not change",
                try_="which files does the COPY above the install bring in?",
            )
        if edited["indexed"] != first["indexed"]:
            raise Wrong(
                "index-again",
                saw=f"after an edit of src/ {_slowest(build)} was done: the index was made again",
                want="the index kept: its inputs did not change",
                try_="which files does tools/index.mjs read? what else stands above its step?",
            )


_ORDERS_FILES = (
    *("package.json", "package-lock.json", ".npmrc", ".dockerignore", "README.md"),
    *("tsconfig.json", "tsconfig.build.json", "src", "migrations"),
)
_ORDERS_ENV = {"DATABASE_URL": "postgres://nobody:none@127.0.0.1:5432/none"}
_ORDERS_ROOT = '({ service: "orders", version: config.version })'
_ENGINES = '"engines": { "node": ">=24" }'


def orders_file(name: str) -> str:
    """A file of the sample service as it came."""
    return (paths.ROOT / "apps" / "orders" / name).read_text(encoding="utf-8")


def notes_dockerfile() -> str:
    """The notes' Dockerfile, on the base image that the course has."""
    lines = orders_file("Dockerfile.notes").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("#"))
    return text.replace("FROM node:20\n", "FROM node:20-slim\n")


@exercise("dockerfile-2")
class OrdersBuilds:
    """Break-it: the notes' Dockerfile for orders."""

    def begin(self, lab: Lab) -> None:
        """The source of orders and the notes' Dockerfile."""
        lab.rename_existing("orders:lab")
        source = paths.ROOT / "apps" / "orders"
        lab.folder().mkdir(parents=True, exist_ok=True)
        for name in _ORDERS_FILES:
            if (source / name).is_dir():
                shutil.copytree(source / name, lab.folder() / name)
            else:
                shutil.copy2(source / name, lab.folder() / name)
        lab.write("Dockerfile", notes_dockerfile())

    def check(self, lab: Lab) -> None:
        """Build a copy whose source has a nonce, run it, and try the rule on Node's version."""
        with lab.observe("two builds of a copy, and a run"), lab.copy() as copy:
            answer = f'({{ service: "orders", nonce: "{copy.nonce}", version: config.version }})'
            edited = orders_file("src/app.ts").replace(_ORDERS_ROOT, answer)
            copy.rebuild({"src/app.ts": edited}, wait=240)
            with copy.container(port=_PORT, env=_ORDERS_ENV) as served:
                said = _ask(served, "/", lab.id)
                node = served.run("node", "--version")
                user = served.run("id", "-u")
            self._runs(copy.nonce, said, node, user)
            newer = orders_file("package.json").replace(_ENGINES, _ENGINES.replace("24", "99"))
            copy.write("package.json", newer)
            build = copy.attempt("--output=type=cacheonly", wait=240)
        if not build.error:
            raise Wrong(
                "engines-ignored",
                saw=f'with "engines": {{"node": ">=99"}} the build goes on, on Node {node}',
                want="a build that stops on a Node that orders does not support",
                try_="ls -A dockerfile-2   which file has the rule, and which step reads it?",
            )
        # Nothing else changed since the build before: but a registry that is away is no refusal.
        said_why = "\n".join(build.failed.log) if build.failed else ""
        if not re.search(r"engine|\b99\b", said_why, re.I):
            raise wrong_build(build, lab.id, 240)
        lab.note(f"it runs on Node {node} as user {user}; a Node that is too old stops the build")

    def _runs(self, nonce: str, said: dict[str, Any], node: str, user: str) -> None:
        if said.get("nonce") != nonce:
            raise Wrong(
                EDIT_MISSING,
                saw="the image answers, but not from the source in this folder",
                want="a service built from src/ by the Dockerfile",
                try_="which step compiles src/? is dist/ copied from somewhere?",
            )
        major = re.match(r"v(\d+)", node)
        if major is None or int(major[1]) < 24:
            raise Wrong(
                OLD_RUNTIME,
                saw=f"`node --version` in the container says {node[:60]}",
                want="Node 24 or newer, as package.json says in `engines`",
                try_="which image does FROM name?",
            )
        if user == "0":
            raise Wrong(
                "root",
                saw="the service runs as root; in the notes it ran as node",
                want="a user that is not root",
                try_="docker run --rm $(docker build -q dockerfile-2) id",
            )


_GREET_PACKAGES = {
    **_PACKAGES,
    "picocolors": (
        "1.1.0",
        "sha512-TQ92mBOW0l3LeMeyLV6mzy/kWr8lkd/hp3mTg7wYK7zJhuBStmGMBG0BdeDZS/dZx1IukaX6Bk11zcln25o1Aw==",
    ),
}
_GREET_SERVER = """\
// GET / -> a greeting, and which versions are in this image.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import ms from "ms";
import colors from "picocolors";

const began = Date.now();
const read = (file) => JSON.parse(readFileSync(file, "utf8")).version;
const require = createRequire(import.meta.url);
const versions = {
  greet: read(new URL("./package.json", import.meta.url)),
  ms: read(require.resolve("ms/package.json")),
  picocolors: read(require.resolve("picocolors/package.json")),
};

createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ greeting: "Hello", up: ms(Date.now() - began), versions }));
}).listen(3000, () => console.log(colors.green("greet listens on 3000")));
"""
_GREET_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
USER node
CMD ["node", "server.mjs"]
"""


@exercise("dockerfile-3")
class LockChangeDownloadsNothing:
    """An install that must run again, and need not download again."""

    def begin(self, lab: Lab) -> None:
        """A service in the good order, without a cache mount."""
        lab.rename_existing("greet:lab")
        lab.write("package.json", _package("greet", "1.0.0", _GREET_PACKAGES))
        lab.write("package-lock.json", _lock("greet", "1.0.0", _GREET_PACKAGES))
        lab.write("server.mjs", _GREET_SERVER)
        lab.write("Dockerfile", _GREET_DOCKERFILE)

    def check(self, lab: Lab) -> None:
        """Build a copy on an empty cache, then with a new version and a registry without files.

        In the second lock file each package keeps its checksum, and its address is one that no
        registry has: an install from the cache succeeds, a download cannot.
        """
        with lab.observe("two builds of a copy"), lab.copy() as copy:
            # A name space of its own: the cache is empty, as on a machine that never built this.
            own = ("--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={copy.nonce}")
            copy.write("server.mjs", _GREET_SERVER)
            # Nor may the learner's own build lend its layer: then nothing would fill the cache.
            first = f"1.1.{int(copy.nonce, 16)}"
            copy.write("package.json", _package("greet", first, _GREET_PACKAGES))
            copy.write("package-lock.json", _lock("greet", first, _GREET_PACKAGES))
            build = copy.attempt("--tag", copy.tag, *own)
            if build.failed and any("ENOTCACHED" in line for line in build.failed.log):
                raise Wrong(
                    "needs-a-full-cache",
                    saw=f"with an empty cache {named(build.failed)} fails: it may not download",
                    want="a build that works on a new machine, and downloads there once",
                    try_="which option forbids npm to ask the registry?",
                )
            if build.error:
                raise wrong_build(build, lab.id, 120)
            self._versions(copy, first)
            version = f"1.2.{int(copy.nonce, 16)}"
            lock = _lock("greet", version, _GREET_PACKAGES).replace(".tgz", f"-{copy.nonce}.tgz")
            copy.write("package.json", _package("greet", version, _GREET_PACKAGES))
            copy.write("package-lock.json", lock)
            build = copy.attempt("--tag", copy.tag, *own)
            if build.error:
                # The addresses changed too; whoever takes the number alone out of the install's
                # input keeps the whole step, and downloads as little.
                version = f"1.3.{int(copy.nonce, 16)}"
                copy.write("package.json", _package("greet", version, _GREET_PACKAGES))
                copy.write("package-lock.json", _lock("greet", version, _GREET_PACKAGES))
                again = copy.attempt("--tag", copy.tag, *own)
                kept = build.failed and again.find(build.failed.instruction)
                if again.error or not kept or not kept.cached:
                    raise self._why(build, lab.id)
                build = again
            if not build.ran:
                raise Wrong(
                    EDIT_MISSING,
                    saw="after a change of both package files every step came from the cache",
                    want="an image made from them",
                    try_="which COPY brings them in?",
                )
            self._versions(copy, version)
        lab.note(f"another version number: {_slowest(build)} was done again, from its cache")

    def _versions(self, copy: Copy, own: str) -> None:
        with copy.container(port=_PORT) as served:
            versions = _ask(served, "/", "dockerfile-3").get("versions", {})
        wanted = {"greet": own} | {name: pinned for name, (pinned, _) in _GREET_PACKAGES.items()}
        wrong = {name: v for name, v in wanted.items() if versions.get(name) != v}
        if wrong:
            name, want = next(iter(wrong.items()))
            raise Wrong(
                EDIT_MISSING if name == "greet" else "lock-ignored",
                saw=f"the image has {name} {versions.get(name)}",
                want=f"{name} {want}, as package-lock.json says",
                try_="which npm command installs what the lock file says, and nothing else?",
            )

    def _why(self, build: Build, id_: str) -> Wrong:
        step = build.failed
        asked = step is not None and any(re.search(r"\bE?40\d\b", line) for line in step.log)
        if step is None or not asked:
            return wrong_build(build, id_, 120)
        saw = f"another version number, and {named(step)} asks the registry for the packages again"
        # The builder's own report of the step, not the learner's file.
        if re.search(r"--mount=\S*type=cache", step.instruction):
            return Wrong(
                "cache-not-used",
                saw=f"{saw}, though a cache is mounted",
                want="a cache where npm keeps its downloads",
                try_="docker run --rm node:24-slim npm config get cache",
            )
        if "mount=type=cache" in step.instruction:
            return Wrong(
                "no-option",
                saw=f"{saw}: nothing is mounted, since the shell took `mount=…` for a variable",
                want="a mount, told to the builder",
                try_="an option of RUN begins with two dashes: RUN --mount=…",
            )
        return Wrong(
            "downloads-again",
            saw=saw,
            want="an install from what was downloaded before",
            try_="where does npm keep what it downloads, and what becomes of that folder?",
        )


_ASSETS_TOOL = """\
// Reads assets/, writes public/*.br: compressed once here, not at each request.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

mkdirSync("public", { recursive: true });
for (const name of readdirSync("assets")) {
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  writeFileSync(`public/${name}.br`, brotliCompressSync(readFileSync(`assets/${name}`), options));
}
writeFileSync("public/made", String(Date.now()));
"""
_SITE_SERVER = """\
// GET /?word=hill -> the stops with that word.   GET /first -> the first line of the timetable.
// GET /about -> when the parts of this image were made.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { brotliDecompressSync } from "node:zlib";

const index = JSON.parse(readFileSync("index.json", "utf8"));
const compressed = Number(readFileSync("public/made", "utf8"));
const timetable = brotliDecompressSync(readFileSync("public/timetable.txt.br")).toString();

createServer((request, response) => {
  const url = new URL(request.url, "http://service");
  const stops = index.words[url.searchParams.get("word")] ?? [];
  const about = { indexed: index.made, compressed };
  const first = { first: timetable.split("\\n")[0] };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ "/about": about, "/first": first }[url.pathname] ?? { stops }));
}).listen(3000, () => console.log("site listens on 3000"));
"""
_SITE_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY tools ./tools
COPY data ./data
RUN node tools/index.mjs
COPY assets ./assets
RUN node tools/compress.mjs
COPY server.mjs ./
USER node
CMD ["node", "server.mjs"]
"""
DAY = {"data": 5, "assets": 6}
"""How often a day the data and the assets change."""
_LINES = 16_000
_FACTOR = 4.0


def _timetable() -> str:
    stops = _STOPS.splitlines()
    rows = (
        f"{n // 60 % 24:02d}:{n % 60:02d} {stops[n * n % len(stops)]} {n * 2654435761 % 2**32:x}"
        for n in range(_LINES)
    )
    return "\n".join(rows) + "\n"


@exercise("dockerfile-4")
class CheaperOrder:
    """Two slow steps that do not need each other: which order costs less a day."""

    def begin(self, lab: Lab) -> None:
        """A site whose index is made first, since its data change less often."""
        lab.rename_existing("site:lab")
        lab.write("tools/index.mjs", _INDEX_TOOL)
        lab.write("tools/compress.mjs", _ASSETS_TOOL)
        lab.write("data/stops.txt", _STOPS)
        lab.write("assets/timetable.txt", _timetable())
        lab.write("server.mjs", _SITE_SERVER)
        lab.write("Dockerfile", _SITE_DOCKERFILE)

    def check(self, lab: Lab) -> None:
        """Change the data and then the assets of a copy; compare with what was measured."""
        claim = self._claim(lab)
        with lab.observe("three builds of a copy"), lab.copy() as copy:
            for name, text in (("index", _INDEX_TOOL), ("compress", _ASSETS_TOOL)):
                copy.write(f"tools/{name}.mjs", text)
            copy.write("server.mjs", _SITE_SERVER)
            copy.build()
            start = self._about(copy)
            data = copy.rebuild({"data/stops.txt": f"{_STOPS}{copy.nonce}\n"})
            by_data = self._about(copy, f"/?word={copy.nonce}", {"stops": [copy.nonce]})
            assets = copy.rebuild({"assets/timetable.txt": f"{copy.nonce}\n{_timetable()}"})
            by_assets = self._about(copy, "/first", {"first": copy.nonce})
        # What a change of the one redid of the other's.
        compress_too = by_data["compressed"] != start["compressed"]
        index_too = by_assets["indexed"] != by_data["indexed"]
        if compress_too and index_too:
            raise Wrong(
                "all-again",
                saw="a change of data/ redoes the compression, a change of assets/ the index",
                want="two steps of which at least one is kept when the other's input changes",
                try_="what does each COPY bring in, and which steps stand below it?",
            )
        index, compress = _run_seconds(data), _run_seconds(assets)
        if compress_too:
            index = _first_run(data, index - compress)
        if index_too:
            compress = _first_run(assets, compress - index)
        if compress_too and _day(index, compress, first="index") > _day(
            index, compress, first="compress"
        ):
            raise Wrong(
                "dearer-order",
                saw=f"a change of data/ redoes both steps, {index:.1f} s and {compress:.1f} s: "
                f"{_day(index, compress, first='index'):.0f} s a day",
                want=f"less: the other order costs {_day(index, compress, first='compress'):.0f} s",
                try_="compute both days from your figures: which step waits for which change?",
            )
        self._compare(claim, index, compress, compress_too, index_too)
        lab.note(
            f"measured here: index {index:.1f} s, compression {compress:.1f} s; "
            f"you measured {claim['index_s']:.1f} s and {claim['compress_s']:.1f} s"
        )

    def _claim(self, lab: Lab) -> dict[str, float]:
        names = ("index_s", "compress_s", "day_s", "other_day_s")
        want = f"dockerfile-4/measured.json with {', '.join(names)}: numbers, in seconds"
        if not (lab.folder() / "measured.json").is_file():
            raise Wrong(
                "no-measurement",
                saw="there is no dockerfile-4/measured.json",
                want=want,
                try_="build with --no-cache and --progress=rawjson; course.measure.builds reads it",
            )
        try:
            found = dict(json.loads(lab.read("measured.json")))
        except (ValueError, TypeError) as error:
            raise self._incomplete(f"it does not parse: {error}", want) from error
        for name in names:
            if not isinstance(found.get(name), int | float):
                raise self._incomplete(f"{name} is {json.dumps(found.get(name))}", want)
        return {name: float(found[name]) for name in names}

    def _incomplete(self, what: str, want: str) -> Wrong:
        return Wrong(
            "measurement-incomplete",
            saw=f"dockerfile-4/measured.json: {what}",
            want=want,
            try_="fill in the cell that writes it, and run it again",
        )

    def _about(
        self, copy: Copy, path: str = "", expected: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        with copy.container(port=_PORT) as served:
            if path and (got := _ask(served, path, "dockerfile-4")) != expected:
                raise Wrong(
                    "stale-output",
                    saw=f"after an edit of its input the service answers {str(got)[:60]}",
                    want=f"{expected}: what the step makes from the edited file",
                    try_="which steps make index.json and public/? or are they copied in?",
                )
            return _ask(served, "/about", "dockerfile-4")

    def _compare(
        self,
        claim: dict[str, float],
        index: float,
        compress: float,
        compress_too: bool,
        index_too: bool,
    ) -> None:
        ratio = compress / index
        claimed = claim["compress_s"] / claim["index_s"] if claim["index_s"] > 0 else 0.0
        if not ratio / _FACTOR <= claimed <= ratio * _FACTOR:
            raise Wrong(
                "not-measured-here",
                saw=f"you say that the compression takes {claimed:.1f} times as long as the index",
                want=f"about {ratio:.1f} times, as it is here and now",
                try_="a step that was cached took no time: measure with --no-cache",
            )
        own, other = claim["index_s"], claim["compress_s"]
        first = "index" if compress_too else "compress" if index_too else "none"
        want = _day(own, other, first=first)
        # Apart, neither order is the other one: any of the two may stand beside it.
        rest = {"index": ["compress"], "compress": ["index"]}.get(first, ["index", "compress"])
        others = [_day(own, other, first=f) for f in rest]
        if not _near(claim["day_s"], want):
            raise Wrong(
                "day-miscounted",
                saw=f"day_s is {claim['day_s']:g}",
                want=f"{want:.1f} s: 5 changes of data/ and 6 of assets/ with your Dockerfile, "
                "at the seconds that you measured",
                try_="which steps does each kind of change redo?",
            )
        if not any(_near(claim["other_day_s"], o) for o in others):
            raise Wrong(
                "other-day-miscounted",
                saw=f"other_day_s is {claim['other_day_s']:g}",
                want=f"{others[0]:.1f} s: the same day with the steps in the other order",
                try_="which steps would each kind of change redo then?",
            )


def _day(index: float, compress: float, *, first: str) -> float:
    """Seconds that a day's changes cost.

    Args:
        index: seconds of the index.
        compress: seconds of the compression.
        first: the step that stands above the other, `index` or `compress`; `none` if they are
            apart.
    """
    cost = DAY["data"] * index + DAY["assets"] * compress
    if first == "index":
        cost += DAY["data"] * compress
    if first == "compress":
        cost += DAY["assets"] * index
    return cost


def _run_seconds(build: Build) -> float:
    """What the RUN steps took that were done again."""
    return max(0.05, sum(step.seconds for step in build.ran if step.key == "RUN"))


def _first_run(build: Build, otherwise: float) -> float:
    """What the first of two RUN steps took; of another number, what is given."""
    runs = [step.seconds for step in build.ran if step.key == "RUN"]
    return max(0.05, runs[0] if len(runs) == 2 else otherwise)


def _near(value: float, want: float) -> bool:
    return abs(value - want) <= 0.1 * want + 0.2
