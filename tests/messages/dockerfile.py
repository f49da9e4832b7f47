"""Facts that provoke each message of 02-dockerfile."""

from __future__ import annotations

from dataclasses import replace

from course.exercises import required_node
from course.exercises.dockerfile import Edited, Installed, Started, Stops
from course.exercises.install_cache import FirstInstall, Holds, Reinstall
from course.exercises.kit.claims import Claim
from course.exercises.kit.facts import Facts
from course.exercises.kit.reply import Ended, Reply, Running
from course.exercises.required_node import Page, Refusal, Serves
from course.exercises.step_order import Claimed, Counted, Day, Made, Ordered
from course.measure.builds import Build, Step

OK = Build((), 1.2)
URL_PATTERN = """\
file:///app/server.mjs:12
const asked = new URLPattern({ pathname: "/pages/:name" });
              ^

ReferenceError: URLPattern is not defined
    at file:///app/server.mjs:12:15

Node.js v20.20.2"""
NO_REGISTRY = "npm error code EAI_AGAIN\nnpm error syscall getaddrinfo"


def failed(number: int, instruction: str, *log: str) -> Build:
    """A build that one step ends."""
    error = "process did not complete successfully: exit code: 1"
    return Build((Step("", number, instruction, False, 0.4, 0.9, error, log),), 1.3, error=error)


INSTALL = ("step 4 `RUN npm ci`", "install")
INDEX = ("step 5 `RUN node tools/index.mjs`", "index")
ABOUT = Reply(200, '{"edition": "first", "installed": 1.5, "age": "2 seconds"}')
FOUND = "['4ad1 Square']"
STOPS = Stops("4ad1", "4ad1", ("1.5", "1.5"), "4ad1", FOUND, FOUND)
GUIDE = Serves(Reply(200, '{"pages": ["hill"]}'), "v24.11.1", frozenset({1000}))
PAGE = Page("3fa2c1", Reply(200, "<h1>4ad1</h1>\n"), "<h1>4ad1</h1>")
REFUSED = Refusal(failed(4, "RUN npm ci", "npm error code EBADENGINE"), "v24.11.1", "^24.12.0")
MOUNTED = "RUN --mount=type=cache,target=/root/.npm npm ci"
E404 = "npm error 404 Not Found - GET https://registry.npmjs.org/ms/-/ms-2.1.0-4ad1.tgz"
PINS = {"greet": "1.2.82129", "ms": "2.1.1", "picocolors": "1.0.1"}
HOLDS = Holds(PINS, PINS, "1000")
SITE = "dockerfile-4/measured.json"
FIGURES = {"index_s": 0.3, "compress_s": 1.5, "day_s": 12.3, "other_day_s": 18.0}
DAY = Day(5, 6, 0.3, 1.5)
AS_IT_WAS = Ordered(DAY, DAY, compress_too=True, index_too=False)
BETTER = Ordered(DAY, DAY, compress_too=False, index_too=True)
COUNTED = Counted(DAY, "compress", 12.3, 18.0)
MADE = Made("/first", Reply(200, '{"first": "3fa2c14ad1"}'), "3fa2c14ad1")


def claimed(index: float, compress: float) -> Ordered:
    """The better order, with other figures than those of this machine."""
    return replace(BETTER, own=replace(DAY, index=index, compress=compress))


