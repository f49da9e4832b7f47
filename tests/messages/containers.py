"""Facts that provoke each message of 01-containers."""

from __future__ import annotations

from dataclasses import replace

from course.exercises.containers import Alone, Converted, Program, Runtime, Titled
from course.exercises.kit.facts import Facts
from course.exercises.kit.reply import Ended, Reply, Running
from course.exercises.tested_release import Released

TITLE = "Crème 3fa2c1, brûlée!"
SLUG = '{"slug": "creme-3fa2c1-brulee", "node": "v24.11.1"}'
JOINED = SLUG.replace("creme-3fa2c1-brulee", "creme_3fa2c1_brulee")
OLD_NODE = """\
file:///app/slug.mjs:4
const separators = new RegExp(`[${RegExp.escape(" .,;:!?/_-")}]+`, "gu");
                                         ^

TypeError: RegExp.escape is not a function
    at file:///app/slug.mjs:4:42
    at ModuleJob.run (node:internal/modules/esm/module_job:343:25)

Node.js v20.19.5"""
NO_FILE = """\
node:internal/modules/esm/resolve:275
    throw new ERR_MODULE_NOT_FOUND(
          ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/app/letters/latin.mjs' imported from \
/app/slug.mjs
    at finalizeResolution (node:internal/modules/esm/resolve:275:11) {
  code: 'ERR_MODULE_NOT_FOUND',
  url: 'file:///app/letters/latin.mjs'
}

Node.js v24.11.1"""
BAD_OPTION = "node: bad option: --joint=_"
NO_RATES = """\
node:fs:441
    return binding.readFileUtf8(path, stringToFlags(options.flag));
                   ^

Error: ENOENT: no such file or directory, open 'data/rates.json'
    at file:///app/price.mjs:5:26 {
  errno: -2,
  code: 'ENOENT',
  syscall: 'open',
  path: 'data/rates.json'
}

Node.js v24.11.1"""
NO_SETTING = """\
file:///app/price.mjs:7
if (!currency) throw new Error("PRICE_CURRENCY is not set");
                     ^

Error: PRICE_CURRENCY is not set
    at file:///app/price.mjs:7:22

Node.js v24.11.1"""

RUNTIME = Runtime("v24.11.1", ("v24.11.1",), 231_000_000)
CHF = Converted(10_400_000, "9719840", "CHF", 0.9346, 0.9869)
TESTED, OLD, ANOTHER = (f"sha256:{letter * 64}" for letter in "a0c")
RELEASED = Released("127.0.0.1:5001", TESTED, TESTED, OLD, {"1.0": (OLD,)})

MESSAGES: dict[str, dict[str, Facts]] = {
    "containers-1": {
        "its runtime does not know what it calls": Titled((), TITLE, Ended(1, OLD_NODE)),
        "a part of the program is not in the image": Titled((), TITLE, Ended(1, NO_FILE)),
        "the base image's own command runs": Titled((), TITLE, Ended(0, "")),
        "its command does not exist": Titled((), TITLE, Ended(127, "sh: 1: noode: not found")),
        "it listens on another port": Titled((), TITLE, Running()),
        "it answers the same to all": Titled((), TITLE, Reply(200, '{"slug": "hello-world"}')),
        "it answers with an error page": Titled((), TITLE, Reply(502, "Bad Gateway")),
        "the option takes the command's place": Titled(
            ("--joint", "_"), TITLE, Ended(9, BAD_OPTION)
        ),
        "a shell is between, and it keeps the option": Titled(
            ("--joint", "_"), TITLE, Reply(200, SLUG)
        ),
        "a second shell is between, and reads a sign of its own in it": Titled(
            ("--joint", "& 3fa"), TITLE, Ended(127, "sh: 1: 3fa: not found")
        ),
        "it joins by another sign than it is told": Titled(
            ("--joint", "."), TITLE, Reply(200, JOINED)
        ),
        "it is joined as it is told": Titled(("--joint", "_"), TITLE, Reply(200, JOINED)),
        "it says what it is not": replace(RUNTIME, said="v24.0.0", running=("v20.19.5",)),
        "it no longer says what it runs under": replace(RUNTIME, said="None"),
        "the slug of a title": Titled((), TITLE, Reply(200, SLUG)),
        "Node 24": RUNTIME,
        "a program that is not Node": replace(RUNTIME, running=()),
    },
    "containers-2": {
        "the folder is not in the image": Alone(Ended(1, NO_RATES), ""),
        "another image has it": Alone(Ended(1, NO_RATES), "price:fixed"),
        "the setting was there while it was built": Alone(Ended(1, NO_SETTING), ""),
        "its pid file is still there": Alone(
            Ended(2, "sh: 1: cannot create price.pid: File exists"), ""
        ),
        "it listens on another port": Alone(Running(), ""),
        "it answers": Alone(Reply(200, '{"cents": 9719840, "currency": "CHF"}'), ""),
        "another currency": replace(CHF, got="10400000", currency="EUR"),
        "last year's rates": replace(CHF, got="10263760"),
        "the error was hidden": replace(CHF, got="10400000"),
        "a rate that was made up": replace(CHF, got="5200000"),
        "a rate that is off by its fifth digit": replace(CHF, got="9719944"),
        "the rate stands in the program": replace(CHF, got="9719840", rate=1.4, before=0.9346),
        "rates without this currency": replace(CHF, got="null"),
        "the rate of the file": CHF,
        "rounded down where price.mjs rounds up": replace(CHF, cents=10_400_001, got="9719840"),
        "the program as it came": Program("const a = 1;\n", "const a = 1;\n"),
        "another program": Program("const a = 2;\n", "const a = 1;\n"),
    },
    "containers-3": {
        "the name `tested` was moved": replace(RELEASED, tested=OLD),
        "the tag was deleted": replace(RELEASED, tags={"latest": (OLD,)}),
        "a second build was pushed": replace(RELEASED, tags={"1.0": (ANOTHER,)}),
        "pushed as latest": replace(RELEASED, tags={"1.0": (OLD,), "latest": (ANOTHER, TESTED)}),
        "nothing was pushed": RELEASED,
        "a layer of it was deleted": replace(RELEASED, tags={"1.0": (TESTED,)}, lost=(ANOTHER,)),
        "one digest": replace(RELEASED, tags={"1.0": (TESTED,)}),
        "the digest of its configuration, on the older image store": replace(
            RELEASED, tags={"1.0": (ANOTHER, TESTED)}
        ),
    },
}
