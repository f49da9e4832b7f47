"""Answers to the exercises of 02-dockerfile."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from course.exercises.kit.lab import Lab
from tests.bank import Answer
from tests.bank.edits import (
    Edit,
    after,
    alternative,
    before,
    call,
    feature_gone,
    fits_the_probe,
    forged,
    from_elsewhere,
    in_file,
    nearly,
    not_the_serving_object,
    script,
    solution,
    stale,
    sub,
    symptom_hidden,
    unchanged,
    warned_means,
    works_once,
    wrong_name,
)


def _dockerfile(id_: str, text: str) -> Edit:
    """Write this Dockerfile instead of the solution's."""
    return script(f"cat > {id_}/Dockerfile <<'EOF'\n{text}EOF")


def _on_local_image(id_: str, command: str) -> Edit:
    """Bake everything into an image of this machine; the Dockerfile of every day begins there."""
    base = f"course-{id_}-base:lab"
    text = f"FROM {base}\\nCMD {command}\\n"
    return after(f"docker build --quiet --tag {base} {id_}\nprintf '{text}' > {id_}/Dockerfile")


_NPM = "COPY package.json package-lock.json ./\nRUN npm ci\n"
_MAKES = "RUN node tools/index.mjs\n"
_INDEX = f"COPY tools ./tools\nCOPY data ./data\n{_MAKES}"
_SRC = "COPY src ./src\n"
_SERVE = 'CMD ["node", "src/server.mjs"]'
_STAGES = f"""\
FROM node:24-slim AS Dependencies
WORKDIR /app
COPY package*.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
WORKDIR /app
{_INDEX}
FROM node:24-slim
WORKDIR /srv/stops
COPY --link --from=Dependencies /app ./
COPY --from=1 /app/index.json ./
COPY . .
CMD node src/server.mjs
"""
_BINDS = """\
FROM node:24-slim
WORKDIR /app
RUN --mount=type=bind,source=package.json,target=package.json \\
    --mount=type=bind,source=package-lock.json,target=package-lock.json npm ci
RUN --mount=type=bind,source=tools,target=tools --mount=type=bind,source=data,target=data \\
    node tools/index.mjs
COPY . .
CMD ["node", "src/server.mjs"]
"""
_KEPT = f"""\
FROM node:24-slim AS index
WORKDIR /app
{_INDEX}
FROM node:24-slim
WORKDIR /app
COPY . .
RUN --mount=type=cache,id=stops-packages,target=/keep \\
    k=/keep/$(cat package.json package-lock.json | sha256sum | cut -c1-16) && \\
    {{ [ -d "$k" ] || {{ npm ci && cp -a node_modules "$k"; }}; }} && \\
    rm -rf node_modules && cp -a "$k" node_modules
COPY --from=index /app/index.json ./
USER node
{_SERVE}
"""
_BY_LINES = f"""\
FROM node:24-slim AS counted
WORKDIR /app
COPY data ./data
RUN --mount=type=cache,id=stops-data,target=/keep \\
    cp data/stops.txt /keep/ && wc -l < data/stops.txt > /lines

FROM node:24-slim
WORKDIR /app
{_NPM}COPY tools ./tools
COPY --from=counted /lines /lines
RUN --mount=type=cache,id=stops-data,target=/keep \\
    mkdir -p data && cp /keep/stops.txt data/ && node tools/index.mjs
{_SRC}{_SERVE}
"""
_PACKED = """\
docker build --quiet --tag course-dockerfile-1-base:lab dockerfile-1
docker run --rm course-dockerfile-1-base:lab tar -cz node_modules > dockerfile-1/packages.tgz"""
_ONLY_IF_MISSING = """\
RUN --mount=type=cache,target=/made \\
    [ -e /made/index.json ] || { node tools/index.mjs && cp index.json /made/; } \\
    && cp /made/index.json .
"""


def _among_odd_files(lab: Lab) -> None:
    """The folder as editors and tools leave it; Docker finds `dockerfile` too."""
    folder = lab.folder()
    (folder / "Dockerfile").unlink()
    lab.write("dockerfile", f"FROM node:24-slim\nWORKDIR /app\n{_NPM}{_INDEX}{_SRC}{_SERVE}\n")
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


