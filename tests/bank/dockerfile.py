"""Answers to the exercises of 02-dockerfile."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from course.exercises.dockerfile import notes_dockerfile
from course.exercises.kit.lab import Lab
from course.measure import builds
from tests.bank import Answer

Apply = Callable[[Lab], None]


def _dockerfile(text: str) -> Apply:
    return lambda lab: _write(lab, text)


def _write(lab: Lab, text: str) -> None:
    lab.write("Dockerfile", text)


_STOPS = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tools ./tools
COPY data ./data
RUN node tools/index.mjs
COPY src ./src
USER node
CMD ["node", "src/server.mjs"]
"""
_STOPS_INDEX_FIRST = """\
FROM node:24-slim
WORKDIR /app
COPY tools ./tools
COPY data ./data
RUN node tools/index.mjs
COPY package.json package-lock.json ./
RUN npm ci
COPY src ./src
CMD ["node", "src/server.mjs"]
"""
_STOPS_STAGES = """\
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package*.json ./
RUN npm ci --omit=dev

FROM node:24-slim AS index
WORKDIR /app
COPY tools tools
COPY data data
RUN node tools/index.mjs

FROM node:24-slim
WORKDIR /srv/stops
COPY --from=dependencies /app ./
COPY --from=index /app/index.json ./
COPY . .
CMD node src/server.mjs
"""
_STOPS_BINDS = """\
FROM node:24-slim
WORKDIR /app
RUN --mount=type=bind,source=package.json,target=package.json \\
    --mount=type=bind,source=package-lock.json,target=package-lock.json npm ci
RUN --mount=type=bind,source=tools,target=tools --mount=type=bind,source=data,target=data \\
    node tools/index.mjs
COPY . .
CMD ["node", "src/server.mjs"]
"""
_STOPS_AT_START = """\
FROM node:24-slim
WORKDIR /app
COPY . .
CMD npm ci && node tools/index.mjs && exec node src/server.mjs
"""


_STOPS_BY_NUMBER = """\
FROM node:24-slim AS Dependencies
WORKDIR /app
COPY package*.json ./
RUN npm ci --omit=dev

FROM node:24-slim
WORKDIR /app
COPY tools tools
COPY data data
RUN node tools/index.mjs

FROM node:24-slim
WORKDIR /srv/stops
COPY --link --from=Dependencies /app ./
COPY --from=1 /app/index.json ./
COPY src src
CMD ["node", "src/server.mjs"]
"""


def _stops_among_odd_files(lab: Lab) -> None:
    """The folder as editors and tools leave it; Docker finds `dockerfile` too."""
    folder = lab.folder()
    (folder / "Dockerfile").unlink()
    lab.write("dockerfile", _STOPS)
    # An address is at most 107 bytes long.
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as made:
        made.bind("ctl")
    os.mkfifo(folder / "pipe")
    for name, to in {"dangling": "nowhere", "loop": "loop", "absolute": "/etc/hostname"}.items():
        (folder / name).symlink_to(to)
    lab.write("new\nline", "x")
    deep = folder / Path(*["d" * 99] * 12)
    deep.mkdir(parents=True)
    with (folder / "sparse").open("wb") as file:
        file.truncate(20_000_000_000)


def _stops_index_from_the_host(lab: Lab) -> None:
    words = {"hill": ["Harbour Hill", "Town Hill"]}
    lab.write("index.json", json.dumps({"made": 1, "words": words}))
    _write(lab, _STOPS.replace("RUN node tools/index.mjs", "COPY index.json ./"))


def _stops_on_an_older_image(lab: Lab) -> None:
    # Everything baked into a base once; the Dockerfile of every day only adds a command.
    _write(lab, _STOPS)
    lab.run("docker", "build", "--quiet", "--tag", "stops-base:lab", lab.folder())
    _write(lab, 'FROM stops-base:lab\nCMD ["node", "src/server.mjs"]\n')


