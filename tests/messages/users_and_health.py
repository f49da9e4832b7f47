"""Facts that provoke each message of 04-users-and-health."""

from __future__ import annotations

from dataclasses import replace

from course.exercises.atlas_facts import Believed, Hung, Loading, Lost, Mapped, Own
from course.exercises.graceful_stop import Stop, Up, Working
from course.exercises.health_checks import Beside, Cut, HandedOver
from course.exercises.kit.facts import Facts
from course.exercises.kit.in_flight import Ending, Received
from course.exercises.kit.reply import Ended, Heard, Reply, Running
from course.exercises.user_rights import Kept, Rights
from course.measure.container import Probe, Process, Stopped
from course.measure.probes import CUT, Timeline

RUNS = Running()
CRASHED = Ended(2, "sh: 1: cannot create service.pid: File exists")
STILL = "  ({} is still the start's image; there is `{}`)"

TEXT = "5d41402abc4b2a76"
KEPT = Kept(
    *("3fa2c1.txt", TEXT, 1000),
    before="",
    had=Reply(404, "ENOENT"),
    put=Reply(201, "kept\n"),
    got=Reply(200, TEXT),
    found=TEXT,
    other=Reply(404, "ENOENT"),
)
DENIED = "EACCES: permission denied, open '{}'\n"
REFUSED = Reply(500, DENIED.format("/var/lib/shelf/3fa2c1.txt"))
ROOT = Process(70, 1, 0, 0, "node shelf.mjs", first=True)
NODE = replace(ROOT, uid=1000, gid=1000)
SU = replace(ROOT, command="su node -c node shelf.mjs")
RIGHTS = Rights((NODE,), Reply(500, DENIED.format("/probe/9b1e.txt")), "", 0o600, "", "")

PATH, TOTAL = "/report?n=4711", "total 11099116 CHF"
WHOLE = Received(f"working\n{TOTAL}\n", whole=True, status=200, seconds=1.0)
BEGUN = Received("working\n", whole=False, status=200, seconds=0.0)
GONE = Received("", whole=False, status=0, seconds=0.0)
NOT_NOW = Received("report ends\n", whole=True, status=503, seconds=0.0)
ENDING = Ending(
    Stopped(0.9, 0), "ended", kept=False, silent=False, first=WHOLE, last=WHOLE, later=(GONE,)
)
REPORT = Process(80, 1, 0, 0, "node report.mjs", first=True)
SHELL = Process(80, 1, 0, 0, "/bin/sh ./start.sh", first=True)
STOP = Stop(PATH, TOTAL, ENDING, (REPORT,), "")
LATE = replace(ENDING, stopped=Stopped(4.2, 137), late="refused")


def stopped(**more: object) -> Stop:
    """A stop that ended otherwise than it should."""
    return replace(STOP, end=replace(ENDING, **more))  # type: ignore[arg-type]


NOT_FOUND = "sh: 1: curl: not found"
NO_PORT = """\
node:internal/deps/undici/undici:14902
      Error.captureStackTrace(err);
TypeError: fetch failed
    at node:internal/deps/undici/undici:14902:13 {
  [cause]: Error: connect ECONNREFUSED 127.0.0.1:8080
}

Node.js v24.11.1"""


def seen(status: str, *codes: int, each: float = 1.1, **more: object) -> Timeline:
    """What Docker says after probes with these codes, one after the other from the start."""
    ends = [each * (number + 1) for number in range(len(codes))]
    output = str(more.pop("output", ""))
    probes = [Probe(end - 0.1, end, code, output) for end, code in zip(ends, codes, strict=True)]
    timeline = Timeline(status, 0, 2, 2.0, 20.0, running=True, started=0.0, probes=tuple(probes))
    return replace(timeline, **more)  # type: ignore[arg-type]


BESIDE = Beside(seen("healthy", 0), RUNS, 0.1, 0, "")
SICK = seen("unhealthy", 0, 1, 1)
NO_QUEUE = Reply(503, "no queue\n")
GONE_STATUS = Reply(200, '{"courier":"up","queue":"gone"}')
UP_STATUS = Reply(200, '{"courier":"up","queue":"up"}')
CUT_OFF = Cut(SICK, RUNS, 0.1, 0, "unhealthy", "GET /status", GONE_STATUS, (NO_QUEUE, NO_QUEUE), "")
CONTENT = replace(CUT_OFF, seen=seen("healthy", 0, 0, 0, 0, 0), well=4)

LOADING, OK = Reply(503, "loading\n"), Reply(200, "ok\n")
STARTING = seen("starting", 1, 1, 1, 1, 1)
LOADED = Loading(STARTING, OK, RUNS, 6.1, 5.6, 0)
BELIEVED = Believed(seen("healthy", 1, 1, 1, 1, 1, 0), RUNS, 3.0, loads=True, pace=0.1)
MAPPED = Mapped(3, 4, Reply(200, "161 m\n"))


