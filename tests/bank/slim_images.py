"""Answers to the exercises of 03-slim-images."""

from __future__ import annotations

import json
import shutil

from course.exercises.kit.lab import Lab
from course.measure.registry_client import Repository
from tests.bank import Answer


def _build(lab: Lab, ref: str, *options: object) -> None:
    lab.run("docker", "build", "--quiet", "--tag", ref, *options, lab.folder())


def _dockerfile(lab: Lab, ref: str, text: str, *options: object) -> None:
    lab.write("Dockerfile", text)
    _build(lab, ref, *options)


# -- slim-images-1

_STAGE = """\
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci
COPY src ./src
RUN npm run build
"""
_SINGLE = """\
FROM node:24-slim
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build
"""
_CMD = 'CMD ["node", "dist/server.js"]\n'
_LAST = "FROM node:24-slim\nWORKDIR /app\nCOPY package.json package-lock.json ./\n"
_TAKE_DIST = "COPY --from=build /app/dist ./dist\n"
_INSTALL = "RUN npm ci --omit=dev\n"
_GOOD = _STAGE + _LAST + _INSTALL + _TAKE_DIST + _CMD


def _due_hard_coded(lab: Lab) -> None:
    lab.write(
        "src/server.ts",
        'import { createServer } from "node:http";\n'
        "createServer((request, response) => {\n"
        '  response.end(JSON.stringify({ due: "2026-03-31", late: "no" }));\n'
        "}).listen(3000);\n",
    )
    _dockerfile(lab, "due:lab", _GOOD)


_PRUNE_IN_BUILD = (
    _STAGE
    + "RUN npm prune --omit=dev\n"
    + "FROM node:24-slim\nWORKDIR /app\nCOPY --from=build /app/package.json ./\n"
    + "COPY --from=build /app/node_modules ./node_modules\n"
    + _TAKE_DIST
    + _CMD
)
_ONE_STEP = (
    "FROM node:24-slim\nWORKDIR /app\n"
    "RUN --mount=type=bind,target=/source cp -r /source/* . && npm ci && npm run build"
    " && npm prune --omit=dev && rm -rf src /root/.npm\n" + _CMD
)
_ON_DEBIAN = (
    _STAGE
    + "RUN npm prune --omit=dev\n"
    + "FROM debian:bookworm-slim\nWORKDIR /srv\n"
    + "COPY --from=node:24-slim /usr/local/bin/node /usr/local/bin/node\n"
    + "COPY --from=build /app/package.json ./\n"
    + "COPY --from=build /app/node_modules ./node_modules\n"
    + _TAKE_DIST
    + 'ENTRYPOINT ["/usr/local/bin/node", "/srv/dist/server.js"]\n'
)

_DUE = [
    Answer(
        "the slim image under another name",
        lambda w: _dockerfile(w, "due:slim", _GOOD),
        "unchanged",
        "wrong-name",
    ),
    Answer(
        "pruned in a later step of the only stage",
        lambda w: _dockerfile(
            w, "due:lab", _SINGLE + "RUN npm prune --omit=dev && rm -rf src tsconfig.json\n" + _CMD
        ),
        "kept-below",
        "symptom-hidden",
    ),
    Answer(
        "a second stage that takes over the whole folder",
        lambda w: _dockerfile(
            w,
            "due:lab",
            _STAGE + "FROM node:24-slim\nWORKDIR /app\nCOPY --from=build /app ./\n" + _CMD,
        ),
        "copied-whole",
        "warned-means",
    ),
    Answer(
        "the last stage copies the folder of the source too",
        lambda w: _dockerfile(
            w, "due:lab", _STAGE + _LAST + _INSTALL + _TAKE_DIST + "COPY . .\n" + _CMD
        ),
        "sources",
        "warned-means",
    ),
    Answer(
        "two stages, and the first one is what was built",
        lambda w: _dockerfile(
            w, "due:lab", _GOOD.replace("npm ci\n", "npm ci\n" + _CMD, 1), "--target", "build"
        ),
        "development-packages",
        "not-the-serving-object",
    ),
    Answer(
        "no packages taken over",
        lambda w: _dockerfile(w, "due:lab", _GOOD.replace(_INSTALL, "")),
        "missing-package",
        "works-once",
    ),
    Answer(
        "the program not taken over",
        lambda w: _dockerfile(w, "due:lab", _GOOD.replace(_TAKE_DIST, "")),
        "missing-program",
        "works-once",
    ),
    Answer(
        "the compiler installed for all, to compile at each start",
        lambda w: _dockerfile(
            w,
            "due:lab",
            _STAGE
            + _LAST
            + _INSTALL
            + "RUN npm install --global typescript@5.9.3\n"
            + _TAKE_DIST
            + _CMD,
        ),
        "compiler-installed",
        "warned-means",
    ),
    Answer("one date for all", _due_hard_coded, "wrong-answer", "special-cased"),
    Answer(
        "packages installed in the last stage",
        lambda w: _dockerfile(w, "due:lab", _GOOD),
        "",
        "alternative",
    ),
    Answer(
        "pruned in the first stage",
        lambda w: _dockerfile(w, "due:lab", _PRUNE_IN_BUILD),
        "",
        "solution",
    ),
    Answer(
        "one step that leaves nothing",
        lambda w: _dockerfile(w, "due:lab", _ONE_STEP),
        "",
        "alternative",
    ),
    Answer(
        "a file whose name is not UTF-8",
        lambda w: _dockerfile(
            w, "due:lab", _GOOD.replace(_CMD, "RUN touch \"$(printf 'caf\\351.js')\"\n" + _CMD)
        ),
        "",
        "alternative",
    ),
    Answer(
        "the folder of the source made a link in the stage that is left behind",
        lambda w: _dockerfile(
            w, "due:lab", _GOOD.replace(_LAST, "RUN rm -rf src && ln -s /tmp src\n" + _LAST)
        ),
        "",
        "alternative",
    ),
    Answer(
        "another base, without npm",
        lambda w: _dockerfile(w, "due:lab", _ON_DEBIAN),
        "",
        "alternative",
    ),
]