MESSAGES: dict[str, dict[str, Facts]] = {
    "dockerfile-1": {
        "everything is copied first": Edited("src/", *INSTALL),
        "the index is below the source": Edited("src/", *INDEX),
        "the install is below the data": Edited("data/stops.txt", *INSTALL),
        "an edit redoes neither": Edited("src/", "", ""),
        "npm still installs": Started(Running(), ("sh -c npm ci && node …", "npm ci"), ""),
        "npm has given up": Started(Ended(1, NO_REGISTRY), (), ""),
        "npm has installed from a cache": Started(Ended(1, NO_REGISTRY), (), "install"),
        "it indexes at each start": Started(Ended(1, "Error: guard: index 4ad1"), (), "index"),
        "it indexes and serves": Started(ABOUT, ("node src/server.mjs",), "index"),
        "npm has no such script": Started(Ended(1, 'npm error Missing script: "start"'), (), ""),
        "packages of an archive": Installed("2.1.2", "2.0.0"),
        "packages of the lock file": Installed("2.0.0", "2.0.0"),
        "it answers": Started(ABOUT, ("node src/server.mjs",), ""),
        "npm started it": Started(ABOUT, ("npm start", "node src/server.mjs"), ""),
        "the image has the first source": replace(STOPS, edition="first"),
        "the index of the host": replace(STOPS, found="[]"),
        "another install, which its guard did not see": replace(STOPS, installed=("1.5", "9.5")),
        "both edits, and one install": STOPS,
    },
    "dockerfile-2": {
        "the program needs a newer Node": replace(GUIDE, heard=Ended(1, URL_PATTERN), node=""),
        "an old Node that says otherwise": replace(GUIDE, node="v20.20.2"),
        "a version that is none": replace(GUIDE, node="None"),
        "root serves": replace(GUIDE, users=frozenset({0, 1000})),
        "Node 24 serves, as node": GUIDE,
        "the pages are made at each start": required_node.Started("pages"),
        "the pages are in the image": required_node.Started(""),
        "the page is not there": replace(PAGE, heard=Reply(404, "no such page\n")),
        "nothing answers any more": replace(PAGE, heard=Running()),
        "the page": PAGE,
        "the rule is outside": replace(REFUSED, build=OK),
        "npm refuses": REFUSED,
    },
    "dockerfile-3": {
        "root installs": FirstInstall(failed(4, MOUNTED, "Error: guard: install root")),
        "npm may not ask": FirstInstall(failed(6, "RUN npm ci --offline", "npm error ENOTCACHED")),
        "the cache is root's": FirstInstall(failed(6, MOUNTED, "npm error code EACCES")),
        "the folder is root's": FirstInstall(failed(6, "RUN npm ci", "npm error code EACCES")),
        "the first install": FirstInstall(OK),
        "no cache": Reinstall(failed(6, "RUN npm ci", E404)),
        "a cache where npm does not look": Reinstall(failed(6, MOUNTED, E404)),
        "the dashes are missing": Reinstall(failed(6, MOUNTED.replace("--", ""), E404)),
        "something else fails": Reinstall(failed(6, "RUN npm ci", "npm error code EUSAGE")),
        "something fails after 402 packages": Reinstall(
            failed(6, "RUN npm ci && false", "added 402 packages in 405ms")
        ),
        "another install": Reinstall(OK),
        "the image of the release before": replace(HOLDS, versions=PINS | {"greet": "1.1.82129"}),
        "without the lock file": replace(HOLDS, versions=PINS | {"ms": "2.1.3"}),
        "root has installed": replace(HOLDS, owner="0"),
        "what the lock file says": HOLDS,
    },
    "dockerfile-4": {
        "no file": Claimed(Claim(SITE, {}, "is not there", exists=False)),
        "no object": Claimed(Claim(SITE, {}, "is not JSON: Expecting value: line 1")),
        "a figure is missing": Claimed(Claim(SITE, FIGURES | {"compress_s": None})),
        "four figures": Claimed(Claim(SITE, FIGURES)),
        "each change redoes both": replace(BETTER, compress_too=True),
        "as it was": AS_IT_WAS,
        "as it was, with figures for it": replace(AS_IT_WAS, own=Day(5, 6, 1.2, 0.9)),
        "the other order": BETTER,
        "in stages": replace(BETTER, index_too=False),
        "made up": claimed(0.001, 0.01),
        "of another machine": claimed(0.3, 45.0),
        "in milliseconds": claimed(300, 1500),
        "a cached step": claimed(0.3, 0),
        "each for the other": claimed(1.2, 0.5),
        "measured on a busy machine": claimed(1.2, 5.9),
        "changes of the one for the other's": replace(COUNTED, day_s=14.1 - 3.0),
        "the other day": replace(COUNTED, day_s=18.0),
        "the same day twice": replace(COUNTED, other_day_s=12.3),
        "counted for both orders": COUNTED,
        "in stages, beside one of the orders": Counted(DAY, "", 10.5, 12.3),
        "an index of the host": Made("/?word=4ad1", Reply(200, '{"stops": []}'), "4ad1"),
        "made from the edited file": MADE,
    },
}