def hangs(*ends: float, status: str = "unhealthy", took: float = 2.1, **more: object) -> Hung:
    """Atlas hangs after a probe that ended at 0; the others are ended then, by their timeout."""
    probes = [Probe(-0.4, 0.0, 0, ""), *(Probe(end - took, end, CUT, "") for end in ends)]
    timeline = replace(seen(status), started=-1.0, probes=tuple(probes), streak=len(ends))
    state: Heard = RUNS
    return replace(Hung(timeline, state, 0.1, 0, False, ""), **more)  # type: ignore[arg-type]


MESSAGES: dict[str, dict[str, Facts]] = {
    "users-and-health-1": {
        "its pid file is still there": replace(KEPT, put=CRASHED),
        "it listens on another port": replace(KEPT, put=RUNS),
        "the folder is root's": replace(KEPT, put=REFUSED),
        "the error was swallowed": replace(KEPT, found="", got=Reply(404, "ENOENT")),
        "each file is cut": replace(KEPT, found="5d41402", got=Reply(200, "5d41402")),
        "what was kept is gone": replace(KEPT, before="9b1e", had=Reply(404, "ENOENT: no file")),
        "the file is kept elsewhere": replace(KEPT, found=""),
        "every name is answered": replace(KEPT, other=Reply(200, "")),
        "a file is kept": KEPT,
        "nothing changed": replace(RIGHTS, processes=(ROOT,), changed="9b1e.txt"),
        "another tag has it": replace(
            *(RIGHTS,),
            processes=(ROOT,),
            changed="9b1e.txt",
            still=STILL.format("shelf:lab", "shelf:fixed"),
        ),
        "a capability in place of root": replace(RIGHTS, changed="9b1e.txt", mode=0o660),
        "the hole is closed": replace(RIGHTS, processes=(ROOT,)),
        "root that calls itself node": replace(
            RIGHTS, processes=(replace(NODE, more_uids=frozenset({0})),)
        ),
        "su in front": replace(RIGHTS, processes=(SU, replace(NODE, first=False))),
        "a number that the image does not know": replace(
            RIGHTS, processes=(replace(NODE, uid=4711, gid=0),)
        ),
        "root's group beside its own": replace(
            *(RIGHTS,),
            processes=(replace(NODE, more_gids=frozenset({0})),),
            changed="9b1e.txt",
            mode=0o660,
        ),
        "everything given to the user": replace(RIGHTS, program="/app/shelf.mjs"),
        "a folder above is the user's": replace(RIGHTS, program="/home/node"),
        "a user of its own": RIGHTS,
    },
    "users-and-health-2": {
        "its pid file is still there": Up(CRASHED),
        "it listens on another port": Up(RUNS),
        "another page": Up(Reply(200, "hello\n")),
        "it is up": Up(Reply(200, "report is up\n")),
        "a report that never begins": Working(PATH, begun=False, over=True),
        "no work": Working(PATH, begun=True, over=True),
        "a report that is worked on": Working(PATH, begun=True, over=False),
        "a shell in front": replace(
            STOP, end=replace(LATE, late="answered"), processes=(SHELL, REPORT)
        ),
        "nothing changed": replace(
            *(STOP,),
            end=replace(LATE, late="answered"),
            processes=(SHELL, REPORT),
            still="  (report:lab is still the start's image)",
        ),
        "no handler": replace(STOP, end=replace(LATE, late="answered")),
        "a kept connection": replace(STOP, end=replace(LATE, kept=True)),
        "a client that has asked nothing": replace(STOP, end=replace(LATE, silent=True)),
        "a timer": replace(STOP, end=LATE),
        "a stop signal that kills": stopped(stopped=Stopped(0.2, 137), first=BEGUN),
        "exit in the handler": stopped(stopped=Stopped(0.2, 0), first=BEGUN),
        "a report that began just before is cut": stopped(last=BEGUN),
        "it hurries": stopped(last=replace(WHOLE, seconds=0.1)),
        "another currency": stopped(first=replace(WHOLE, text="working\ntotal 11099116 EUR\n")),
        "another page for later ones": stopped(later=(replace(NOT_NOW, status=200),)),
        "it goes on taking requests": stopped(stopped=Stopped(1.3, 0), later=(BEGUN,)),
        "the start script ends, 2 s later": stopped(stopped=Stopped(2.1, 0), later=(WHOLE, BEGUN)),
        "an exit code of its own": stopped(stopped=Stopped(0.9, 143)),
        "it ends in good order": STOP,
        "a later request is answered, too": stopped(later=(WHOLE, GONE)),
        "a later request is refused by a status": stopped(later=(NOT_NOW, NOT_NOW)),
    },
    "users-and-health-3": {
        "its pid file is still there": HandedOver("3fa2c1", CRASHED, ()),
        "it listens on another port": HandedOver("3fa2c1", RUNS, ()),
        "another queue": HandedOver("3fa2c1", NO_QUEUE, ()),
        "answered, and handed to nobody": HandedOver("3fa2c1", Reply(202, ""), ("9b1e",)),
        "a parcel": HandedOver("3fa2c1", Reply(202, "handed over\n"), ("9b1e", "3fa2c1")),
        "it ends beside its queue": replace(BESIDE, state=Ended(1, "Error: no queue")),
        "no health check any more": replace(BESIDE, seen=seen("none")),
        "every 30 s": replace(BESIDE, seen=seen("starting")),
        "nothing changed": replace(
            *(BESIDE,),
            seen=seen("unhealthy", 1, 1, 1, output=NOT_FOUND),
            still="  (courier:lab is still the start's image)",
        ),
        "the wrong port": replace(BESIDE, seen=seen("unhealthy", 1, 1, 1, output=NO_PORT)),
        "a probe that says nothing": replace(BESIDE, seen=seen("unhealthy", 1, 1, 1)),
        "each probe posts a parcel": replace(BESIDE, strange=2),
        "it is healthy after six probes": replace(
            BESIDE, seen=seen("healthy", *[1] * 5, 0, each=2)
        ),
        "beside its queue": BESIDE,
        "beside its queue, on a busy machine": replace(
            BESIDE, seen=seen("healthy", 1, 1, 0, each=2.9), pace=1.4
        ),
        "a courier that gives up": replace(CUT_OFF, state=Ended(1, "")),
        "twenty failures": replace(CUT_OFF, seen=seen("healthy", 0, 1, 1, 1, streak=3)),
        "curl forgiven": replace(CONTENT, empty="healthy"),
        "its code, not its text": CONTENT,
        "a status that remembers": replace(CONTENT, says=UP_STATUS),
        "the front door": replace(CONTENT, asked="GET /"),
        "a probe that asks nobody": replace(CONTENT, asked=""),
        "a probe that fails by its age": replace(CUT_OFF, well=4, asked=""),
        "the queue in place of the courier": replace(CUT_OFF, empty="healthy"),
        "three failures, two seconds apart": replace(
            CUT_OFF, seen=seen("unhealthy", 0, 1, 1, 1, each=2.1, retries=3)
        ),
        "answered without a queue": replace(CUT_OFF, parcels=(Reply(202, ""), NO_QUEUE)),
        "its queue is gone": CUT_OFF,
        "its queue is gone, on a busy machine": replace(
            CUT_OFF, seen=seen("unhealthy", 0, 1, 1, each=3.4), pace=1.4
        ),
    },
    "users-and-health-4": {
        "its pid file is still there": replace(LOADED, state=CRASHED, heard=CRASHED),
        "no health check": replace(LOADED, seen=seen("none"), heard=LOADING),
        "no maps": replace(LOADED, age=0.6),
        "maps of a second and a half": Own(OK, 1.7),
        "it loads as long as before": Own(LOADING, 4.9),
        "a probe that always succeeds": replace(LOADED, seen=seen("healthy", 0), heard=LOADING),
        "no start period": replace(
            LOADED, seen=seen("unhealthy", 1, 1, streak=2), heard=LOADING, age=2.6
        ),
        "a start period of 4 s": replace(LOADED, counted=1),
        "a start period of 5 s": replace(LOADED, seen=replace(STARTING, start_period=5.0)),
        "it listens on another port": replace(LOADED, heard=RUNS, age=14.1),
        "it never loads": replace(LOADED, heard=LOADING, age=14.1),
        "it has loaded": LOADED,
        "it ends when it has loaded": replace(BELIEVED, state=CRASHED),
        "Docker's interval": replace(BELIEVED, seen=seen("starting")),
        "Docker's start interval": replace(BELIEVED, seen=seen("starting", 1, each=5.1)),
        "a start interval of 4.5 s": replace(BELIEVED, seen=seen("healthy", 1, 0, each=4.6)),
        "less time than an answer takes": replace(BELIEVED, seen=seen("starting", *[1] * 5, CUT)),
        "no start period, and slow": replace(BELIEVED, seen=seen("unhealthy", 1, 1)),
        "it is believed": BELIEVED,
        "its probe waits until it has loaded": replace(
            BELIEVED, seen=replace(BELIEVED.seen, probes=(Probe(1.0, 6.2, 0, ""),))
        ),
        "a quick start is believed": replace(BELIEVED, seen=seen("healthy", 0), loads=False),
        "it has ended": replace(MAPPED, heard=CRASHED),
        "maps that are not there": replace(MAPPED, heard=LOADING),
        "a height": MAPPED,
        "it ends when an answer is lost": Lost("unhealthy", CRASHED),
        "the first failure counts": Lost("unhealthy", RUNS),
        "a lost answer": Lost("healthy", RUNS),
        "it ends instead": hangs(3.1, state=CRASHED),
        "a probe that remembers": hangs(status="healthy", well=2),
        "eight failures": hangs(3.1, 6.2, status="healthy"),
        "three failures: 9 s": replace(
            hangs(3.1, 6.2, 9.3), seen=replace(hangs(3.1, 6.2, 9.3).seen, retries=3)
        ),
        "Docker's timeout": hangs(status="healthy", probing=True),
        "a slow watch": hangs(status="healthy"),
        "two failures": hangs(3.1, 6.2, forecast="6"),
        "two failures at the very limit, on a busy machine": hangs(4.9, 9.8, took=2.9),
    },
}
