"""Start states and checks of 03-slim-images."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from course.core import paths, waiting
from course.core.names import CHECK_IMAGE
from course.core.text import cut
from course.exercises.kit import build_errors
from course.exercises.kit.copy import Copy
from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import Lab, Served
from course.exercises.kit.verdict import BASE_ONLY_HERE, WRONG_ANSWER, Wrong
from course.measure import layers
from course.measure.layers import Layer, image_layers
from course.measure.registry_client import Repository

_PORT = 3000
_STALE_IMAGE = "stale-image"
_BASES = ("node:24-slim", "node:20-slim", "debian:bookworm-slim")

# -- a small service in TypeScript, of slim-images-1 and slim-images-4

_DUE = """\
// When an invoice is due: GET /?from=2026-03-01&days=30 -> {"due": "2026-03-31", "late": "no"}
import { createServer } from "node:http";
import { DateTime } from "luxon";

// An enum is more than a type: Node cannot leave it out, it has to be compiled.
enum Late {
  No = "no",
  Yes = "yes",
}

createServer((request, response) => {
  const asked = new URL(request.url ?? "/", "http://service").searchParams;
  const from = DateTime.fromISO(asked.get("from") ?? "", { zone: "utc" });
  const due = from.plus({ days: Number(asked.get("days")) });
  const late = due < DateTime.utc() ? Late.Yes : Late.No;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ due: due.toISODate(), late }));
}).listen(3000, () => console.log("due listens on 3000"));
"""
_DUE_PACKAGE: dict[str, Any] = {
    "name": "due",
    "version": "1.0.0",
    "private": True,
    "type": "module",
    "scripts": {"build": "tsc"},
    "dependencies": {"luxon": "3.7.2"},
    "devDependencies": {
        "@types/luxon": "3.7.1",
        "@types/node": "24.10.1",
        "typescript": "5.9.3",
    },
}
_DUE_TSCONFIG: dict[str, Any] = {
    "compilerOptions": {
        "target": "es2023",
        "module": "nodenext",
        "outDir": "dist",
        "rootDir": "src",
        "strict": True,
        "types": ["node"],
    },
    "include": ["src"],
}
# name → version, SHA-512 as the registry gives it, whether for development only
_DUE_LOCKED = {
    "@types/luxon": (
        "3.7.1",
        "H3iskjFIAn5SlJU7OuxUmTEpebK6TKB8rxZShDslBMZJ5u9S//KM1sbdAisiSrqwLQncVjnpi2OK2J51h+4lsg==",
        True,
    ),
    "@types/node": (
        "24.10.1",
        "GNWcUTRBgIRJD5zj+Tq0fKOJ5XZajIiBroOF0yvj2bSU1WvNdYS/dn9UxwsujGW4JX06dnHyjV2y9rRaybH0iQ==",
        True,
    ),
    "luxon": (
        "3.7.2",
        "vtEhXh/gNjI9Yg1u4jX/0YVPMvxzHuGgCm6tC5kZyb08yjGWGnqAjGJvcXbqQR2P3MyMEFnRbpcdFS6PBcLqew==",
        False,
    ),
    "typescript": (
        "5.9.3",
        "jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw==",
        True,
    ),
    "undici-types": (
        "7.16.0",
        "Zz+aZWSj8LE6zoxD+xrjh4VfkIG8Ya6LvYkZqtUQGJPZjYl53ypCaUwWqo7eI0x66KBGeRo+mlBEkMSeSZ38Nw==",
        True,
    ),
}
_DEVELOPMENT = tuple(name for name, (_, _, dev) in _DUE_LOCKED.items() if dev)


def _due_lock() -> dict[str, Any]:
    packages: dict[str, Any] = {
        "": {k: _DUE_PACKAGE[k] for k in ("name", "version", "dependencies", "devDependencies")}
    }
    for name, (version, digest, dev) in _DUE_LOCKED.items():
        entry: dict[str, Any] = {"version": version, "integrity": f"sha512-{digest}"}
        packages[f"node_modules/{name}"] = entry | ({"dev": True} if dev else {})
    packages["node_modules/@types/node"]["dependencies"] = {"undici-types": "~7.16.0"}
    packages["node_modules/typescript"]["bin"] = {
        "tsc": "bin/tsc",
        "tsserver": "bin/tsserver",
    }
    return {
        "name": "due",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": packages,
    }


def _write_due(lab: Lab) -> None:
    for name, content in (
        ("package.json", _DUE_PACKAGE),
        ("package-lock.json", _due_lock()),
        ("tsconfig.json", _DUE_TSCONFIG),
    ):
        lab.write(name, json.dumps(content, indent=2) + "\n")
    lab.write("src/server.ts", _DUE)


def _ask_due(lab: Lab, ref: str) -> None:
    """Run the service's image and ask it for dates made up now.

    Raises:
        Wrong: it does not start, does not answer, or computes something else.
    """
    with lab.observe(f"a run of {_called(ref)}"), lab.container(ref, port=_PORT) as served:
        for _ in range(2):
            start = datetime.date(2024, 1, 1) + datetime.timedelta(days=secrets.randbelow(2000))
            days = 1 + secrets.randbelow(400)
            status, body = served.get(f"/?from={start}&days={days}")
            if status == 0:
                raise _why_no_answer(ref, served)
            due = str(start + datetime.timedelta(days=days))
            got = _field(body, "due")
            if got != due:
                raise Wrong(
                    WRONG_ANSWER,
                    saw=f"asked for {start} and {days} days it answers `{got}`",
                    want=f"`{due}`, as src/server.ts computes it",
                    try_=f"is it the compiled source that runs?   docker run --rm {ref} ls -R dist",
                )


def _why_no_answer(ref: str, served: Served) -> Wrong:
    log = served.log()
    package = re.search(r"Cannot find package '([^']+)'", log)
    if package:
        return Wrong(
            "missing-package",
            saw=f"the container ended: Cannot find package '{package[1]}'",
            want="the packages of `dependencies` in the image; those of `devDependencies` not",
            try_="npm ci --omit=dev   installs exactly these; in which stage are they needed?",
        )
    module = re.search(r"Cannot find module '([^']+)'", log)
    if module:
        return Wrong(
            "missing-program",
            saw=f"the container ended: Cannot find module '{module[1]}'",
            want="the compiled program in the image, where CMD looks for it",
            try_=f"docker run --rm {ref} ls -R   and which stage has a dist/?",
        )
    return served.why_no_answer(ref, f"the service, listening on {_PORT}")


def _field(body: str, name: str) -> str:
    try:
        return str(json.loads(body).get(name))
    except (ValueError, AttributeError):
        return body[:60]


# -- shared ways to look at images and to build copies


def _layers(lab: Lab, ref: str, find: Sequence[bytes] = ()) -> list[Layer]:
    """The layers of an image above the course's base images."""
    with lab.observe(f"a look into each layer of {_called(ref)}"):
        known = layers.digests(lab.docker, _BASES)
        return layers.read(lab.docker, ref, known=known, find=find)