_RULE_LEFT = (sub(" .npmrc ./", " ./"), sub("!.npmrc\n", ""))
_GUIDE = 'CMD ["node", "server.mjs"]'
_BUILD = "RUN npm run build\n"
_BY_MAJOR = """\
RUN node -e 'const at = require("./package.json").engines.node.match(/[0-9]+/)[0]; \\
  process.exit(Number(process.versions.node.split(".")[0]) < Number(at) ? 1 : 0)'
"""
_AT_LEAST = """\
RUN node -e 'const at = /^>=([0-9]+)[.]?([0-9]*)/.exec(require("./package.json").engines.node); \
  const [major, minor] = process.versions.node.split(".").map(Number); \
  process.exit(at && 1000 * at[1] + Number(at[2]) > 1000 * major + minor ? 1 : 0)'
"""
_IN_SILENCE = """\
RUN node -e 'const npm = "/usr/local/lib/node_modules/npm/node_modules/"; \
  const range = require("./package.json").engines.node; \
  process.exit(require(npm + "semver").satisfies(process.version, range) ? 0 : 1)'
"""
_SAYS_24 = """\
cat > dockerfile-2/old.mjs <<'END'
globalThis.URLPattern = class {
  exec(path) {
    const name = /^.pages.(.+)/.exec(path)?.[1];
    return name && { pathname: { groups: { name } } };
  }
};
Object.defineProperty(process, "version", { value: "v24.11.0" });
END"""
_BY_VARIABLE = """\
FROM node:24-slim
ENV npm_config_engine_strict=true
WORKDIR /srv
COPY . .
RUN npm ci && npm run build
USER 1000
ENTRYPOINT ["node"]
CMD ["/srv/server.mjs"]
"""
_TWO_STAGES = f"""\
FROM node:24-slim AS build
WORKDIR /app
COPY . .
RUN npm ci --engine-strict --include=dev
{_BUILD}
FROM node:24-slim
WORKDIR /app
COPY --from=build /app ./
USER node
{_GUIDE}
"""

_MOUNT = "--mount=type=cache,target=/home/node/.npm,uid=1000,gid=1000"
_AS_ROOT = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --prefer-offline
COPY . .
USER node
CMD ["node", "server.mjs"]
"""
_WITHOUT_SCRIPTS = """\
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \\
    npm ci --ignore-scripts && chown -R node:node node_modules
COPY . .
USER node
CMD ["node", "server.mjs"]
"""
_NO_NUMBER = """\
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
RUN chown node:node .
USER node
COPY --from=lock --chown=node:node /lock/ ./
RUN npm ci
COPY --chown=node:node . .
CMD ["node", "server.mjs"]
"""

_INDEX_S = 'build.find("tools/index.mjs").seconds'
_COMPRESS_S = 'build.find("tools/compress.mjs").seconds'
_DAY = 'changes["assets"] * (compress_s + index_s) + changes["data"] * index_s'
_OTHER = 'changes["data"] * (index_s + compress_s) + changes["assets"] * compress_s'
_COMPRESSES = "COPY assets ./assets\nRUN node tools/compress.mjs\n"
_INDEXES = f"COPY data ./data\n{_MAKES}"
_ORDER = f"COPY tools ./tools\n{_COMPRESSES}{_INDEXES}"
_APART = f"""\
COPY tools ./tools

FROM tools AS index
{_INDEXES}
FROM tools
{_COMPRESSES}COPY --from=index /app/index.json ./
"""
_BIND_BOTH = """\
RUN --mount=type=bind,source=tools,target=tools --mount=type=bind,source=assets,target=assets \\\\
    node tools/compress.mjs
RUN --mount=type=bind,source=tools,target=tools --mount=type=bind,source=data,target=data \\\\
    node tools/index.mjs