# -- slim-images-2

_GREET = 'FROM node:24-slim\nWORKDIR /app\nCOPY . .\nCMD ["node", "api/server.mjs"]\n'
_IGNORE = "**/node_modules\n**/.env*\n**/*.log\n.git\n"


def _ignore(lab: Lab, text: str, name: str = ".dockerignore") -> None:
    lab.write(name, text)
    _build(lab, "welcome:lab")


def _remove_files(lab: Lab) -> None:
    for name in (".env", "api/.env", "api/debug.log"):
        (lab.folder() / name).unlink()
    for name in ("node_modules", "api/node_modules", ".git"):
        shutil.rmtree(lab.folder() / name)
    _build(lab, "welcome:lab")


def _delete_in_a_later_step(lab: Lab) -> None:
    _dockerfile(
        lab,
        "welcome:lab",
        _GREET.replace(
            "CMD",
            "RUN find . -name '.env*' -o -name '*.log' -o -name node_modules -prune -o -name .git"
            " -prune | xargs rm -rf\nCMD",
        ),
    )


def _bind_all(lab: Lab) -> None:
    _dockerfile(
        lab,
        "welcome:lab",
        _GREET.replace(
            "COPY . .\n",
            "RUN --mount=type=bind,target=/all mkdir api && cp /all/api/server.mjs api/"
            " && cp -r /all/api/lang api/lang\n",
        ),
    )


def _copy_little(lab: Lab) -> None:
    _dockerfile(
        lab,
        "welcome:lab",
        _GREET.replace("COPY . .\n", "COPY api/server.mjs api/\nCOPY api/lang api/lang/\n"),
    )


def _right_and_not_built(lab: Lab) -> None:
    lab.write(".dockerignore", _IGNORE)


_CONTEXT = [
    Answer("repaired and not built again", _right_and_not_built, "stale-image", "stale"),
    Answer("deleted in a later step", _delete_in_a_later_step, "kept-below", "symptom-hidden"),
    Answer("the files removed from this folder", _remove_files, "only-here", "works-once"),
    Answer(
        "the right lines, in a .dockerignore of the folder below",
        lambda w: _ignore(w, _IGNORE, "api/.dockerignore"),
        "nested",
        "wrong-name",
    ),
    Answer(
        "each file by its name",
        lambda w: _ignore(
            w,
            ".env\napi/.env\n*/*/.env\nnode_modules\napi/node_modules\napi/debug.log\n.git\n",
        ),
        "one-name",
        "special-cased",
    ),
    Answer(
        "packages of the folders below forgotten",
        lambda w: _ignore(w, _IGNORE.replace("**/node", "node")),
        "packages-sent",
        "works-once",
    ),
    Answer(
        "the history forgotten",
        lambda w: _ignore(w, _IGNORE.replace(".git\n", "")),
        "history-sent",
        "works-once",
    ),
    Answer(
        "a log by its name",
        lambda w: _ignore(w, _IGNORE.replace("*.log", "debug.log")),
        "logs-sent",
        "special-cased",
    ),
    Answer(
        "too much kept out",
        lambda w: _ignore(w, _IGNORE + "**/*.json\n"),
        "needed-missing",
        "symptom-hidden",
    ),
    Answer(
        "the languages of today let in one by one",
        lambda w: _ignore(
            w,
            "*\n!api/server.mjs\n!api/lang/de.json\n!api/lang/fr.json\n!api/lang/it.json\n",
        ),
        "new-file-missing",
        "special-cased",
    ),
    Answer("everything mounted for one step", _bind_all, "still-sent", "warned-means"),
    Answer("patterns for every depth", lambda w: _ignore(w, _IGNORE), "", "solution"),
    Answer(
        "everything out, what runs let in",
        lambda w: _ignore(w, "*\n!api/server.mjs\n!api/lang\n"),
        "",
        "alternative",
    ),
    Answer("two narrow COPY and the old .dockerignore", _copy_little, "", "alternative"),
    Answer(
        "an ignore file of this Dockerfile's own",
        lambda w: _ignore(w, _IGNORE, "Dockerfile.dockerignore"),
        "",
        "alternative",
    ),
]

