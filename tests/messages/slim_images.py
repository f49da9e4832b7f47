"""Facts that provoke each message of 03-slim-images."""

from __future__ import annotations

from dataclasses import replace

from course.exercises.build_context import Greeted, Plant, Sent
from course.exercises.due_dates import Due
from course.exercises.kit.claims import Claim
from course.exercises.kit.facts import Facts
from course.exercises.kit.image import Held, Size
from course.exercises.kit.reply import Ended, Heard, Reply, Running
from course.exercises.pinned_base import Printed, Rebuilt
from course.exercises.release_size import Measured, Released
from course.exercises.slim_images import Shipped


def ended(error: str) -> Ended:
    """Return the end of a program of Node's."""
    return Ended(1, f"node:internal/modules/esm/resolve:873\n\n{error}\n\nNode.js v24.11.1")


NO_PACKAGE = ended(
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@due/calendar' imported from "
    "/app/service/dist/server.js"
)
NO_MODULE = ended("Error: Cannot find module '/app/service/dist/server.js'")
NO_FILE = ended("Error: ENOENT: no such file or directory, open '/app/calendar/holidays.json'")


def due(heard: Heard) -> Due:
    """Return what due:lab made of a date."""
    wanted = {"due": "2041-12-27", "late": "no"}
    return Due("due:lab", "/?from=2041-06-03&days=205", wanted, heard)


def held(path: str, by: str = "COPY --from=build /app ./", *, hidden: bool = False) -> Held:
    """Return a file that an image holds."""
    return Held(path, by, hidden)


TYPES = held("app/node_modules/@types/node/index.d.ts", "RUN npm ci")
SHIPPED = Shipped(False, "", (), (), (), 5_480_000, 139, 0)
CACHED = held("root/.npm/_cacache/index-v5/b3/94/c74d", "RUN npm ci && npm prune --omit=dev")
GLOBAL = held(
    "usr/local/lib/node_modules/typescript/bin/tsc", "RUN npm install --global typescript"
)

GREETED = Greeted("de", "Guten Tag, 3fa2c1", False, Reply(200, '{"text": "Guten Tag, 3fa2c1"}'))
DEPTH = "a pattern of .dockerignore begins at the context's root; `**/` means any folder"
SENT = Sent(False, (), 2_130, (), (), (), 8_400_000)


def leak(cause: str, name: str, what: str, *, hidden: bool = False) -> Sent:
    """Return a build that let something through."""
    return replace(
        SENT, leaks=((Plant(cause, name, what, DEPTH), held(f"app/{name}", hidden=hidden)),)
    )


OLD, NEW = (f"sha256:{letter * 64}" for letter in "a0")
TAGS = {"4.1": NEW, "latest": NEW}
REBUILT = Rebuilt(False, "", "", TAGS, OLD, False, "yesterday's")
FOLLOWED = replace(REBUILT, tag="latest", on="today's")
RECEIPT = (
    '{"runtime":"4.1.0","node":"v20.19.5","text":"Total: 1 234 567.50 CHF",'
    '"fingerprint":"9c1f0a2b7d3e"}'
)
ANOTHER = (
    '{"runtime":"4.1.1","node":"v24.11.1","text":"Total: 1\'234\'567.50 CHF",'
    '"fingerprint":"0b7e44aa19c2"}'
)
PRINTED = Printed("", "yesterday's", RECEIPT, RECEIPT)

FIGURES = {"later": 45.31, "one-run": 8.66, "stages": 8.66}
OF_LATER = ("RUN npm ci", "RUN npm prune --omit=dev && rm -rf src tools tsconfig.json /root/.npm")
OF_STAGES = ("COPY /app/node_modules ./node_modules", "COPY /app/dist ./dist")
LATER = Measured(
    Claim("slim-images-4/measured.json", FIGURES),
    "later",
    Size(45_310_000, 276_310_000),
    OF_LATER,
)
STAGES = replace(LATER, way="stages", size=Size(8_660_000, 239_660_000), steps=OF_STAGES)


def said(way: str, figure: object) -> Claim:
    """Return the learner's figures with another one for one way."""
    return replace(LATER.claim, content={**FIGURES, way: figure})