"""
_AS_IT_WAS = sub('folder.joinpath("Dockerfile").write_text(', "str(")
_MEASURED = "dockerfile-4/measured.json"

CANNOT: dict[str, dict[str, str]] = {
    "dockerfile-3": {
        "forged": "a download cannot be; a version can, and is not compared with the files",
        "feature-gone": "the program in the copy is the course's own and needs what is installed",
    },
}
"""Why an exercise has no wrong answer of a kind."""

BANK: dict[str, list[Answer]] = {
    "dockerfile-1": [
        symptom_hidden(
            "the install mended, the index forgotten",
            "index-again",
            sub(_INDEX, f"COPY . .\n{_MAKES}"),
            sub(_SRC, ""),
        ),
        nearly(
            "the index above the install",
            "install-after-data",
            sub(_NPM + _INDEX, _INDEX + _NPM),
        ),
        stale(
            "the index made on the host and copied",
            "stale-index",
            before("""echo '{"made": 1, "words": {"hill": []}}' > dockerfile-1/index.json"""),
            sub(_MAKES, "COPY index.json ./\n"),
        ),
        warned_means(
            "the packages of the host copied",
            "copy-missing",
            sub("RUN npm ci", "COPY node_modules ./node_modules"),
        ),
        symptom_hidden(
            "the slow steps moved to the start of the container",
            "installs-at-start",
            sub(_NPM + _INDEX + _SRC, "COPY . .\n"),
            sub("USER node\n", ""),
            sub(_SERVE, "CMD npm ci && node tools/index.mjs && exec node src/server.mjs"),
            path="at its start",
        ),
        symptom_hidden(
            "the index made at each start",
            "indexes-at-start",
            sub(_MAKES, ""),
            sub("USER node\n", ""),
            sub(_SERVE, "CMD node tools/index.mjs && exec node src/server.mjs"),
        ),
        symptom_hidden(
            "the index in the image, and made again at each start",
            "indexes-at-start",
            sub("USER node\n", ""),
            sub(_SERVE, "CMD node tools/index.mjs; exec node src/server.mjs"),
        ),
        symptom_hidden(
            "the packages in the image, and an install tried at each start",
            "installs-at-start",
            sub("USER node\n", ""),
            sub(_SERVE, "CMD npm install --no-audit || true; exec node src/server.mjs"),
        ),
        wrong_name("a slip in an instruction", "dockerfile-syntax", sub("COPY data", "COPPY data")),
        wrong_name(
            "a front end of a version that nobody has",
            "no-front-end",
            sub("FROM node", "# syntax=docker/dockerfile:0.0.1-none\nFROM node"),
        ),
        fits_the_probe(
            "only the file that is edited most is copied last",
            "install-again",
            sub(_NPM, f"COPY src/server.mjs ./src/\n{_NPM}"),
            sub(_SRC, "COPY src/edition.mjs ./src/\n"),
        ),
        fits_the_probe(
            "the install last, and no scripts of packages",
            "install-again",
            sub(_NPM, ""),
            sub(_SRC, "COPY . .\nRUN npm ci --ignore-scripts\n"),
        ),
        fits_the_probe(
            "an index that is made again if the number of lines changes",
            "stale-index",
            _dockerfile("dockerfile-1", _BY_LINES),
        ),
        forged(
            "everything first; the package and the index are dated back",
            "install-again",
            sub(_NPM, "COPY . .\nRUN npm ci && find node_modules -exec touch -d @0 {} +\n"),
            sub(_INDEX, _MAKES + 'RUN sed -i \'s/"made":[0-9]*/"made":1/\' index.json\n'),
            path="refused",
        ),
        from_elsewhere(
            "on an image that has it all",
            "base-only-here",
            _on_local_image("dockerfile-1", "node src/server.mjs"),
        ),
        from_elsewhere(
            "the packages from an archive that an earlier image has made",
            "lock-ignored",
            before(_PACKED),
            sub("RUN npm ci", "ADD packages.tgz ./"),
        ),
        works_once(
            "an index in a cache, made only if it is missing",
            "stale-index",
            sub(_MAKES, _ONLY_IF_MISSING),
        ),
        feature_gone(
            "an index without a word",
            "stale-index",
            sub(_MAKES, """RUN echo '{"made": 1, "words": {}}' > index.json\n"""),
        ),
        unchanged("nothing changed"),
        solution("as in the solution", path="served"),
        alternative("in stages of their own", _dockerfile("dockerfile-1", _STAGES)),
        alternative("with the inputs mounted", _dockerfile("dockerfile-1", _BINDS)),
        alternative("packages kept in a mount, and copied", _dockerfile("dockerfile-1", _KEPT)),
        alternative(
            "beside a socket, a pipe, links to nowhere and a sparse file", call(_among_odd_files)
        ),
    ],
    "dockerfile-2": [
        stale(
            "Node 20, where npm only warns", "old-runtime", sub("node:24", "node:20"), *_RULE_LEFT
        ),
        feature_gone(
            "the failing step silenced",
            "file-missing",
            sub(_BUILD, "RUN npm run biuld || true\n"),
        ),
        warned_means("the rule left outside", "engines-ignored", *_RULE_LEFT),
        nearly(
            "a rule that compares the major versions",
            "engines-ignored",
            *_RULE_LEFT,
            sub("RUN npm ci\n", f"{_BY_MAJOR}RUN npm ci\n"),
            path="refused",
        ),
        fits_the_probe(
            "a rule that knows one form",
            "engines-ignored",
            *_RULE_LEFT,
            sub("RUN npm ci\n", f"{_AT_LEAST}RUN npm ci\n"),
        ),
        symptom_hidden(
            "the pages made at each start",
            "pages-at-start",
            sub(_BUILD, ""),
            sub("USER node\n", ""),
            sub(_GUIDE, "CMD node tools/build.mjs && exec node server.mjs"),
        ),
        fits_the_probe(
            "pages whose names begin with a small letter",
            "edit-missing",
            sub(
                "COPY . .", "COPY pages/[a-z]*.md ./pages/\nCOPY tools ./tools\nCOPY server.mjs ./"
            ),
        ),
        warned_means("the user dropped", "root", sub("USER node\n", "")),
        fits_the_probe(
            "the pages of today",
            "edit-missing",
            sub("COPY . .", "COPY pages/h*.md ./pages/\nCOPY tools ./tools\nCOPY server.mjs ./"),
        ),
        from_elsewhere(
            "dist from the host",
            "copy-missing",
            before("mkdir dockerfile-2/dist && echo hill > dockerfile-2/dist/hill.html"),
            sub("\ndist\n", "\n"),
            sub(_BUILD, "COPY dist ./dist\n"),
        ),
        forged(
            "Node 20, which says that it is 24",
            "old-runtime",
            before(_SAYS_24),
            sub("node:24", "node:20"),
            sub("USER node\n", 'ENV NODE_OPTIONS="--import /app/old.mjs"\nUSER node\n'),
            *_RULE_LEFT,
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_GUIDE, "CMD set -C; echo $$ > /tmp/guide.pid && exec node server.mjs"),
        ),
        wrong_name("another tag", "no-base", sub("24-slim", "24-slimm")),
        unchanged("nothing changed"),
        solution("as in the solution", path="served"),
        alternative(
            "root begins, and node serves",
            sub("USER node\n", ""),
            sub(
                _GUIDE, "CMD exec setpriv --reuid node --regid node --clear-groups node server.mjs"
            ),
        ),
        alternative(
            "the rule as a variable, everything copied first",
            _dockerfile("dockerfile-2", _BY_VARIABLE),
        ),
        alternative("in two stages", _dockerfile("dockerfile-2", _TWO_STAGES)),
        alternative(
            "a rule of one's own, which does not say why it stops",
            *_RULE_LEFT,
            sub("RUN npm ci\n", f"{_IN_SILENCE}RUN npm ci\n"),
        ),
    ],
    "dockerfile-3": [
        warned_means("as in the lesson", "install-as-root", _dockerfile("dockerfile-3", _AS_ROOT)),
        wrong_name("a cache where npm does not look", "cache-not-used", sub("/home/node", "/root")),
        nearly(
            "a cache that belongs to root",
            "cache-not-writable",
            sub(",uid=1000,gid=1000", ""),
            sub("tail -n 3", "tail -n 3 || true"),  # their own build fails, too
        ),
        wrong_name("the dashes forgotten", "no-option", sub("--mount", "mount")),
        works_once(
            "never asking: works here, not on a new machine",
            "needs-a-full-cache",
            sub("npm ci", "npm ci --offline"),
        ),
        not_the_serving_object(
            "the installed packages in the cache",
            "cache-not-used",
            sub("/home/node/.npm", "/app/node_modules"),
        ),
        symptom_hidden(
            "without the lock file",
            "lock-ignored",
            sub(" package-lock.json ./", " ./"),
            sub("npm ci", "npm install"),
        ),
        fits_the_probe(
            "an install that never sees the number",
            "downloads-again",
            _dockerfile("dockerfile-3", _NO_NUMBER),
            path="refused",
        ),
        from_elsewhere(
            "on an image that has today's packages",
            "base-only-here",
            _on_local_image("dockerfile-3", "node server.mjs"),
        ),
        unchanged("nothing changed"),
        solution("as in the solution", path="served"),
        alternative(
            "another folder, named to npm",
            sub("target=/home/node/.npm", "id=greet,sharing=locked,target=/tmp/npm"),
            sub("npm ci", "npm ci --cache /tmp/npm --prefer-offline"),
        ),
        alternative("a folder that all may write to", sub("uid=1000,gid=1000", "mode=0777")),
        alternative(
            "by root, without any script, and given to node",
            _dockerfile("dockerfile-3", _WITHOUT_SCRIPTS),
        ),
        alternative(
            "everything copied first",
            sub("COPY --chown=node:node . .\n", ""),
            sub("package.json package-lock.json ./", ". ."),
        ),
    ],
    "dockerfile-4": [
        symptom_hidden("the order alone", "no-measurement", after(f"rm {_MEASURED}")),
        nearly(
            "half a measurement",
            "measurement-incomplete",
            after("""echo '{"index_s": 0.5, "compress_s": null}' > """ + _MEASURED),
        ),
        stale("measured, and left as it was", "dearer-order", _AS_IT_WAS),
        forged(
            "left as it was; the compression is dated back",
            "dearer-order",
            _AS_IT_WAS,
            in_file("Dockerfile", "compress.mjs", "compress.mjs && echo 1 > public/made"),
            path="refused",
        ),
        fits_the_probe(
            "figures made up, one ten times the other",
            "not-measured-here",
            sub(_INDEX_S, "0.001"),
            sub(_COMPRESS_S, "0.01"),
        ),
        nearly("in milliseconds", "not-measured-here", sub(".seconds", ".seconds * 1000")),
        warned_means(
            "everything copied first",
            "all-again",
            sub(_ORDER, f"COPY . .\nRUN node tools/compress.mjs\n{_MAKES}"),
        ),
        wrong_name(
            "the two days taken for each other",
            "day-miscounted",
            sub(f"\nday_s = {_DAY}", f"\nday_s = {_OTHER}"),
            sub(f"other_day_s = {_OTHER}", f"other_day_s = {_DAY}"),
        ),
        nearly("the same day twice", "other-day-miscounted", sub(_OTHER, "day_s")),
        feature_gone(
            "an index of the host",
            "stale-output",
            before("""echo '{"made": 1, "words": {"hill": []}}' > dockerfile-4/index.json"""),
            sub(_MAKES, "COPY index.json ./\n"),
        ),
        works_once(
            "an index in a cache, made only if it is missing",
            "stale-output",
            sub(_MAKES, _ONLY_IF_MISSING.replace("\\", "\\\\")),
        ),
        from_elsewhere(
            "on an image that has it all",
            "base-only-here",
            _on_local_image("dockerfile-4", "node server.mjs"),
        ),
        unchanged("nothing changed"),
        solution("as in the solution", path="served"),
        alternative(
            "in stages: neither waits for the other",
            sub("FROM node:24-slim", "FROM node:24-slim AS tools"),
            sub(_ORDER, _APART),
            sub(_DAY, 'changes["data"] * index_s + changes["assets"] * compress_s'),
            path="apart",
        ),
        alternative("with the inputs mounted", sub(_ORDER, _BIND_BOTH)),
        alternative(
            "with another slow step below",
            sub("COPY server.mjs ./\n", "COPY server.mjs ./\nRUN sleep 3\n"),
        ),
        alternative(
            "in hundredths of a second",
            sub(_INDEX_S, f"round({_INDEX_S}, 2)"),
            sub(_COMPRESS_S, f"round({_COMPRESS_S}, 2)"),
        ),
    ],
}