_ORDERS = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build
EXPOSE 3000
USER node
CMD ["node", "dist/index.js"]
"""
_ORDERS_TYPESCRIPT = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
USER node
CMD ["node", "src/index.ts"]
"""
_ORDERS_BY_VARIABLE = """\
FROM node:24-slim
ENV npm_config_engine_strict=true
WORKDIR /srv
COPY . .
RUN npm ci && npm run build
USER 1000
ENTRYPOINT ["node"]
CMD ["/srv/dist/index.js"]
"""


def _orders(old: str, new: str) -> Apply:
    """The solution with one thing as a learner would have it; built once, as they would."""
    text = _ORDERS.replace(old, new)
    assert text != _ORDERS
    return lambda lab: _built(lab, text)


def _built(lab: Lab, text: str) -> None:
    _write(lab, text)
    lab.run("docker", "build", "--quiet", lab.folder(), check=False)


def _orders_with_dist_of_the_host(lab: Lab) -> None:
    lab.write("dist/index.js", "// compiled on the author's machine\n")
    lab.write(".dockerignore", "node_modules\n.git\n")
    _built(lab, _ORDERS.replace("RUN npm run build", "COPY dist ./dist"))


_GREET = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
USER node
CMD ["node", "server.mjs"]
"""
_GREET_NO_NUMBER = """\
FROM node:24-slim AS lock
WORKDIR /lock
COPY package.json package-lock.json ./
RUN node -e 'const fs = require("fs"); \\
  for (const name of ["package.json", "package-lock.json"]) { \\
    const file = JSON.parse(fs.readFileSync(name)); \\
    file.version = "0.0.0"; \\
    if (file.packages) file.packages[""].version = "0.0.0"; \\
    fs.writeFileSync(name, JSON.stringify(file)); \\
  }' && touch -d @0 package.json package-lock.json

FROM node:24-slim
WORKDIR /app
COPY --from=lock /lock/ ./
RUN npm ci
COPY . .
USER node
CMD ["node", "server.mjs"]
"""
_GREET_MOUNT = "RUN --mount=type=cache,target=/root/.npm npm ci"


def _greet(new: str) -> Apply:
    return _dockerfile(_GREET.replace(_GREET_MOUNT, new))


_SITE = """\
FROM node:24-slim
WORKDIR /app
COPY tools ./tools
COPY assets ./assets
RUN node tools/compress.mjs
COPY data ./data
RUN node tools/index.mjs
COPY server.mjs ./
USER node
CMD ["node", "server.mjs"]
"""
_SITE_STAGES = """\
FROM node:24-slim AS tools
WORKDIR /app
COPY tools ./tools

FROM tools AS index
COPY data ./data
RUN node tools/index.mjs

FROM tools AS assets
COPY assets ./assets
RUN node tools/compress.mjs

FROM node:24-slim
WORKDIR /app
COPY --from=index /app/index.json ./
COPY --from=assets /app/public ./public
COPY server.mjs ./
CMD ["node", "server.mjs"]
"""
_SITE_ALL = """\
FROM node:24-slim
WORKDIR /app
COPY . .
RUN node tools/compress.mjs
RUN node tools/index.mjs
CMD ["node", "server.mjs"]
"""
_SITE_BINDS = """\
FROM node:24-slim
WORKDIR /app
RUN --mount=type=bind,source=tools,target=tools --mount=type=bind,source=assets,target=assets \\
    node tools/compress.mjs
RUN --mount=type=bind,source=tools,target=tools --mount=type=bind,source=data,target=data \\
    node tools/index.mjs