def _called(ref: str) -> str:
    """How an image is told: the name of a copy's image says nothing to a learner."""
    return "the copy's image" if ref.startswith(f"{CHECK_IMAGE}:") else ref


def _sizes(lab: Lab, ref: str) -> tuple[int, int]:
    """Bytes above node:24-slim, as `docker history` has them, and bytes in all."""
    with lab.observe(f"a look at the layers of {ref}"):
        found = image_layers(lab.image(ref), lab.docker.images.get(_BASES[0]))
    return sum(p.size for p in found if not p.base), sum(p.size for p in found)


def _kept_below(path: str, layer: Layer, want: str) -> Wrong:
    by = _shortly(layer.by)
    return Wrong(
        "kept-below",
        saw=f"a later step deletes /{path}; the layer of `{by}` still has it",
        want=want,
        try_="docker history   did the image become smaller by the step that deletes?",
    )


def _shortly(by: str) -> str:
    return cut(by.replace("/bin/sh -c ", "").replace(" # buildkit", "").strip(), 70)


# -- slim-images-1

_DUE_SINGLE = """\
FROM node:24-slim
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build
CMD ["node", "dist/server.js"]
"""


@exercise("slim-images-1")
class ShipsWhatRuns:
    """A single-stage image of a TypeScript service that has to leave its build behind."""

    def begin(self, lab: Lab) -> None:
        """The service, its Dockerfile, and the image that carries compiler and sources."""
        lab.rename_existing("due:lab")
        _write_due(lab)
        lab.write("Dockerfile", _DUE_SINGLE)
        lab.run("docker", "build", "--quiet", "--tag", "due:lab", lab.folder())
        lab.record_start_image("due:lab")

    def check(self, lab: Lab) -> None:
        """Ask the service, then look for what nobody runs, layer by layer."""
        image = lab.image("due:lab")
        if image.id == lab.recall("made"):
            other = lab.other_tags("due:lab")
            raise Wrong(
                "unchanged",
                saw="due:lab is still the image of the start state"
                + (f"; there is also `{other}`" if other else ""),
                want="an image of that name without what built it",
                try_="docker images due   then: docker build --tag due:lab slim-images-1",
            )
        _ask_due(lab, "due:lab")
        stack = _layers(lab, "due:lab")
        seen = layers.visible_files(stack)
        for layer in stack:
            for path in layer.files:
                kind = _not_needed(path)
                if kind:
                    raise self._left(kind, path, layer, visible=path in seen)
        size, _ = _sizes(lab, "due:lab")
        lab.note(f"above the base your layers hold {size / 1e6:.1f} MB in {len(seen)} files")
        cache = sum(f.size for path, f in seen.items() if path.startswith("root/.npm/"))
        if cache:
            lab.note(f"{cache / 1e6:.1f} MB of that are npm's cache: /root/.npm")

    def _left(self, kind: str, path: str, layer: Layer, *, visible: bool) -> Wrong:
        copied = layer.by.startswith("COPY")
        want = "no development package, no compiler and no TypeScript source, in any layer"
        try_ = "docker history --no-trunc due:lab   which step brought it, and in which stage?"
        if not visible:
            return _kept_below(path, layer, want)
        if kind == "source":
            return Wrong("sources", saw=f"the image has the source /{path}", want=want, try_=try_)
        if path.startswith("usr/local/lib/node_modules/"):
            return Wrong(
                "compiler-installed",
                saw=f"`{_shortly(layer.by)}` installs the compiler for all: /{path}",
                want=want,
                try_="docker run --rm due:lab npm ls --global   what is compiled while it runs?",
            )
        return Wrong(
            "copied-whole" if copied else "development-packages",
            saw=f"the step `{_shortly(layer.by)}` brings /{path}",
            want=want,
            try_=try_,
        )