# -- slim-images-3


def _base(lab: Lab) -> Repository:
    return Repository(lab.registry, lab.recall("repository"))


def _from(lab: Lab, base: str) -> None:
    _dockerfile(
        lab,
        "till:lab",
        f'FROM {base}\nWORKDIR /app\nCOPY till.mjs ./\nCMD ["node", "till.mjs"]\n',
        "--pull",
    )


def _named(lab: Lab, rest: str) -> str:
    return f"{lab.registry}/{lab.recall('repository')}{rest}"


def _tag(lab: Lab, ref: str, other: str) -> None:
    lab.run("docker", "tag", ref, other)


def _on_local_name(lab: Lab) -> None:
    lab.run("docker", "tag", _named(lab, ":latest"), "runtime-kept:4.1")
    text = 'FROM runtime-kept:4.1\nWORKDIR /app\nCOPY till.mjs ./\nCMD ["node", "till.mjs"]\n'
    _dockerfile(lab, "till:lab", text)
    lab.run("docker", "image", "rm", "runtime-kept:4.1")
    lab.run("docker", "tag", _named(lab, ":latest"), "runtime-kept:4.1")


def _moved_back(lab: Lab) -> None:
    base = _base(lab)
    base.retag("latest", base.digest("4.1"))
    _build(lab, "till:lab", "--pull")


def _written_after_the_build(lab: Lab) -> None:
    _build(lab, "till:lab", "--pull")
    pinned = _named(lab, "@" + _base(lab).digest("4.1"))
    lab.write(
        "Dockerfile",
        f'FROM {pinned}\nWORKDIR /app\nCOPY till.mjs ./\nCMD ["node", "till.mjs"]\n',
    )


def _receipt_written_by_hand(lab: Lab) -> None:
    lab.write("till.mjs", f"console.log({json.dumps(lab.recall('printed')[:40])});\n")
    _from(lab, _named(lab, "@" + _base(lab).digest("4.1")))


def _public_base(lab: Lab) -> None:
    # Node is yesterday's, and what the company's base brings beside it is missing.
    public = _named(lab, "-public:20-slim")
    lab.run("docker", "tag", "node:20-slim", public)
    lab.run("docker", "push", "--quiet", public)
    lab.run("docker", "image", "rm", public)
    _from(lab, public)


def _own_repository(lab: Lab) -> None:
    own = _named(lab, "-kept:4.1")
    lab.run("docker", "tag", _named(lab, ":latest"), own)
    lab.run("docker", "push", "--quiet", own)
    lab.run("docker", "image", "rm", own)
    _from(lab, own)


_PIN = [
    Answer(
        "yesterday's image under a second name",
        lambda w: _tag(w, "till:yesterday", "till:lab"),
        "retagged",
        "not-the-serving-object",
    ),
    Answer(
        "built again as it is", lambda w: _build(w, "till:lab", "--pull"), "not-pinned", "stale"
    ),
    Answer("built without --pull", lambda w: _build(w, "till:lab"), "local-copy", "works-once"),
    Answer(
        "pinned to the tag 4.1",
        lambda w: _from(w, _named(w, ":4.1")),
        "pinned-to-a-tag",
        "warned-means",
    ),
    Answer(
        "today's digest",
        lambda w: _from(w, _named(w, "@" + _base(w).digest("latest"))),
        "todays-digest",
        "wrong-name",
    ),
    Answer(
        "the public base with that Node",
        _public_base,
        "another-base",
        "not-the-serving-object",
    ),
    Answer("a name of this machine only", _on_local_name, "base-only-here", "works-once"),
    Answer("the registry's latest moved back", _moved_back, "moved-back", "symptom-hidden"),
    Answer("pinned after the build", _written_after_the_build, "stale-image", "stale"),
    Answer(
        "the receipt written by hand", _receipt_written_by_hand, "other-result", "special-cased"
    ),
    Answer(
        "by digest",
        lambda w: _from(w, _named(w, "@" + _base(w).digest("4.1"))),
        "",
        "solution",
    ),
    Answer(
        "by tag and digest",
        lambda w: _from(w, _named(w, ":4.1@" + _base(w).digest("4.1"))),
        "",
        "alternative",
    ),
    Answer("a copy in a repository of one's own", _own_repository, "", "alternative"),
]