COPY server.mjs .
CMD ["node", "server.mjs"]
"""


def _days(index: float, compress: float) -> dict[str, float]:
    """A day with the index first, with the compression first, and with the two apart."""
    return {
        "index": 5 * (index + compress) + 6 * compress,
        "compress": 6 * (index + compress) + 5 * index,
        "apart": 5 * index + 6 * compress,
    }


def _site(dockerfile: str, day: str, other: str) -> Apply:
    """Measure as the lab does, then write the Dockerfile and the figures."""

    def apply(lab: Lab) -> None:
        build = builds.run(lab.folder(), "--no-cache", env=lab.env())
        steps = [build.find("tools/index.mjs"), build.find("tools/compress.mjs")]
        index, compress = (step.seconds if step else 0.0 for step in steps)
        _figures(lab, index, compress, day, other)
        if dockerfile:
            _write(lab, dockerfile)

    return apply


def _figures(lab: Lab, index: float, compress: float, day: str, other: str) -> None:
    days = _days(index, compress)
    found = {"index_s": index, "compress_s": compress}
    found |= {"day_s": days[day], "other_day_s": days[other]}
    lab.write("measured.json", json.dumps(found))


def _site_made_up(lab: Lab) -> None:
    _write(lab, _SITE)
    _figures(lab, 5.0, 1.0, "compress", "index")


def _site_prebuilt(lab: Lab) -> None:
    _site("", "compress", "index")(lab)
    lab.write("index.json", json.dumps({"made": 1, "words": {"hill": ["Town Hill"]}}))
    _write(lab, _SITE.replace("RUN node tools/index.mjs", "COPY index.json ./"))


def _site_unfinished(lab: Lab) -> None:
    _write(lab, _SITE)
    lab.write("measured.json", json.dumps({"index_s": 0.5, "compress_s": None}))


BANK: dict[str, list[Answer]] = {
    "dockerfile-1": [
        Answer("as it was: everything first", lambda _: None, "install-again", "works-once"),
        Answer(
            "the install mended, the index forgotten",
            _dockerfile(
                _STOPS.replace("COPY tools ./tools\nCOPY data ./data\n", "COPY . .\n").replace(
                    "COPY src ./src\n", ""
                )
            ),
            "index-again",
            "symptom-hidden",
        ),
        Answer(
            "the index above the install",
            _dockerfile(_STOPS_INDEX_FIRST),
            "install-after-data",
            "works-once",
        ),
        Answer(
            "the index made on the host and copied",
            _stops_index_from_the_host,
            "stale-index",
            "stale",
        ),
        Answer(
            "the packages of the host copied",
            _dockerfile(_STOPS.replace("RUN npm ci", "COPY node_modules ./node_modules")),
            "copy-missing",
            "warned-means",
        ),
        Answer(
            "the slow steps moved to the start of the container",
            _dockerfile(_STOPS_AT_START),
            "installs-at-start",
            "symptom-hidden",
        ),
        Answer(
            "on an image that has it all",
            _stops_on_an_older_image,
            "base-only-here",
            "from-elsewhere",
        ),
        Answer(
            "a slip in an instruction",
            _dockerfile(_STOPS.replace("COPY data", "COPPY data")),
            "dockerfile-syntax",
            "wrong-name",
        ),
        Answer("as in the solution", _dockerfile(_STOPS), "", "solution"),
        Answer(
            "a front end of a version that nobody has",
            _dockerfile("# syntax=docker/dockerfile:0.0.1-none\n" + _STOPS),
            "no-front-end",
            "wrong-name",
        ),
        Answer("in stages of their own", _dockerfile(_STOPS_STAGES), "", "alternative"),
        Answer(
            "stages by number, and in capitals", _dockerfile(_STOPS_BY_NUMBER), "", "alternative"
        ),
        Answer(
            "beside a socket, a pipe, links to nowhere and a sparse file",
            _stops_among_odd_files,
            "",
            "alternative",
        ),
        Answer("with the inputs mounted", _dockerfile(_STOPS_BINDS), "", "alternative"),
    ],
    "dockerfile-2": [
        Answer(
            "only the spelling mended",
            lambda w: _built(w, notes_dockerfile().replace("--only=production", "--omit=dev")),
            "build-fails",
            "symptom-hidden",
        ),
        Answer(
            "the failing step silenced",
            _orders("RUN npm run build", "RUN npm run biuld || true"),
            "file-missing",
            "symptom-hidden",
        ),
        Answer(
            "the rule left outside",
            _orders("package-lock.json .npmrc", "package-lock.json"),
            "engines-ignored",
            "warned-means",
        ),
        Answer(
            "Node 20, where npm only warns",
            lambda w: _built(w, _ORDERS.replace("24-slim", "20-slim").replace(" .npmrc", "")),
            "old-runtime",
            "stale",
        ),
        Answer("the user dropped", _orders("USER node\n", ""), "root", "warned-means"),
        Answer("dist from the host", _orders_with_dist_of_the_host, "copy-missing", "works-once"),
        Answer("another tag", _orders("24-slim", "24-slimm"), "no-base", "wrong-name"),
        Answer("as in the solution", lambda w: _built(w, _ORDERS), "", "solution"),
        Answer(
            "no compiler: this Node reads TypeScript",
            lambda w: _built(w, _ORDERS_TYPESCRIPT),
            "",
            "alternative",
        ),
        Answer(
            "the rule as a variable, everything copied first",
            lambda w: _built(w, _ORDERS_BY_VARIABLE),
            "",
            "alternative",
        ),
    ],
    "dockerfile-3": [
        Answer("as it was", _greet("RUN npm ci"), "downloads-again", "works-once"),
        Answer(
            "a cache where npm does not look",
            _greet("RUN --mount=type=cache,target=/home/node/.npm npm ci"),
            "cache-not-used",
            "wrong-name",
        ),
        Answer(
            "the dashes forgotten",
            _greet("RUN mount=type=cache,target=/root/.npm npm ci"),
            "no-option",
            "wrong-name",
        ),
        Answer(
            "never asking: works here, not on a new machine",
            _greet(f"{_GREET_MOUNT} --offline"),
            "needs-a-full-cache",
            "works-once",
        ),
        Answer(
            "the installed packages in the cache",
            _greet("RUN --mount=type=cache,target=/app/node_modules npm ci"),
            "packages-missing",
            "not-the-serving-object",
        ),
        Answer(
            "without the lock file",
            _dockerfile(_GREET.replace(" package-lock.json", "").replace("npm ci", "npm install")),
            "lock-ignored",
            "symptom-hidden",
        ),
        Answer("as in the solution", _dockerfile(_GREET), "", "solution"),
        Answer(
            "another folder, named to npm",
            _greet(
                "RUN --mount=type=cache,id=greet,sharing=locked,target=/tmp/npm "
                "npm ci --cache /tmp/npm --prefer-offline"
            ),
            "",
            "alternative",
        ),
        Answer(
            "an install that never sees the number",
            _dockerfile(_GREET_NO_NUMBER),
            "",
            "alternative",
        ),
        Answer(
            "everything copied first, and the mount",
            _dockerfile(
                _GREET.replace("COPY . .\n", "").replace("package.json package-lock.json", ".")
            ),
            "",
            "alternative",
        ),
    ],
    "dockerfile-4": [
        Answer("the order alone", _dockerfile(_SITE), "no-measurement", "symptom-hidden"),
        Answer("half a measurement", _site_unfinished, "measurement-incomplete", "works-once"),
        Answer(
            "measured, and left as it was",
            _site("", "index", "compress"),
            "dearer-order",
            "stale",
        ),
        Answer("figures made up", _site_made_up, "not-measured-here", "special-cased"),
        Answer(
            "everything copied first",
            _site(_SITE_ALL, "compress", "index"),
            "all-again",
            "warned-means",
        ),
        Answer(
            "the two days taken for each other",
            _site(_SITE, "index", "compress"),
            "day-miscounted",
            "wrong-name",
        ),
        Answer("an index of the host", _site_prebuilt, "stale-output", "stale"),
        Answer("as in the solution", _site(_SITE, "compress", "index"), "", "solution"),
        Answer(
            "in stages: neither waits for the other",
            _site(_SITE_STAGES, "apart", "index"),
            "",
            "alternative",
        ),
        Answer(
            "with the inputs mounted", _site(_SITE_BINDS, "compress", "index"), "", "alternative"
        ),
    ],
}