def _not_needed(path: str) -> str:
    """`package` or `source` if a file is there for a build only, else an empty string."""
    if any(f"node_modules/{name}/" in path for name in _DEVELOPMENT):
        return "package"
    if path.endswith(".ts") and "node_modules/" not in path and not path.endswith(".d.ts"):
        return "source"
    return ""


# -- slim-images-2

_GREET = """\
// Greets in a language: GET /?lang=de&name=Ada -> {"text": "Guten Tag, Ada"}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const known = /^[a-z0-9]+$/;

createServer((request, response) => {
  const asked = new URL(request.url, "http://service").searchParams;
  const lang = asked.get("lang") ?? "";
  response.setHeader("content-type", "application/json");
  try {
    if (!known.test(lang)) throw new Error("no such language");
    const { greeting } = JSON.parse(readFileSync(new URL(`lang/${lang}.json`, import.meta.url)));
    response.end(JSON.stringify({ text: `${greeting}, ${asked.get("name")}` }));
  } catch {
    response.statusCode = 404;
    response.end(JSON.stringify({ error: `no language ${lang}` }));
  }
}).listen(3000, () => console.log("welcome listens on 3000"));
"""
_GREET_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY . .
CMD ["node", "api/server.mjs"]
"""
_GREET_IGNORE = """\
# node_modules and secrets stay out: the same lines as in .gitignore
node_modules/
.env
*.log
"""
_LANGUAGES = {"de": "Guten Tag", "fr": "Bonjour", "it": "Buongiorno"}
_MOST_BYTES = 100_000


@exercise("slim-images-2")
class ContextSendsNoSecrets:
    """Break-it: a .dockerignore that reads like a .gitignore, and does not work like one."""

    def begin(self, lab: Lab) -> None:
        """A service with secrets, packages and history around it, and an image that has them."""
        lab.rename_existing("welcome:lab")
        secret = secrets.token_hex(12)
        lab.remember("secret", secret)
        lab.write("api/server.mjs", _GREET)
        for lang, greeting in _LANGUAGES.items():
            lab.write(f"api/lang/{lang}.json", json.dumps({"greeting": greeting}) + "\n")
        lab.write("Dockerfile", _GREET_DOCKERFILE)
        lab.write(".dockerignore", _GREET_IGNORE)
        lab.write(".gitignore", _GREET_IGNORE.split("\n", 1)[1])
        self._commit(lab)
        lab.write(".env", f"DEPLOY_TOKEN=throw-away-{secret}\n")
        lab.write("api/.env", f"DATABASE_PASSWORD=throw-away-{secret}\n")
        lab.write("api/debug.log", f"connecting with throw-away-{secret}\n" * 50)
        for folder in ("node_modules/esbuild", "api/node_modules/sharp"):
            target = lab.folder() / folder / "native.node"
            target.parent.mkdir(parents=True)
            target.write_bytes(os.urandom(3_000_000))
        lab.run("docker", "build", "--quiet", "--tag", "welcome:lab", lab.folder())
        lab.record_start_image("welcome:lab")

    def _commit(self, lab: Lab) -> None:
        # A dump that was committed once and removed: the folder has it no more, the history has.
        git = ["git", "-C", lab.folder()]
        dump = lab.folder() / "dump.sql"
        dump.write_bytes(os.urandom(2_000_000))
        lab.run(*git, "init", "--quiet", "--initial-branch=main")
        lab.run(*git, "add", "--all")
        lab.run(*git, "commit", "--quiet", "--message", "welcome, with a dump")
        dump.unlink()
        lab.run(*git, "commit", "--quiet", "--all", "--message", "no dump")

    def check(self, lab: Lab) -> None:
        """Build a copy of the folder as a colleague may have it, and look for what leaks."""
        image = lab.image("welcome:lab")
        if image.id == lab.recall("made"):
            raise Wrong(
                _STALE_IMAGE,
                saw="welcome:lab is still the image of the start state, secrets and all",
                want="an image built after your change",
                try_="docker build --tag welcome:lab slim-images-2",
            )
        self._ask(lab, "welcome:lab", _LANGUAGES, cause="needed-missing")
        new = {f"x{secrets.token_hex(3)}": f"Hello {secrets.token_hex(3)}"}
        # A colleague's packages and history are planted; the learner's own may be gigabytes.
        with lab.copy(without=("node_modules", ".git")) as copy:
            for lang, greeting in new.items():
                copy.write(f"api/lang/{lang}.json", json.dumps({"greeting": greeting}))
            planted = _plant(copy)
            with lab.observe("a build of a colleague's folder"):
                build = copy.build()
            stack = _layers(lab, copy.tag, find=tuple(planted))
            self._leaks(lab, stack, planted)
            if build.context_bytes > _MOST_BYTES:
                raise Wrong(
                    "still-sent",
                    saw=f"the image is clean, and the build sent {_kb(build.context_bytes)}"
                    " of a colleague's folder",
                    want=f"less than {_kb(_MOST_BYTES)} sent: what is not sent cannot leak",
                    try_="docker build --progress=plain … 2>&1 | grep 'transferring context'",
                )
            self._ask(lab, copy.tag, new, cause="new-file-missing")
            self._own_secret(lab)
            lab.note(f"a colleague's build sent {_kb(build.context_bytes)}")
        packed = sum(f.stat().st_size for f in lab.folder().rglob("*") if f.is_file())
        lab.note(f"your folder holds {packed / 1e6:.1f} MB")

    def _ask(self, lab: Lab, ref: str, greetings: dict[str, str], *, cause: str) -> None:
        with lab.observe(f"a run of {_called(ref)}"), lab.container(ref, port=_PORT) as served:
            for lang, greeting in greetings.items():
                name = secrets.token_hex(3)
                status, body = served.get(f"/?lang={lang}&name={name}")
                if status == 0:
                    raise Wrong(
                        "does-not-run",
                        saw=f"the container does not answer: {served.last_line()}",
                        want="the service of api/server.mjs on port 3000",
                        try_=f"docker run --rm {ref} ls -R /app   is all there that it needs?",
                    )
                got = _field(body, "text")
                if got != f"{greeting}, {name}":
                    which = (
                        f"a language added in a copy, api/lang/{lang}.json,"
                        if cause == "new-file-missing"
                        else f"the language `{lang}`"
                    )
                    raise Wrong(
                        cause,
                        saw=f"asked for {which} it answers {status}: {body[:60]}",
                        want="every file of api/lang in the image, also one that comes later",
                        try_="docker run --rm welcome:lab ls api/lang   kept out, or not let in?",
                    )

    def _own_secret(self, lab: Lab) -> None:
        secret = f"throw-away-{lab.recall('secret')}".encode()
        for layer in _layers(lab, "welcome:lab", find=(secret,)):
            for path, *_ in layer.found.values():
                raise Wrong(
                    _STALE_IMAGE,
                    saw=f"your folder is mended; welcome:lab was built before and has /{path}",
                    want="an image built after your change",
                    try_="docker build --tag welcome:lab slim-images-2",
                )

    def _leaks(self, lab: Lab, stack: list[Layer], planted: dict[bytes, _Plant]) -> None:
        """Raise for the first thing planted that is in a layer, the worst kind first."""
        # By its content: a hard link has it under another name.
        visible = {
            (file.layer, file.path): path for path, file in layers.visible_files(stack).items()
        }
        found = [
            (planted[text].rank, visible.get((number, path)), path, layer, planted[text])
            for number, layer in enumerate(stack)
            for text, paths in layer.found.items()
            for path in paths
        ]
        if not found:
            return
        _, at, path, layer, plant = min(found, key=lambda f: (f[0], f[1] is None))
        if at is None:
            raise _kept_below(path, layer, _CLEAN)
        path = at
        if plant.rank <= 1 and not (lab.folder() / "api/.env").exists():
            raise Wrong(
                "only-here",
                saw="your own folder has no secrets any more; a copy of it with a colleague's"
                f" {plant.name} has it in the image: /{path}",
                want="a folder that may hold such files, and a build that leaves them out",
                try_="what would a build elsewhere send?   cat slim-images-2/.dockerignore",
            )
        raise Wrong(
            plant.cause, saw=plant.saw.format(path=f"/{path}"), want=_CLEAN, try_=plant.try_
        )


_CLEAN = "no .env file of any kind, no node_modules, no .git and no log, from any folder"
_PATTERNS = "a pattern of .dockerignore begins at the context's root; `**/` means any folder"


class _Plant:
    """Something put into a copy that must not come through."""

    def __init__(self, rank: int, cause: str, name: str, saw: str, try_: str) -> None:
        self.rank, self.cause, self.name, self.saw, self.try_ = rank, cause, name, saw, try_


def _plant(copy: Copy) -> dict[bytes, _Plant]:
    """Put secrets, packages, history and logs into a copy; text → what it is."""
    deep = f"tools/t{secrets.token_hex(3)}"
    below = "a secret of a folder below is in the image: {path}"
    other = "a secret file of another name is in the image: {path}"
    packages = "packages of the machine that builds are in the image: {path}"
    history = "the history, with all that was ever committed, is in the image: {path}"
    log = "a log of the machine that builds is in the image: {path}"
    plan = (
        (0, "root-secret", ".env", "a secret is in the image: {path}", _PATTERNS),
        (1, "nested", "api/.env", below, _PATTERNS),
        (2, "nested", f"{deep}/.env", below, _PATTERNS),
        (3, "one-name", "api/.env.local", other, "which names does `.env*` match?"),
        (4, "one-name", f"{deep}/.env.production", other, "which names does `.env*` match?"),
        (5, "packages-sent", "node_modules/p/index.js", packages, _PATTERNS),
        (6, "packages-sent", "api/node_modules/p/index.js", packages, _PATTERNS),
        (7, "packages-sent", f"{deep}/node_modules/p/index.js", packages, _PATTERNS),
        (8, "history-sent", f".git/p{secrets.token_hex(3)}", history, "ls -a slim-images-2"),
        (9, "logs-sent", f"api/t{secrets.token_hex(3)}.log", log, _PATTERNS),
    )
    planted = {}
    for rank, cause, name, saw, try_ in plan:
        text = f"planted-{secrets.token_hex(12)}".encode()
        big = os.urandom(300_000) if cause in ("packages-sent", "history-sent") else b""
        copy.write(name, text + b"\n" + big)
        planted[text] = _Plant(rank, cause, name, saw, try_)
    return planted


def _kb(count: int) -> str:
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


# -- slim-images-3

_TILL = """\
// The total of a receipt, and the fingerprint that the payment provider has on file.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const francs = new Intl.NumberFormat("fr-CH", { style: "currency", currency: "CHF" });
const text = `Total: ${francs.format(1234567.5)}`;
const runtime = JSON.parse(readFileSync("/opt/runtime/release.json", "utf8"));
const fingerprint = createHash("sha256").update(text + runtime.build).digest("hex").slice(0, 12);
console.log(JSON.stringify({ runtime: runtime.version, node: process.version, text, fingerprint }));
"""
_RUNTIME = """\
FROM {base}
COPY release.json /opt/runtime/release.json
LABEL org.opencontainers.image.version={version}
"""


@exercise("slim-images-3")
class RebuildIsYesterdays:
    """A base image whose tag has moved since yesterday."""

    def begin(self, lab: Lab) -> None:
        """Two releases of a base image in the registry, and an image built on the older one."""
        for ref in ("till:lab", "till:yesterday"):
            lab.rename_existing(ref)
        # One learner, one repository: several may share a registry.
        who = hashlib.sha256(str(paths.work().resolve()).encode()).hexdigest()[:6]
        base = Repository(lab.registry, f"runtime-{who}")
        name = f"{base.registry}/{base.name}"
        lab.remember("repository", base.name)
        lab.remember("tags", "{}")
        lab.write("till.mjs", _TILL)
        lab.write("runtime.txt", f"{name}\n")
        lab.write(
            "Dockerfile",
            f'FROM {name}:latest\nWORKDIR /app\nCOPY till.mjs ./\nCMD ["node", "till.mjs"]\n',
        )
        # This machine keeps yesterday's base as `latest`: it has not pulled since.
        lab.remember("base", _release(lab, "4.1", "node:20-slim", name, keep=f"{name}:latest"))
        lab.remember("today", _release(lab, "4.2", "node:24-slim", name))
        base.retag("latest", base.digest("4.2"))
        lab.remember("digest", base.digest("4.1"))
        lab.remember("today-digest", base.digest("4.2"))
        lab.run("docker", "build", "--quiet", "--tag", "till:yesterday", lab.folder())
        lab.remember("printed", _printed(lab, "till:yesterday"))
        lab.record_start_image("till:yesterday")

    def check(self, lab: Lab) -> None:
        """Move every tag of the base in the registry, rebuild a copy with --pull, compare."""
        image = lab.image("till:lab")
        base, today = json.loads(lab.recall("base")), json.loads(lab.recall("today"))
        with _tags_moved(lab) as before, lab.copy() as copy:
            with lab.observe("a rebuild of a copy with --pull"):
                self._build(copy)
            rebuilt = lab.docker.images.get(copy.tag)
            followed = (rebuilt.labels or {}).get(_MOVED)
            if followed:
                raise self._followed(lab, image, followed, before)
            stands = layers.ids(rebuilt)
            if stands[: len(base)] != base:
                raise self._elsewhere(lab, is_today=stands[: len(today)] == today)
            printed = _printed(lab, copy.tag)
        if layers.ids(image)[: len(base)] != base:
            raise Wrong(
                _STALE_IMAGE,
                saw="your folder builds on yesterday's base; till:lab was built before that",
                want="till:lab built from the folder as it is",
                try_="docker build --pull --tag till:lab slim-images-3",
            )
        for which, text in (
            (f"a rebuild of {lab.id}", printed),
            ("till:lab", _printed(lab, "till:lab")),
        ):
            if text != lab.recall("printed").strip():
                raise Wrong(
                    "other-result",
                    saw=f"{which} prints {text.strip()[:120] or 'nothing'}",
                    want=f"what till:yesterday printed: {lab.recall('printed').strip()[:120]}",
                    try_="docker run --rm till:lab   and: is till.mjs as it was?",
                )
        lab.note(
            f"{len(before)} tags of the base moved, and a rebuild with --pull stayed on yesterday's"
        )
        lab.note("nobody moves this for you: a fix of the base is a new digest, which you write")

    def _build(self, copy: Copy) -> None:
        try:
            copy.build("--pull", "--no-cache")
        except Wrong as wrong:
            if wrong.cause != "no-base":
                raise
            raise Wrong(
                BASE_ONLY_HERE,
                saw=f"a rebuild with --pull finds no such base: {wrong.saw}",
                want="a base that another machine can pull too",
                try_="what does a name without a registry's address mean?   docker pull …",
            ) from wrong

    def _followed(self, lab: Lab, image: Any, tag: str, before: dict[str, str]) -> Wrong:
        """Why a rebuild stood on what the check made a tag name."""
        saw = f"the check moved the base's tags; a rebuild with --pull followed `{tag}`"
        own = layers.ids(image)
        base = json.loads(lab.recall("base"))
        cause = "not-pinned" if tag == "latest" else "pinned-to-a-tag"
        if image.id == lab.recall("made"):
            cause = "retagged"
            saw = f"till:lab is till:yesterday under a second name; {saw}"
        elif tag == "latest" and before.get("latest") == lab.recall("digest"):
            cause = "moved-back"
            saw = f"`latest` in the registry names yesterday's base again, until it moves: {saw}"
        elif tag == "latest" and own[: len(base)] == base:
            cause = "local-copy"
            saw = f"till:lab stands on the base that this machine has kept; {saw}"
        name = f"{lab.registry}/{lab.recall('repository')}"
        return Wrong(
            cause,
            saw=saw,
            want=f"a rebuild on yesterday's base, {lab.recall('digest')[:19]}…, wherever tags go",
            try_=f"docker buildx imagetools inspect {name}:4.1   which part of that cannot move?",
        )

    def _elsewhere(self, lab: Lab, *, is_today: bool) -> Wrong:
        want = f"a rebuild on yesterday's base, {lab.recall('digest')[:19]}…"
        if is_today:
            return Wrong(
                "todays-digest",
                saw="your pin does not move, and it names today's base, release 4.2",
                want=want,
                try_="docker image inspect till:yesterday --format '{{json .Config.Labels}}'",
            )
        return Wrong(
            "another-base",
            saw="a rebuild stands on an image that is no release of this base",
            want=want,
            try_="docker history till:yesterday   what did the base bring beside Node?",
        )


_MOVED = "course.moved"
_PRINT_WAIT = 30.0


def _printed(lab: Lab, ref: str) -> str:
    """What an image prints until it ends; it is ended if it has not by itself."""
    with lab.observe(f"a run of {_called(ref)}"), lab.container(ref, port=_PORT) as served:
        waiting.eventually(lambda: served.exit_code() is not None, wait=_PRINT_WAIT, pause=0.1)
        return served.log()


def _release(lab: Lab, version: str, base: str, name: str, keep: str = "") -> str:
    """Build and push a release of the base image; the digests of its layers, as JSON.

    Args:
        lab: the exercise's.
        version: its tag.
        base: what it is built on.
        name: its repository.
        keep: a name under which this machine keeps it.
    """
    ref = f"{name}:{version}"
    with tempfile.TemporaryDirectory() as folder:
        release = {"version": version, "build": secrets.token_hex(6)}
        (Path(folder) / "release.json").write_text(json.dumps(release), encoding="utf-8")
        (Path(folder) / "Dockerfile").write_text(
            _RUNTIME.format(base=base, version=version), encoding="utf-8"
        )
        # One manifest and no index around it: its digest is the one that every tool shows.
        lab.run("docker", "build", "--quiet", "--provenance=false", "--tag", ref, folder)
    lab.run("docker", "push", "--quiet", ref)
    found = layers.ids(lab.docker.images.get(ref))
    if keep:
        lab.run("docker", "tag", ref, keep)
    lab.run("docker", "image", "rm", ref)
    return json.dumps(found)


@contextmanager
def _tags_moved(lab: Lab) -> Iterator[dict[str, str]]:
    """For a while every tag of the base names an image that says which tag it was found by.

    Interrupted, it leaves a note of what the tags named; the next one puts that back first.
    """
    base = Repository(lab.registry, lab.recall("repository"))
    with lab.observe("a look at the base's tags"):
        _put_back(base, json.loads(lab.recall("tags")))
        before = base.tags()
    lab.remember("tags", json.dumps(before))
    made = []
    try:
        with lab.observe("a move of each of the base's tags"):
            for tag in before:
                made.append(base.relabel(lab.recall("today-digest"), {_MOVED: tag}))
                base.retag(tag, made[-1])
        yield before
    finally:
        with lab.observe("the tags put back"):
            _put_back(base, before)
            lab.remember("tags", "{}")
            for digest in made:
                base.remove(digest)


def _put_back(base: Repository, tags: dict[str, str]) -> None:
    for tag, digest in tags.items():
        base.retag(tag, digest)


# -- slim-images-4

_LATER = """FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci
COPY src ./src
RUN npm run build
# What built it is not needed any more.
RUN npm prune --omit=dev && rm -rf src tsconfig.json /root/.npm
CMD ["node", "dist/server.js"]
"""
_ONE_RUN = """FROM node:24-slim
WORKDIR /app
COPY . .
# One step, one layer: it installs, builds and cleans up behind itself.
RUN npm ci && npm run build && npm prune --omit=dev && rm -rf src tsconfig.json /root/.npm
CMD ["node", "dist/server.js"]
"""
_STAGES = """FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci
COPY src ./src
RUN npm run build

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:24-slim
WORKDIR /app
COPY package.json ./
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
CMD ["node", "dist/server.js"]
"""
_WAYS = {"later": _LATER, "one-run": _ONE_RUN, "stages": _STAGES}
_MOST_MB = 12.0
_MOST_MOVED_MB = 1.0
_TOLERANCE = 0.06
_INSTALL_WAIT = 300.0


@exercise("slim-images-4")
class SmallAndMovesLittle:
    """Three ways to leave the build behind, two needs, and a decision with figures."""

    def begin(self, lab: Lab) -> None:
        """One service and three Dockerfiles."""
        for tag in (*_WAYS, "release"):
            lab.rename_existing(f"invoice:{tag}")
        _write_due(lab)
        for way, text in _WAYS.items():
            lab.write(f"{way}.Dockerfile", text)
        lab.write("measured.json", json.dumps(dict.fromkeys(_WAYS), indent=2) + "\n")
        lab.write(".dockerignore", "*.Dockerfile\nDockerfile\n.dockerignore\nmeasured.json\n")

    def check(self, lab: Lab) -> None:
        """Compare the figures with the images, then judge the release by both needs."""
        self._figures(lab)
        own = _sizes(lab, "invoice:release")[0] / 1e6
        if own > _MOST_MB:
            raise Wrong(
                "too-large",
                saw=f"invoice:release holds {own:.1f} MB above the base",
                want=f"{_MOST_MB:.0f} MB or less, over all of its layers",
                try_="docker history invoice:release   is it a build of the Dockerfile as it is "
                "now? and which layer holds files that a later one deletes?",
            )
        _ask_due(lab, "invoice:release")
        moved = self._moved(lab) / 1e6
        if moved > _MOST_MOVED_MB:
            raise Wrong(
                "moves-much",
                saw=f"after one line changed in src/, a push moves {moved:.1f} MB of new layers",
                want=f"less than {_MOST_MOVED_MB:.0f} MB: what did not change stays in a layer of"
                " its own",
                try_="docker history invoice:release   which layer holds packages and program?",
            )
        lab.note(f"above the base {own:.1f} MB; one changed line moves {moved * 1e3:.0f} kB")

    def _figures(self, lab: Lab) -> None:
        file = lab.folder() / "measured.json"
        try:
            written = json.loads(file.read_text(encoding="utf-8"))
            figures = {way: float(written[way]) for way in _WAYS}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Wrong(
                "no-figures",
                saw="slim-images-4/measured.json has no number for each of: " + ", ".join(_WAYS),
                want='MB above the base, e.g. {"later": 1.5, "one-run": 1.5, "stages": 1.5}',
                try_="docker history invoice:later   without the layers that node:24-slim has too",
            ) from error
        for way, figure in figures.items():
            ref = f"invoice:{way}"
            own, whole = (size / 1e6 for size in _sizes(lab, ref))
            if abs(figure - own) <= max(_TOLERANCE * own, 0.3):
                continue
            want = f"the size of its layers above node:24-slim: {own:.1f} MB"
            try_ = f"docker history {ref}   (`docker images` may count packed copies of them too)"
            if figure > 0.9 * whole:
                raise Wrong(
                    "with-the-base",
                    saw=f"measured.json says {figure:g} MB for {ref}: that is with the base",
                    want=want,
                    try_=f"docker history {ref}   against   docker history node:24-slim",
                )
            if way == "later" and figure < 0.7 * own:
                raise Wrong(
                    "measured-inside",
                    saw=f"measured.json says {figure:g} MB for {ref}: about what a container sees",
                    want=want + ", also of what a later layer hides",
                    try_=f"docker history {ref}   du in a container sees the topmost layer alone",
                )
            raise Wrong(
                "wrong-figure",
                saw=f"measured.json says {figure:g} MB for {ref}; its layers hold {own:.1f} MB",
                want=want,
                try_=try_,
            )

    def _moved(self, lab: Lab) -> int:
        """Bytes of the layers that a one-line change of the source makes anew."""
        with lab.copy() as copy:
            with lab.observe("a build of a copy of your folder, and one after a changed line"):
                copy.build(wait=_INSTALL_WAIT)
                before = layers.digests(lab.docker, [copy.tag])
                name = "src/server.ts"
                source = build_errors.decode(copy.folder / name, f"{lab.id}/{name}", lab.id)
                edit = {name: f'{source}\nconsole.log("{copy.nonce}");\n'}
                copy.rebuild(edit, wait=_INSTALL_WAIT)
            with lab.observe("a look into the layers that changed"):
                find = (copy.nonce.encode(),)
                new = layers.read(lab.docker, copy.tag, known=before, find=find)
        if not any(layer.found for layer in new):
            raise Wrong(
                "not-from-source",
                saw="after a change of src/server.ts the rebuilt image does not have it",
                want="an image that is built from src/",
                try_="docker build --no-cache slim-images-4   what does it copy?",
            )
        return sum(layer.size for layer in new)