STEPS = ("COPY package.json ./", "COPY /app/node_modules ./node_modules", "COPY /app/dist ./dist")
RELEASED = Released(
    8.66, STEPS, STEPS, 0.0013, "3fa2c1", Reply(200, '{"due": null, "edition": "3fa2c1"}')
)

MESSAGES: dict[str, dict[str, Facts]] = {
    "slim-images-1": {
        "a package of one's own is a link to nothing": due(NO_PACKAGE),
        "the program was not taken over": due(NO_MODULE),
        "a file that is no program was not taken over": due(NO_FILE),
        "it listens on another port": due(Running()),
        "its command does not exist": due(Ended(127, "sh: 1: noode: not found")),
        "an error's status": due(Reply(500, '{"due": "2041-12-27", "late": "no"}')),
        "one date for all": due(Reply(200, '{"due": "2026-03-31", "late": "yes"}')),
        "the working day": due(Reply(200, '{"due": "2041-12-27", "late": "no"}')),
        "the start state's image": replace(SHIPPED, at_start=True),
        "a slim image under another name": replace(SHIPPED, at_start=True, beside="due:slim"),
        "pruned in a later step": replace(SHIPPED, packages=(replace(TYPES, hidden=True),)),
        "pruned in part": replace(SHIPPED, packages=(replace(TYPES, hidden=True), TYPES)),
        "the whole folder taken over": replace(SHIPPED, packages=(held(TYPES.path),)),
        "the whole folder added": replace(SHIPPED, packages=(held(TYPES.path, "ADD . ."),)),
        "types beside the packages": replace(
            SHIPPED, packages=(held("app/types/node/package.json"),)
        ),
        "the first stage was built": replace(SHIPPED, packages=(TYPES,)),
        "pruned in its step, and kept in npm's cache": replace(SHIPPED, packed=(CACHED,)),
        "the cache deleted in a later step": replace(
            SHIPPED, packed=(replace(CACHED, hidden=True),)
        ),
        "pruned in a later step, and kept in npm's cache": replace(
            SHIPPED, packages=(replace(TYPES, hidden=True),), packed=(CACHED,)
        ),
        "the compiler installed for all": replace(SHIPPED, packages=(GLOBAL,)),
        "a source beside the program": replace(
            SHIPPED, sources=(held("app/calendar/src/index.ts"),)
        ),
        "a source in a map of it": replace(
            SHIPPED, sources=(held("app/calendar/dist/index.js.map"),)
        ),
        "what runs": SHIPPED,
        "what runs, and what npm downloaded": replace(SHIPPED, cache=1_100_000),
    },
    "slim-images-2": {
        "the program is not in the image": replace(GREETED, heard=NO_MODULE),
        "nothing listens": replace(GREETED, heard=Running()),
        "too much was kept out": replace(GREETED, heard=Reply(404, '{"error":"no language de"}')),
        "languages are let in one by one": replace(
            GREETED, lang="x3fa2c1", later=True, heard=Reply(404, '{"error":"no language x3fa2c1"}')
        ),
        "it greets in any language": Greeted("y3fa2c1", "", False, GREETED.heard),
        "it greets in any language, in a copy too": Greeted("y3fa2c1", "", True, GREETED.heard),
        "it greets with an error's status": replace(GREETED, heard=Reply(500, GREETED.heard.body)),
        "it greets": GREETED,
        "it knows no such language": Greeted("y3fa2c1", "", False, Reply(404, "{}")),
        "the start state's image": replace(SENT, at_start=True),
        "a secret at the root": leak("nested", ".env", "a secret is"),
        "a secret below": leak("nested", "0b7e44/3fa2c1/.env", "a secret is"),
        "another name": leak("one-name", "api/.env.3fa2c1", "a secret file of another name is"),
        "packages": leak("packages-sent", "node_modules/3fa2c1/index.js", "packages are"),
        "a history": leak("history-sent", ".git/3fa2c1", "the history is"),
        "a log": leak("logs-sent", "3fa2c1.log", "a log is"),
        "deleted in a later step": leak("nested", "api/.env", "a secret is", hidden=True),
        "the secrets are gone from this folder only": replace(
            leak("nested", "api/.env", "a secret is"), gone=("api/.env",)
        ),
        "everything is mounted for one step": replace(SENT, sent=1_500_000),
        "one byte too many": replace(SENT, sent=100_000),
        "secrets are sent, and removed in a first stage": replace(
            SENT, sent=812_000, read=(".env", "api/.env")
        ),
        "mended in part, then built, then mended": replace(
            SENT, own=(held("app/.git/description"),)
        ),
        "the folder was emptied as well": replace(SENT, gone=("node_modules",)),
        "nothing leaks": SENT,
    },
    "slim-images-3": {
        "till:yesterday was made again": replace(REBUILT, replaced=True),
        "a name that only this machine knows": replace(
            REBUILT,
            no_base="slim-images-3/Dockerfile, line 1 `FROM runtime-kept:4.1`: runtime-kept:4.1: "
            "not found",
        ),
        "yesterday's image under a second name": replace(FOLLOWED, retagged=True),
        "built again as it is": FOLLOWED,
        "built without --pull": replace(FOLLOWED, on="yesterday's"),
        "pinned to a tag": replace(FOLLOWED, tag="4.1"),
        "a tag of the registry was moved back": replace(
            FOLLOWED, before={"4.1": NEW, "latest": OLD}
        ),
        "no tag was followed": REBUILT,
        "today's digest": replace(PRINTED, on="today's", printed=ANOTHER),
        "the public base": replace(PRINTED, on="another", printed="Error: ENOENT: no such file"),
        "pinned after the build": replace(PRINTED, ref="till:lab", on="today's", printed=ANOTHER),
        "the receipt written by hand": replace(PRINTED, printed=RECEIPT[:40]),
        "nothing is printed": replace(PRINTED, ref="till:lab", printed=""),
        "yesterday's receipts": PRINTED,
        "yesterday's receipts, on no release of the base": replace(PRINTED, on="another"),
    },
    "slim-images-4": {
        "nothing was written": replace(LATER, claim=said("later", None)),
        "the small image under the name of another": replace(LATER, steps=OF_STAGES),
        "the whole image measured": replace(LATER, claim=said("later", 276.31)),
        "MiB": replace(STAGES, claim=said("stages", 8.26)),
        "bytes": replace(STAGES, claim=said("stages", 8_660_000)),
        "measured in a container": replace(LATER, claim=said("later", 8.66)),
        "guessed": replace(STAGES, claim=said("stages", 25.0)),
        "guessed, and too little": replace(STAGES, claim=said("stages", 2)),
        "to one decimal": replace(STAGES, claim=said("stages", 8.7)),
        "no table of holidays": replace(
            due(ended("Error: ENOENT: no such file or directory, open '/app/dist/holidays.json'")),
            ref="invoice:release",
        ),
        "a package is missing": replace(due(NO_PACKAGE), ref="invoice:release"),
        "the program is missing": replace(due(NO_MODULE), ref="invoice:release"),
        "it listens on another port": replace(due(Running()), ref="invoice:release"),
        "its command does not exist": replace(
            due(Ended(127, "sh: 1: noode: not found")), ref="invoice:release"
        ),
        "the table is not read": replace(
            due(Reply(200, '{"due": "2041-12-26", "late": "no"}')), ref="invoice:release"
        ),
        "it cleans up in a later step": replace(RELEASED, own=45.31),
        "another Dockerfile's image": replace(RELEASED, steps=(*STEPS[:2], "RUN npm ci")),
        "an image of fewer steps": replace(RELEASED, steps=STEPS[:2]),
        "it ends when it is asked": replace(RELEASED, heard=ended("TypeError: fetch failed")),
        "it does not answer": replace(RELEASED, heard=Running()),
        "a program that was there before": replace(RELEASED, edition="0b7e44"),
        "one step for all": replace(RELEASED, moved=8.66),
        "stages, which a push packs to less than a megabyte": replace(RELEASED, moved=3.99),
        "a megabyte, not less": replace(RELEASED, moved=1.0),
        "small, and moves little": RELEASED,
    },
}