# -- slim-images-4


def _bytes_above(lab: Lab, ref: str) -> float:
    base = len(lab.docker.images.get("node:24-slim").history())
    steps = lab.docker.images.get(ref).history()
    return float(sum(step["Size"] for step in steps[:-base])) / 1e6


def _whole(lab: Lab, ref: str) -> float:
    return float(sum(step["Size"] for step in lab.docker.images.get(ref).history())) / 1e6


def _three(lab: Lab) -> dict[str, float]:
    for way in ("later", "one-run", "stages"):
        _build(lab, f"invoice:{way}", "--file", lab.folder() / f"{way}.Dockerfile")
    return {way: _bytes_above(lab, f"invoice:{way}") for way in ("later", "one-run", "stages")}


def _decide(lab: Lab, figures: dict[str, float], way: str) -> None:
    lab.write("measured.json", json.dumps(figures))
    lab.write("Dockerfile", (lab.folder() / f"{way}.Dockerfile").read_text(encoding="utf-8"))
    _build(lab, "invoice:release")


def _measured_with_the_base(lab: Lab) -> None:
    _three(lab)
    _decide(lab, {w: _whole(lab, f"invoice:{w}") for w in ("later", "one-run", "stages")}, "stages")


def _measured_inside(lab: Lab) -> None:
    # du in a container: what a later step deleted is not counted.
    figures = _three(lab)
    _decide(lab, figures | {"later": figures["one-run"]}, "stages")


def _release_of_another(lab: Lab) -> None:
    _decide(lab, _three(lab), "stages")
    lab.run("docker", "tag", "invoice:later", "invoice:release")


def _program_beside_the_source(lab: Lab) -> None:
    figures = _three(lab)
    lab.write("measured.json", json.dumps(figures))
    shutil.copytree(lab.folder() / "src", lab.folder() / "kept")
    stages = (lab.folder() / "stages.Dockerfile").read_text(encoding="utf-8")
    lab.write("Dockerfile", stages.replace("COPY src ./src", "COPY kept ./src"))
    _build(lab, "invoice:release")


def _install_first(lab: Lab) -> None:
    figures = _three(lab)
    lab.write("measured.json", json.dumps({w: round(mb, 1) for w, mb in figures.items()}))
    _dockerfile(
        lab,
        "invoice:release",
        _STAGE + _LAST + "RUN npm ci --omit=dev && rm -rf /root/.npm\n" + _TAKE_DIST + _CMD,
    )


_MOUNTED = """\
FROM node:24-slim AS tools
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci

FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev
RUN --mount=type=bind,target=/tools,rw --mount=type=tmpfs,target=/tmp \\
    --mount=type=bind,from=tools,source=/app/node_modules,target=/tools/node_modules \\
    cd /tools && npm run build -- --outDir /app/dist
"""


def _compiler_mounted(lab: Lab) -> None:
    # Neither the compiler nor the source is copied: the step that needs them has them mounted.
    lab.write("measured.json", json.dumps(_three(lab)))
    _dockerfile(lab, "invoice:release", _MOUNTED + _CMD)


_DECIDE = [
    Answer("no figures", lambda w: _decide(w, {}, "stages"), "no-figures", "special-cased"),
    Answer("the whole images measured", _measured_with_the_base, "with-the-base", "wrong-name"),
    Answer("measured in a container", _measured_inside, "measured-inside", "symptom-hidden"),
    Answer(
        "figures guessed",
        lambda w: _decide(w, _three(w) | {"stages": 25.0}, "stages"),
        "wrong-figure",
        "special-cased",
    ),
    Answer(
        "the one that cleans up later",
        _release_of_another,
        "too-large",
        "not-the-serving-object",
    ),
    Answer(
        "one step for all",
        lambda w: _decide(w, _three(w), "one-run"),
        "moves-much",
        "works-once",
    ),
    Answer(
        "built from a copy of the source",
        _program_beside_the_source,
        "edit-missing",
        "stale",
    ),
    Answer("stages", lambda w: _decide(w, _three(w), "stages"), "", "solution"),
    Answer("packages first, in the last stage", _install_first, "", "alternative"),
    Answer("compiler and source mounted", _compiler_mounted, "", "alternative"),
]

BANK: dict[str, list[Answer]] = {
    "slim-images-1": _DUE,
    "slim-images-2": _CONTEXT,
    "slim-images-3": _PIN,
    "slim-images-4": _DECIDE,
}
