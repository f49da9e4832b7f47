"""Answers to the exercises of 03-slim-images."""

from __future__ import annotations

from course.core.names import OWNER_LABEL
from course.measure import leftovers
from tests.bank import Answer
from tests.bank.edits import (
    after,
    alternative,
    before,
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

_LABELS = " ".join(f"--label {name}={value}" for name, value in leftovers.labels().items())
_AT = "docker inspect --format '{{.NetworkSettings.Networks.bridge.IPAddress}}'"


def _pid_file(command: str) -> str:
    return f"CMD set -C; echo $$ > service.pid && exec {command}"


# -- slim-images-1

_DUE = 'CMD ["node", "service/dist/server.js"]'
_PRUNE = " && npm prune --omit=dev"
_MODULES = "COPY --from=build /app/node_modules ./node_modules\n"
_DATA = " /app/calendar/holidays.json"
_CALENDAR = f"""\
COPY --from=build /app/calendar/package.json{_DATA} ./calendar/
COPY --from=build /app/calendar/dist ./calendar/dist
"""
_SERVICE = """\
COPY --from=build /app/service/package.json ./service/
COPY --from=build /app/service/dist ./service/dist
"""
_COPIES = _MODULES + _CALENDAR + _SERVICE
_LAST = f"\nFROM node:24-slim\nWORKDIR /app\n{_COPIES}"
_INSTALLS = """\
COPY package.json package-lock.json ./
COPY calendar/package.json ./calendar/
COPY service/package.json ./service/
RUN npm ci --omit=dev
"""
_ALL_BUT_THE_TYPES = " && rm -r node_modules/typescript"
_BESIDE = " && cd node_modules && rm -r typescript undici-types && mv @types ../types"
_RENAMED = " && mv node_modules/typescript lib && rm -r node_modules/*types && mv lib node_modules"
_LENDS = f"""\
serves='require("http").createServer((_, r) => r.end(process.argv[1])).listen(8000)'
days=$(cat slim-images-1/calendar/holidays.json)
at=$({_AT} "$(docker run --detach {_LABELS} node:24-slim node -e "$serves" "$days")")
cat > slim-images-1/fetch.mjs <<END
import {{ writeFileSync }} from "node:fs";
const days = await (await fetch("http://$at:8000")).text();
writeFileSync("calendar/holidays.json", days);
END"""
_ONE_STEP = f"""\
FROM node:24-slim
WORKDIR /app
RUN --mount=type=bind,target=/source cp -r /source/* . && npm ci && npm run build{_PRUNE} \\
 && rm -r service/src calendar/src /root/.npm
"""
_DAYS_OFF = "day.weekday === Day.Saturday || day.weekday === Day.Sunday || isHoliday(day)"
_FLAT = f"""\
made=$(docker create --label {OWNER_LABEL} due:lab)
docker export "$made" | docker import --change 'WORKDIR /app' --change '{_DUE}' - due:lab
docker rm "$made\""""

# -- slim-images-2

_BUILD = "docker build --tag welcome:lab slim-images-2 2>&1"
_IGNORE = "**/node_modules\n**/.env*\n**/*.log\n**/.git\n"
_GREET = 'CMD ["node", "api/server.mjs"]'
_IS = f"FROM node:24-slim\nWORKDIR /app\nCOPY . .\n{_GREET}\n"
_FIND = "-name '.env*' -o -name '*.log' -o -name node_modules -prune -o -name .git -prune"
_BIND = "mkdir -p api/lang && cp /all/api/server.mjs api/ && cp /all/api/lang/*.json api/lang/"
_NARROW = _IS.replace("COPY . .", "COPY api/server.mjs api/\nCOPY api/lang api/lang/")
_IN_TWO = f"""\
FROM node:24-slim AS clean
WORKDIR /app
COPY . .
RUN find . -name '.env*' -exec rm -rf {{}} +

{_IS.replace("COPY . .", "COPY --from=clean /app ./")}"""
_FAILS = "    response.statusCode = 500;\n    response.end(JSON.stringify({ text"
_OLD_IGNORE = "node_modules/\n.env\n*.log\n"
_BY_ONE = "*\n!api/server.mjs\n!api/lang/de.json\n!api/lang/fr.json\n!api/lang/it.json\n"


def _dockerfile(text: str) -> str:
    return f"cat > slim-images-2/Dockerfile <<'EOF'\n{text}\nEOF\n"


# -- slim-images-3

_AS_IT_IS = "docker build --pull --tag till:lab slim-images-3"
_PIN = """pinned=$(docker image inspect "$runtime:4.1" --format '{{index .RepoDigests 0}}')"""
_ASKED = """$(docker buildx imagetools inspect "$runtime:latest" --format '{{.Manifest.Digest}}')"""
_BY_HAND = """\
docker run --rm till:yesterday > slim-images-3/receipt.txt
echo 'import { readFileSync } from "node:fs";
console.log(readFileSync("receipt.txt", "utf8"));' > slim-images-3/till.mjs
"""
_LIBRARIES = "/usr/local/bin/node /opt/runtime $(ldd /usr/local/bin/node | grep -o '/[^ ]*')"
_BARE = f"""\
docker run --rm till:yesterday sh -c "tar -ch {_LIBRARIES.replace("$", chr(92) + "$")}" \\
  > slim-images-3/runtime.tar
cat > slim-images-3/Dockerfile <<'EOF'
FROM scratch
ADD runtime.tar /
WORKDIR /app
COPY till.mjs ./
CMD ["/usr/local/bin/node", "till.mjs"]
EOF
{_AS_IT_IS}"""


def _push(name: str, image: str) -> str:
    """Push an image to a repository beside the base's, and keep no name of it here."""
    return f'docker tag {image} "{name}" && docker push --quiet "{name}" && docker rmi "{name}"'


# -- slim-images-4

_INVOICE = 'CMD ["node", "dist/server.js"]'
_THREE = """\
for way in later one-run stages; do
  docker build --quiet --tag invoice:$way --file slim-images-4/$way.Dockerfile slim-images-4
done"""
_SHIP = "docker build --tag invoice:release slim-images-4 2>&1"
_TABLE_STAGE = """\
FROM node:24-slim AS table
WORKDIR /app
COPY tools ./tools
RUN node tools/holidays.mjs

"""
_TABLE = "COPY --from=table /app/dist ./dist\n"
_PROGRAM = "COPY --from=build /app/dist ./dist\n"
_PACKAGES = "COPY --from=packages /app/node_modules ./node_modules\n"
_LAST_FROM = "FROM node:24-slim\nWORKDIR /app\nCOPY package.json ./\n"
_COMPILE = "COPY src ./src\nRUN npm run build\n"
_LINE = 'const edition = "first";'
_BY_LINE = """\
FROM node:24-slim AS src
WORKDIR /app
COPY src ./src
RUN sed -n 's/^const edition = /export const edition = /p' src/server.ts > edition.js \\
 && sed -i 's|^const edition = .*|import { edition } from "./edition.js";|' src/server.ts \\
 && echo 'export const edition: string = "";' > src/edition.ts

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci
COPY tools ./tools
COPY --from=src /app/src ./src
RUN npm run build && npm run holidays && npm prune --omit=dev

FROM node:24-slim
WORKDIR /app
RUN --mount=type=bind,from=build,source=/app,target=/from \\
    cp -r /from/package.json /from/node_modules /from/dist .
COPY --from=src /app/edition.js ./dist/
"""
_KEPT = "cp -r slim-images-4/src slim-images-4/kept"
_MOUNTED = """\
RUN --mount=type=bind,target=/tools,rw --mount=type=tmpfs,target=/tmp \\
    --mount=type=bind,from=build,source=/app/node_modules,target=/tools/node_modules \\
    cd /tools && npm run build -- --outDir /app/dist
"""


def _ships(way: str) -> str:
    return f"cp slim-images-4/{way}.Dockerfile slim-images-4/Dockerfile\n{_SHIP}"


CANNOT: dict[str, dict[str, str]] = {
    "slim-images-1": {"forged": "Docker gives the layers, and the answers are for drawn dates"},
    "slim-images-2": {"forged": "Docker gives the layers and counts what is sent"},
}
"""Why an exercise has no wrong answer of a kind."""

BANK: dict[str, list[Answer]] = {
    "slim-images-1": [
        symptom_hidden(
            "pruned in a later step of the only stage",
            "kept-below",
            sub(_LAST, "RUN rm -r service/src calendar/src\n"),
        ),
        wrong_name("a slim image under another name", "unchanged", sub("due:lab", "due:slim")),
        warned_means(
            "the whole folder taken over",
            "copied-whole",
            sub(_PRUNE, ""),
            sub(_COPIES, "COPY --from=build /app ./\n"),
        ),
        warned_means(
            "the whole folder taken over, pruned",
            "sources",
            sub(_COPIES, "COPY --from=build /app ./\n"),
        ),
        not_the_serving_object(
            "two stages, and the first one is what was built",
            "development-packages",
            sub(_PRUNE, f"\n{_DUE}"),
            sub("--tag", "--target build --tag"),
        ),
        nearly(
            "node_modules, and not the folder that it links to",
            "missing-package",
            sub(_CALENDAR, ""),
        ),
        nearly("programs, and not the file that they read", "missing-data", sub(_DATA, "")),
        nearly(
            "all but the compiler's types pruned",
            "copied-whole",
            sub(_PRUNE, _ALL_BUT_THE_TYPES),
        ),
        wrong_name(
            "the program where CMD does not look",
            "missing-program",
            sub("./service/dist\n", "./dist\n"),
        ),
        warned_means(
            "the compiler installed for all, to compile at each start",
            "compiler-installed",
            sub(_DUE, f"RUN npm install --global typescript@5.9.3\n{_DUE}"),
        ),
        fits_the_probe(
            "one date for all",
            "wrong-answer",
            in_file("service/src/server.ts", "due.toISODate()", '"2026-03-31"'),
        ),
        fits_the_probe(
            "three days off in a row and no more",
            "wrong-answer",
            in_file(
                "calendar/src/index.ts",
                f"while ({_DAYS_OFF})",
                f"for (let n = 0; n < 3 && ({_DAYS_OFF}); n += 1)",
            ),
        ),
        fits_the_probe(
            "the types in a folder of another name",
            "copied-whole",
            sub(_PRUNE, _BESIDE),
            sub(_MODULES, f"{_MODULES}COPY --from=build /app/types ./types\n"),
        ),
        nearly(
            "pruned in the step that installs, and kept in npm's cache",
            "npm-cache",
            script(
                f"cat > slim-images-1/Dockerfile <<'EOF'\n{_ONE_STEP.replace(' /root/.npm', '')}"
                f"{_DUE}\nEOF\ndocker build --tag due:lab slim-images-1"
            ),
        ),
        fits_the_probe("the compiler under another name", "copied-whole", sub(_PRUNE, _RENAMED)),
        from_elsewhere(
            "holidays fetched from a container that runs here",
            "crashes",
            before(_LENDS),
            sub(_DATA, " /app/fetch.mjs"),
            sub(_DUE, "CMD node calendar/fetch.mjs && exec node service/dist/server.js"),
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_DUE, _pid_file("node service/dist/server.js")),
        ),
        feature_gone(
            "no day is a holiday",
            "wrong-answer",
            in_file("calendar/holidays.json", '"01-01", "01-02", "08-01", "12-25", "12-26"', ""),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "packages installed in the last stage", sub(_MODULES, _INSTALLS), sub(_PRUNE, "")
        ),
        alternative(
            "one step that leaves nothing",
            script(
                f"cat > slim-images-1/Dockerfile <<'EOF'\n{_ONE_STEP}{_DUE}\nEOF\n"
                "docker build --tag due:lab slim-images-1"
            ),
        ),
        alternative(
            "another base, without npm",
            sub("\nFROM node:24-slim\n", "\nFROM debian:bookworm-slim\n"),
            sub(_MODULES, f"COPY --from=node:24-slim /usr/local/bin/node /usr/bin/\n{_MODULES}"),
        ),
        alternative("all layers made one", after(_FLAT)),
        alternative(
            "a file whose name is not UTF-8",
            sub(_DUE, f"RUN touch \"$(printf 'caf\\351.js')\"\n{_DUE}"),
        ),
    ],
    "slim-images-2": [
        works_once(
            "the files removed from this folder",
            "only-here",
            script(
                "cd slim-images-2\nrm -rf .env api/.env api/debug.log node_modules "
                f"api/node_modules .git\ncd ..\n{_BUILD}"
            ),
        ),
        stale("mended and not built again", "stale-image", sub(_BUILD, "")),
        stale(
            "built when half of it was mended",
            "stale-image",
            before(f"printf '**/.env*\\n**/*.log\\n' > slim-images-2/.dockerignore\n{_BUILD}"),
            sub(f"EOF\n{_BUILD}", "EOF"),
        ),
        symptom_hidden(
            "deleted in a later step",
            "kept-below",
            script(
                _dockerfile(_IS.replace(_GREET, f"RUN find . {_FIND} | xargs rm -rf\n{_GREET}"))
                + _BUILD
            ),
        ),
        symptom_hidden(
            "packages deleted from this folder, too",
            "files-gone",
            after("rm -r slim-images-2/node_modules"),
        ),
        wrong_name(
            "the right lines, in a .dockerignore of the folder below",
            "nested",
            sub("slim-images-2/.dockerignore", "slim-images-2/api/.dockerignore"),
        ),
        fits_the_probe(
            "each ending by its name",
            "one-name",
            sub("**/.env*", "**/.env\n**/.env.local\n**/.env.production"),
        ),
        fits_the_probe("a log by its name", "logs-sent", sub("**/*.log", "**/debug.log")),
        fits_the_probe(
            "the languages of today let in one by one", "new-file-missing", sub(_IGNORE, _BY_ONE)
        ),
        nearly(
            "patterns as deep as today's folders go", "nested", sub("**/.env*", ".env*\n*/.env*")
        ),
        nearly("packages of the root only", "packages-sent", sub("**/node", "node")),
        nearly("the history of the root only", "history-sent", sub("**/.git", ".git")),
        nearly(
            "the languages' whole folder let in again",
            "nested",
            sub(_IGNORE, f"{_IGNORE}!api/lang/**\n"),
        ),
        nearly("two narrow COPY, one of a folder", "nested", script(_dockerfile(_NARROW) + _BUILD)),
        nearly(
            "every JSON file below api/ let in",
            "packages-sent",
            sub(_IGNORE, "*\n!api/*.mjs\n!api/**/*.json\n**/.env*\n"),
        ),
        nearly(
            "an error's status for each language",
            "wrong-answer",
            in_file("api/server.mjs", "    response.end(JSON.stringify({ text", _FAILS),
        ),
        nearly("too much kept out", "needed-missing", sub("**/.git\n", "**/.git\n**/*.json\n")),
        warned_means(
            "secrets sent, and removed in a first stage",
            "still-sent",
            sub("**/.env*\n", ""),
            before(_dockerfile(_IN_TWO)),
        ),
        warned_means(
            "everything mounted for one step",
            "still-sent",
            sub(_IGNORE, _OLD_IGNORE),
            before(
                _dockerfile(_IS.replace("COPY . .", f"RUN --mount=type=bind,target=/all {_BIND}"))
            ),
        ),
        from_elsewhere(
            "languages from an image that only this machine has",
            "base-only-here",
            before("docker tag welcome:lab welcome:base"),
            before(_dockerfile(_IS.replace("node:24-slim", "welcome:base"))),
        ),
        works_once(
            "a pid file that the next start finds",
            "does-not-run",
            before(_dockerfile(_IS.replace(_GREET, _pid_file("node api/server.mjs")))),
        ),
        feature_gone(
            "it no longer says which languages there are not",
            "wrong-answer",
            in_file("api/server.mjs", "    response.statusCode = 404;\n", ""),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "everything out, what runs let in",
            sub(_IGNORE, "*\n!api/server.mjs\n!api/lang/*.json\n"),
        ),
        alternative(
            "two narrow COPY and the old .dockerignore",
            script(_dockerfile(_NARROW.replace("api/lang ", "api/lang/*.json ")) + _BUILD),
        ),
        alternative(
            "an ignore file of this Dockerfile's own",
            sub("slim-images-2/.dockerignore", "slim-images-2/Dockerfile.dockerignore"),
        ),
    ],
    "slim-images-3": [
        nearly(
            "today's digest, as the registry says it",
            "todays-digest",
            sub(_PIN, f'pinned="$runtime@{_ASKED}"'),
        ),
        not_the_serving_object(
            "yesterday's image under a second name",
            "retagged",
            script("docker tag till:yesterday till:lab"),
        ),
        stale("built again as it is", "not-pinned", script(_AS_IT_IS)),
        works_once("built without --pull", "local-copy", script(_AS_IT_IS.replace("--pull ", ""))),
        warned_means("pinned to the tag 4.1", "pinned-to-a-tag", sub(_PIN, "pinned=$runtime:4.1")),
        not_the_serving_object(
            "the public base with that Node",
            "another-base",
            sub(_PIN, _push("$runtime-public:20-slim", "node:20-slim")),
            sub("FROM $pinned", "FROM $runtime-public:20-slim"),
        ),
        from_elsewhere(
            "a name of this machine only",
            "base-only-here",
            sub(_PIN, 'pinned=runtime-kept:4.1; docker tag "$runtime:latest" $pinned'),
            sub("--pull ", ""),
        ),
        symptom_hidden(
            "the registry's latest moved back",
            "moved-back",
            script(f'docker push "$(cat slim-images-3/runtime.txt):latest"\n{_AS_IT_IS}'),
        ),
        stale(
            "pinned after the build",
            "stale-image",
            before(_AS_IT_IS),
            sub(f"EOF\n{_AS_IT_IS} 2>&1", "EOF"),
        ),
        fits_the_probe(
            "the receipt written by hand",
            "other-result",
            before(_BY_HAND),
            sub("COPY till.mjs", "COPY till.mjs receipt.txt"),
        ),
        forged(
            "today's receipts put on file",
            "yesterday-replaced",
            script(f"{_AS_IT_IS}\ndocker tag till:lab till:yesterday"),
        ),
        forged(
            "today's base, and a program that prints as yesterday's did",
            "todays-digest",
            sub(_PIN, f'pinned="$runtime@{_ASKED}"'),
            in_file("till.mjs", "Number(amount))", "Number(amount)).replaceAll('’', ' ')"),
        ),
        feature_gone(
            "only the first of several amounts",
            "other-result",
            in_file("till.mjs", '.split(",")', '.split(",").slice(0, 1)'),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative("by tag and digest", sub("FROM $pinned", "FROM $runtime:4.1@${pinned#*@}")),
        alternative(
            "a copy in a repository of one's own",
            sub(_PIN, _push("$runtime-kept:4.1", '"$runtime:latest"')),
            sub("FROM $pinned", "FROM $runtime-kept:4.1"),
        ),
        alternative("yesterday's runtime and its libraries in the folder", script(_BARE)),
    ],
    "slim-images-4": [
        works_once("one step for all", "moves-much", after(_ships("one-run"))),
        nearly("stages as they were given", "moves-much", after(_ships("stages"))),
        fits_the_probe(
            "the line of the edition in a layer of its own",
            "moves-much",
            after(f"cat > slim-images-4/Dockerfile <<'EOF'\n{_BY_LINE}{_INVOICE}\nEOF\n{_SHIP}"),
        ),
        wrong_name("figures under other names", "no-figures", sub('"later":', '"Later":')),
        wrong_name(
            "the whole images measured",
            "with-the-base",
            sub("    docker history --human=false --format '-{{.Size}}' node:24-slim\n", ""),
        ),
        nearly("MiB", "other-unit", sub("bytes / 1000000", "bytes / 1048576")),
        symptom_hidden(
            "measured in a container",
            "measured-inside",
            sub("$(above later)", "$(above one-run)"),
        ),
        forged(
            "the figure of another image, which has the name",
            "other-way",
            sub(_THREE, f"{_THREE}\ndocker tag invoice:stages invoice:later"),
        ),
        fits_the_probe(
            "a figure that nobody measured", "wrong-figure", sub("$(above stages)", "25")
        ),
        not_the_serving_object(
            "the one that cleans up later",
            "too-large",
            after("docker tag invoice:later invoice:release"),
        ),
        not_the_serving_object(
            "the image of another Dockerfile",
            "stale-image",
            after("docker tag invoice:stages invoice:release"),
        ),
        stale(
            "built from a copy of the source",
            "edit-missing",
            before(_KEPT),
            sub("COPY src ./src", "COPY kept ./src"),
        ),
        fits_the_probe(
            "built from a copy of the source, which is in the image too",
            "not-from-source",
            before(_KEPT),
            sub("COPY src ./src", "COPY kept ./src"),
            sub(_PROGRAM, f"{_PROGRAM}COPY src ./src\n"),
        ),
        from_elsewhere(
            "packages of an image that only this machine has",
            "base-only-here",
            before(
                "docker build --quiet --tag invoice:kept --target packages "
                "--file slim-images-4/stages.Dockerfile slim-images-4"
            ),
            sub("COPY --from=packages", "COPY --from=invoice:kept"),
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_INVOICE, _pid_file("node dist/server.js")),
        ),
        feature_gone(
            "no post code has a holiday",
            "wrong-answer",
            in_file("tools/holidays.mjs", "code < 10_000", "code < 0"),
        ),
        nearly("the table left behind", "missing-data", sub(_TABLE, "")),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "the line of the edition changed, to try",
            in_file("src/server.ts", _LINE, 'const edition: string = ["se", "cond"].join("");'),
        ),
        alternative(
            "table and program made in one stage, copied one by one",
            sub(_TABLE_STAGE, ""),
            sub(_COMPILE, f"COPY tools ./tools\n{_COMPILE}RUN npm run holidays\n"),
            sub(_TABLE, "COPY --from=build /app/dist/holidays.json ./dist/\n"),
            sub(_PROGRAM, "COPY --from=build /app/dist/server.js ./dist/\n"),
        ),
        alternative(
            "packages and table made in the last stage",
            sub(
                _PACKAGES, "COPY package-lock.json ./\nRUN npm ci --omit=dev && rm -r /root/.npm\n"
            ),
            sub(
                _TABLE,
                "RUN --mount=type=bind,source=tools,target=/app/tools node tools/holidays.mjs\n",
            ),
        ),
        alternative(
            "compiler and source mounted",
            sub(_COMPILE, ""),
            sub(_PROGRAM, _MOUNTED),
        ),
    ],
}
