"""Start states and checks of 04-users-and-health."""

from __future__ import annotations

import http.client
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from posixpath import basename, dirname, join

from course.core import waiting
from course.core.errors import CourseError
from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import Lab, Served
from course.exercises.kit.verdict import Wrong
from course.learner import progress
from course.measure.container import HEALTH_LOG, Health, Process, Stopped

_PORT = 3000
_POLL = 0.15
_BUSY = 1.0
"""Seconds of a probe that does nothing above which no answer is judged by seconds."""
_NO_HEALTH_CHECK = "no-health-check"
_RETRIES_MANY = "retries-many"
_BY_SECONDS = {
    *("no-probe-yet", "never-healthy", "no-parcels"),
    *("unhealthy-at-start", "first-probe-late", "healthy-late", "timeout-short"),
    *(_RETRIES_MANY, "timeout-long", "interval-long", "one-lost-answer"),
}

# -- 1: who it is

_SHELF = """\
// A shelf for files: PUT /files/NAME keeps a file in /var/lib/shelf, GET /files/NAME gives it back.
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

const shelf = "/var/lib/shelf";

createServer(async (request, response) => {
  // The hole: a NAME such as ..%2F..%2F..%2Fetc%2Fhostname leaves the shelf.
  const file = join(shelf, decodeURIComponent(request.url.replace("/files/", "")));
  try {
    if (request.method === "PUT") {
      const parts = [];
      for await (const part of request) parts.push(part);
      await writeFile(file, Buffer.concat(parts));
      response.statusCode = 201;
      response.end("kept\\n");
    } else {
      response.end(await readFile(file));
    }
  } catch (error) {
    response.statusCode = error.code === "ENOENT" ? 404 : 500;
    response.end(`${error.message}\\n`);
  }
}).listen(3000, () => console.log(`shelf listens on 3000 as uid ${process.getuid()}`));
"""
_SHELF_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY shelf.mjs ./
RUN mkdir /var/lib/shelf
CMD ["node", "shelf.mjs"]
"""
_SHELF_FOLDER = "/var/lib/shelf"


def _start(lab: Lab, ref: str) -> None:
    """Build the start state's image."""
    lab.run("docker", "build", "--quiet", "--tag", ref, lab.folder())
    lab.record_start_image(ref)


def _image(lab: Lab, ref: str) -> str:
    """See that there is an image; what to add to `saw` if it is still the start state's.

    Raises:
        Wrong: there is none.
    """
    image = lab.image(ref)
    if image.id != lab.recall("made"):
        return ""
    other = lab.other_tags(ref)
    return f"  ({ref} is still the start's image" + (f"; there is `{other}`)" if other else ")")


@exercise("users-and-health-1")
class ShelfWritesOnlyItsShelf:
    """A service that writes: a user of its own, and the one folder that this user owns."""

    def begin(self, lab: Lab) -> None:
        """An image that works, as root."""
        lab.rename_existing("shelf:lab")
        lab.write("shelf.mjs", _SHELF)
        lab.write("Dockerfile", _SHELF_DOCKERFILE)
        _start(lab, "shelf:lab")

    def check(self, lab: Lab) -> None:
        """Let it keep a file, then try by its own hole to change a file of root's in a mount."""
        still = _image(lab, "shelf:lab")
        name, text = f"{secrets.token_hex(4)}.txt", secrets.token_hex(16)
        canary = secrets.token_hex(16).encode()
        with (
            lab.observe("a run of shelf:lab"),
            lab.volume() as kept,
            lab.volume() as roots,
            lab.container(
                "shelf:lab",
                port=_PORT,
                volumes=[f"{kept}:{_SHELF_FOLDER}", f"{roots}:/probe"],
            ) as served,
        ):
            served.put("/probe/budget.txt", canary)
            self._keeps(served, name, text)
            status, said = served.ask("PUT", "/files/..%2F..%2F..%2Fprobe%2Fbudget.txt", b"mine")
            changed = served.read("/probe/budget.txt") != canary
            running = served.processes()
            program = _program(served, running)
        users = sorted({process.uid for process in running})
        if changed:
            raise Wrong(
                "root-changes-mount",
                saw="`PUT /files/..%2F..%2F..%2Fprobe%2Fbudget.txt` changed root's own file in a "
                f"mounted folder; the process is uid {users[0]}{still}",
                want="a service whose user may not do that, whatever name it is given",
                try_="docker top CONTAINER -eo pid,uid,args   and which instruction sets the user?",
            )
        if 0 in users:
            first = next(process for process in running if process.uid == 0)
            alone = users == [0]
            raise Wrong(
                "still-root" if alone else "root-in-front",
                saw=f"`{first.command[:60]}` runs as uid 0"
                + ("" if alone else "; the rest do not")
                + still,
                want="no process of root's in the container",
                try_="a hole that is closed is one; what are the next one's rights?"
                if alone
                else "who starts the service, and stays?   docker top CONTAINER -eo pid,uid,args",
            )
        if program:
            raise Wrong(
                "owns-its-program",
                saw=f"the process is uid {users[0]}, and may change {program}: the next request "
                "through the hole can be a new program",
                want=f"it may write in {_SHELF_FOLDER} and not change what it runs",
                try_="docker run --rm shelf:lab ls -la .   which files does the service write?",
            )
        lab.note(f"it runs as uid {users[0]}; the hole gave status {status}: {said.strip()[:90]}")

    def _keeps(self, served: Served, name: str, text: str) -> None:
        status, said = served.ask("PUT", f"/files/{name}", text.encode())
        if status == 0:
            raise served.why_no_answer("shelf:lab", "the service of shelf.mjs, up and answering")
        users = sorted({process.uid for process in served.processes()})
        if status >= 400:
            raise Wrong(
                "cannot-write",
                saw=f"as uid {users[-1]}, `PUT /files/{name}` answers {status}: {said.strip()}",
                want=f"the file kept in {_SHELF_FOLDER}",
                try_=f"docker run --rm shelf:lab ls -ldn {_SHELF_FOLDER}   whose is it?",
            )
        status, answer = served.ask("GET", f"/files/{name}")
        found = served.read(f"{_SHELF_FOLDER}/{name}")
        if answer == text and found == text.encode():
            return
        where = "is not there" if found is None else "holds something else"
        raise Wrong(
            "not-kept",
            saw=f"PUT /files/{name} was answered as a success, but {_SHELF_FOLDER}/{name} {where} "
            f"(GET answers {status})",
            want="what is put is kept, in the folder that is mounted in production",
            try_=f"docker exec CONTAINER ls -la {_SHELF_FOLDER}",
        )


def _program(served: Served, running: list[Process]) -> str:
    """The service's program or its folder if the service may change it, else an empty string."""
    folder = served.folder()
    places: list[tuple[Process, str]] = []
    for process in running:
        scripts = [w for w in process.command.split() if w.endswith((".mjs", ".js", ".cjs"))]
        for script in scripts[:1]:
            path = join(folder, script)
            places += [(process, path), (process, dirname(path))]
    # `node .` and `npm start` name no script: then it is one of the folder they run in.
    for process, place in places or [(process, folder) for process in running]:
        entry = served.stat(place)
        if entry is None:
            continue
        owns = entry.uid == process.uid and entry.mode & 0o200
        group = entry.gid == process.gid and entry.mode & 0o020
        if owns or group or entry.mode & 0o002:
            return place
    return ""


# -- 2: how it is told to stop

_REPORT = """\
// GET /report?n=5 works for a second, then gives the sum of 1 to n.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const currency = process.env.REPORT_CURRENCY;
if (!currency) throw new Error("REPORT_CURRENCY is not set");

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://service");
  if (pathname !== "/report") return response.end("report is up\\n");
  response.write("working\\n");
  await sleep(1000);
  const n = Number(searchParams.get("n"));
  response.end(`total ${(n * (n + 1)) / 2} ${currency}\\n`);
});
server.listen(3000, () => console.log("report listens on 3000"));

// Once a minute it says that it lives.
setInterval(() => console.log("report lives"), 60_000);

// Ctrl-C, on a laptop.
process.on("SIGINT", () => {
  console.log("bye");
  process.exit(0);
});
"""
_REPORT_START = """\
#!/bin/sh
# The setting first, then the service.
export REPORT_CURRENCY="${REPORT_CURRENCY:-CHF}"
node report.mjs
"""
_REPORT_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY start.sh report.mjs ./
CMD ["./start.sh"]
"""
_REPORT_TRY = """\
#!/usr/bin/env bash
# Stops report:lab in the middle of a request: its processes, the answer, the seconds, the code.
set -euo pipefail
report=$(docker run --detach --label course.owner=course --publish 127.0.0.1::3000 report:lab)
trap 'docker rm --force "$report" > /dev/null' EXIT
at=$(docker port "$report" 3000/tcp)
for _ in $(seq 40); do curl --silent "http://$at/" && break; sleep 0.25; done
docker top "$report" -eo pid,ppid,args
{ curl --silent --no-buffer "http://$at/report?n=4" || echo "cut: curl ends with code $?"; } &
sleep 0.4
TIMEFORMAT="docker stop took %R s"
{ time docker stop -t 5 "$report" > /dev/null; } 2>&1
wait
docker inspect --format 'exit code {{.State.ExitCode}}' "$report"
"""
STOP_WITHIN = 3.0
"""Seconds that `docker stop` may take; the request in flight takes one of them."""
_GRACE = 4
_LATER = 0.6
_SHELLS = ("sh", "bash", "dash", "npm", "su", "runuser")


@exercise("users-and-health-2")
class ReportStopsWhenTold:
    """A service that does not hear SIGTERM, for more than one reason."""

    def begin(self, lab: Lab) -> None:
        """A start script in front, and a program that knows Ctrl-C only."""
        lab.rename_existing("report:lab")
        lab.write("report.mjs", _REPORT)
        lab.write("start.sh", _REPORT_START).chmod(0o755)
        lab.write("try.sh", _REPORT_TRY).chmod(0o755)
        lab.write("Dockerfile", _REPORT_DOCKERFILE)
        _start(lab, "report:lab")

    def check(self, lab: Lab) -> None:
        """Stop it while a request is in flight: seconds, exit code, and that request's answer."""
        still = _image(lab, "report:lab")
        n = 1000 + secrets.randbelow(9000)
        with (
            lab.observe("a run and a stop of report:lab"),
            lab.container("report:lab", port=_PORT) as served,
        ):
            status, _ = served.get("/")
            if status == 0:
                raise served.why_no_answer(
                    "report:lab", "the service of report.mjs, up and answering"
                )
            running = served.processes()
            flight = _InFlight(served, f"/report?n={n}")
            if not flight.accepted():
                raise Wrong(
                    "no-report",
                    saw=f"GET /report?n={n} got no answer within {_InFlight.WAIT} s",
                    want="the report, as report.mjs gives it",
                    try_="docker run --rm report:lab   and read what it prints",
                )
            if flight.done():
                raise Wrong(
                    "not-in-flight",
                    saw=f"GET /report?n={n} was answered at once",
                    want="a report still takes a second: others count on it to be worked on",
                    try_="course reset users-and-health-2   gives report.mjs back",
                )
            late, stopped, later = _stop(served, f"/report?n={n}")
            answer, later_answer = flight.answer(), later.answer()
        self._in_time(stopped, late, running, still)
        if f"total {n * (n + 1) // 2} CHF" not in answer:
            raise Wrong(
                "request-cut",
                saw=f"it ended after {stopped.seconds:.1f} s with exit code {stopped.code}, in the "
                f"middle of GET /report?n={n}: the client has {answer!r}",
                want="the request in flight gets its whole answer, then the process ends",
                try_="what does server.close() wait for, and what does process.exit() not?",
            )
        if later_answer and "total" not in later_answer:
            raise Wrong(
                "later-cut",
                saw=f"a request that came {_LATER} s after the signal was taken, and cut: the "
                f"client has {later_answer!r}",
                want="after the signal a request is refused, or answered whole",
                try_="how does the program stop taking requests?",
            )
        if stopped.code != 0:
            raise Wrong(
                "exit-code",
                saw=f"it finished its request and ended in {stopped.seconds:.1f} s, but with exit "
                f"code {stopped.code}",
                want="exit code 0: it did what it was told",
                try_="docker inspect --format '{{.State.ExitCode}}' CONTAINER   after a stop",
            )
        lab.note(f"docker stop took {stopped.seconds:.1f} s; exit code 0; GET /report finished")

    def _in_time(self, stopped: Stopped, late: str, running: list[Process], still: str) -> None:
        took = f"{stopped.seconds:.1f} s and exit code {stopped.code}"
        want = f"docker stop ends it within {STOP_WITHIN:.0f} s, by itself"
        if stopped.seconds < STOP_WITHIN:
            if stopped.code == 137:
                raise Wrong(
                    "killed",
                    saw=f"{took}: it was killed, at once; nothing in it could finish",
                    want="it is asked to end, and ends by itself",
                    try_="docker image inspect report:lab --format '{{.Config.StopSignal}}'",
                )
            return
        first = running[0].command if running else ""
        name = basename(first.split()[0]) if first else ""
        if name in _SHELLS and len(running) > 1:
            raise Wrong(
                "signal-not-passed",
                saw=f"docker stop took {took}: process 1 is `{first[:60]}`, which got the signal; "
                f"the service, `{running[-1].command[:60]}`, did not{still}",
                want=want,
                try_="docker top CONTAINER -eo pid,ppid,args   who is the service's parent?",
            )
        if late == "refused":
            raise Wrong(
                "never-exits",
                saw=f"docker stop took {took}: it takes no more requests, but does not end",
                want=want,
                try_="what in report.mjs still waits for something?",
            )
        raise Wrong(
            "signal-ignored",
            saw=f"docker stop took {took}: `{first[:60]}` is process 1, and {_GRACE - 1} s after "
            "the signal it still took requests",
            want=want,
            try_="docker image inspect report:lab --format '{{.Config.StopSignal}}'   "
            "(empty is SIGTERM): which signals does report.mjs know?",
        )


class _InFlight:
    """A request whose first part has come and whose rest has not.

    Args:
        served: whom it asks.
        path: what for.
    """

    WAIT = 6.0

    def __init__(self, served: Served, path: str) -> None:
        at = served.address() or ("127.0.0.1", 1)  # it has ended: nobody answers there
        self._connection = http.client.HTTPConnection(*at, timeout=self.WAIT)
        self._path = path
        self._text = b""
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._connection.request("GET", self._path, headers={"Connection": "close"})
            answer = self._connection.getresponse()
            while part := answer.read1(1024):
                self._text += part
                self._began.set()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self._connection.close()

    def done(self) -> bool:
        """Whether the whole answer has come, a moment after its first part."""
        self._thread.join(0.2)
        return not self._thread.is_alive()

    def accepted(self) -> bool:
        """Whether the service has begun to answer."""
        return self._began.wait(self.WAIT)

    def answer(self) -> str:
        """All that came."""
        self._thread.join(self.WAIT)
        return self._text.decode(errors="replace")


def _stop(served: Served, path: str) -> tuple[str, Stopped, _InFlight]:
    """Stop a container.

    Args:
        served: which.
        path: what a later request asks for, while the first one is still in flight.

    Returns:
        What a new connection met shortly before it would have been killed, how it ended, and the
        later request.
    """
    late = ["ended"]
    later: list[_InFlight] = []

    def knock() -> None:
        status, _ = served.get_once()
        late[0] = "answered" if status else "refused"

    timers = [
        threading.Timer(_LATER, lambda: later.append(_InFlight(served, path))),
        threading.Timer(_GRACE - 1, knock),
    ]
    for timer in timers:
        timer.start()
    try:
        stopped = served.stop(grace=_GRACE)
    finally:
        timers[0].join()
        timers[1].cancel()
        timers[1].join()
    return late[0], stopped, later[0]


# -- 3: how it is asked how it is

_QUEUE = """\
// The queue: takes whatever is posted to it.
import { createServer } from "node:http";

createServer((request, response) => response.end("taken\\n")).listen(7000);
"""
_COURIER = """\
// Takes parcels at POST /parcels and hands each to the queue. GET /status says how it is.
import { createServer } from "node:http";

const queue = process.env.QUEUE_URL ?? "http://queue:7000";

async function handOver(method, body) {
  try {
    const signal = AbortSignal.timeout(1500);
    return (await fetch(queue, { method, body, signal })).ok;
  } catch {
    return false;
  }
}

createServer(async (request, response) => {
  console.log(request.method, request.url);
  if (request.method === "POST" && request.url === "/parcels") {
    const taken = await handOver("POST", "parcel");
    response.statusCode = taken ? 202 : 503;
    return response.end(taken ? "handed over\\n" : "no queue\\n");
  }
  if (request.url === "/status") {
    const reached = await handOver("GET");
    return response.end(JSON.stringify({ courier: "up", queue: reached ? "up" : "gone" }));
  }
  response.end("courier\\n");
}).listen(3000, () => console.log("courier listens on 3000"));
"""
_COURIER_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY courier.mjs ./
HEALTHCHECK --interval=1s --timeout=3s --retries=2 \\
  CMD curl --fail --silent http://localhost:3000/ || exit 1
CMD ["node", "courier.mjs"]
"""
_COURIER_TRY = """\
#!/usr/bin/env bash
# Runs courier:lab beside a queue, takes the queue away, and prints what Docker says of its health.
set -euo pipefail
cd "$(dirname "$0")"
network="courier-try-$$"
docker network create --label course.owner=course "$network" > /dev/null
trap 'docker rm --force "${queue:-}" "${courier:-}" > /dev/null 2>&1 || true
      docker network rm "$network" > /dev/null' EXIT
run() { docker run --detach --label course.owner=course --network "$network" "$@"; }
queue=$(run --network-alias queue --volume "$PWD/queue.mjs:/queue.mjs:ro" \\
  node:24-slim node /queue.mjs)
courier=$(run courier:lab)
watch() {
  for _ in 1 2 3 4 5 6; do
    sleep 1
    docker inspect "$courier" --format \\
      "$1: {{if .State.Health}}{{.State.Health.Status}}{{else}}no health check{{end}}"
  done
}
watch "with its queue"
docker kill "$queue" > /dev/null
watch "queue is gone "
echo "the last probes, exit code and output:"
docker inspect "$courier" --format \\
  '{{if .State.Health}}{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}
{{end}}{{end}}' | sed '/^$/d'
"""
_COUNTS = """\
let taken = 0;
require("node:http").createServer((request, response) => {
  if (request.method === "POST") taken += 1;
  response.end(request.url === "/taken" ? String(taken) : "taken");
}).listen(7000);
"""
"""The check's own queue, which says what was posted to it."""
SEEN_WITHIN = 5.0
"""Seconds within which it must be healthy after its start, and unhealthy after the loss."""


@exercise("users-and-health-3")
class CourierTellsTheTruth:
    """Break-it: a health check that cannot run, and that asks the wrong question."""

    def begin(self, lab: Lab) -> None:
        """A check by a tool that the image lacks, of a page that answers whatever happens."""
        lab.rename_existing("courier:lab")
        lab.write("courier.mjs", _COURIER)
        lab.write("queue.mjs", _QUEUE)
        lab.write("Dockerfile", _COURIER_DOCKERFILE)
        lab.write("try.sh", _COURIER_TRY).chmod(0o755)
        _start(lab, "courier:lab")

    def check(self, lab: Lab) -> None:
        """Run it beside a queue, take the queue away, and look at its health before and after."""
        still = _image(lab, "courier:lab")
        with (
            lab.observe("courier:lab with its queue, and without"),
            lab.network() as network,
            # The queue runs in courier:lab too: nothing true calls that container healthy, since
            # no courier is in it.
            lab.container(
                "courier:lab",
                port=7000,
                entrypoint=["node", "-e", _COUNTS],
                network=network,
                networking_config=lab.alias(network, "queue"),
            ) as queue,
            lab.container("courier:lab", port=_PORT, network=network) as served,
        ):
            try:
                seconds = self._seen(served, queue, still)
            except Wrong as wrong:
                _not_too_busy(served, wrong)
                raise
        lab.note(f"the queue was gone for {seconds:.1f} s when Docker said unhealthy")

    def _seen(self, served: Served, queue: Served, still: str) -> float:
        """Seconds after which the lost queue was seen."""
        self._becomes_healthy(served, still)
        status, taken = queue.ask("GET", "/taken")
        if status == 200 and taken != "0":
            raise Wrong(
                "probe-delivers",
                saw=f"before anybody sent a parcel the queue had got {taken}: the health check "
                "posts one each time",
                want="a check that asks and changes nothing",
                try_="which request to the courier tells of the queue and hands nothing over?",
            )
        if not any(served.ask("POST", "/parcels")[0] == 202 for _ in range(3)):
            raise Wrong(
                "no-parcels",
                saw="it is healthy, and three times POST /parcels was not answered with 202",
                want="a courier that hands parcels over, status 202",
                try_="course reset users-and-health-3   gives courier.mjs back",
            )
        empty = _until(queue, lambda h: bool(h.probes), 3).status
        queue.kill()
        began = time.monotonic()
        health = _until(served, lambda h: h.status == "unhealthy", SEEN_WITHIN + 1)
        seconds = time.monotonic() - began
        code = served.exit_code()
        if code is not None:
            raise Wrong(
                "ends-instead",
                saw=f"without its queue the container ended, with exit code {code}",
                want="a container that runs on and is unhealthy: the queue may come back",
                try_="docker logs CONTAINER",
            )
        if health.status != "unhealthy":
            raise self._unseen(served, health, empty, still)
        if empty == "healthy":
            raise Wrong(
                "asks-the-queue-only",
                saw="without its queue it is unhealthy; but a container of courier:lab in which no "
                "courier runs is healthy",
                want="a check that asks the courier",
                try_="does the probe talk to port 3000?",
            )
        return seconds

    def _becomes_healthy(self, served: Served, still: str) -> None:
        health = _until(served, lambda h: h.status in ("healthy", "none"), SEEN_WITHIN)
        if health.status == "healthy":
            return
        want = f"healthy within {SEEN_WITHIN:.0f} s while courier and queue work"
        if served.exit_code() is not None:
            raise served.why_no_answer("courier:lab", want)
        if health.status == "none":
            raise Wrong(
                _NO_HEALTH_CHECK,
                saw="courier:lab has no health check: Docker says nothing of its health",
                want=want,
                try_="docker image inspect courier:lab --format '{{json .Config.Healthcheck}}'",
            )
        if not health.probes:
            raise Wrong(
                "no-probe-yet",
                saw=f"{SEEN_WITHIN:.0f} s after the start no probe has ended yet",
                want=want,
                try_="docker image inspect courier:lab --format '{{json .Config.Healthcheck}}'",
            )
        last = health.probes[-1]
        said = last.output.splitlines()[-1][:120] if last.output else "nothing"
        if last.code == 127 or "not found" in last.output:
            raise Wrong(
                "tool-missing",
                saw=f"{health.status}: the probe ends with code {last.code} and says: {said}"
                + still,
                want=want,
                try_="docker run --rm courier:lab sh -c 'command -v curl wget node'",
            )
        raise Wrong(
            "never-healthy",
            saw=f"{health.status} though all works: the probe ends with code {last.code} and "
            f"says: {said}",
            want=want,
            try_="run the probe by hand: docker exec CONTAINER …; echo $?",
        )

    def _unseen(self, served: Served, health: Health, empty: str, still: str) -> Wrong:
        want = f"unhealthy within {SEEN_WITHIN:.0f} s after its queue is gone"
        saw = f"{SEEN_WITHIN:.0f} s after its queue is gone it is {health.status}"
        last = health.probes[-1] if health.probes else None
        if health.streak or last is None:
            return Wrong(
                _RETRIES_MANY,
                saw=f"{saw}: {health.streak} failed probes are not enough",
                want=want,
                try_="docker image inspect courier:lab --format '{{json .Config.Healthcheck}}'",
            )
        if empty == "healthy":
            return Wrong(
                "always-healthy",
                saw=f"{saw}; and so is a container of it in which no courier runs",
                want="a check that can fail",
                try_="what is the probe's exit code when the courier is not there?",
            )
        asked = [line for line in served.log().splitlines() if line.startswith(("GET", "POST"))]
        path = asked[-1] if asked else ""
        if path == "GET /status":
            return Wrong(
                "status-not-read",
                saw=f"{saw}: the probe asks `GET /status`, is answered 200, and is content",
                want=want,
                try_="docker exec CONTAINER node -e \"fetch('http://localhost:3000/status')"
                '.then((r) => r.text()).then(console.log)"   with the queue gone',
            )
        return Wrong(
            "asks-the-door",
            saw=saw
            + (
                f": the probe asks `{path}`, which answers 200 with or without it"
                if path
                else ": its probes succeed"
            )
            + still,
            want=want,
            try_="./try.sh   which request to the courier tells the two states apart?",
        )


def _not_too_busy(served: Served, wrong: Wrong) -> None:
    """See that seconds mean something here, before an answer is called wrong for them.

    Raises:
        CourseError: the machine is so busy that a probe that does nothing is late itself.
    """
    if wrong.cause not in _BY_SECONDS or served.exit_code() is not None:
        return
    seconds = served.seconds_of("node", "-e", "0")
    if seconds > _BUSY:
        raise CourseError(
            f"a probe that does nothing takes {seconds:.1f} s now: this machine is too busy for a "
            f"verdict by seconds (it would be: {wrong.saw})",
            f"a machine on which it takes less than {_BUSY:.0f} s",
            "wait until the other work is done, then check again",
        )


def _until(served: Served, ready: Callable[[Health], bool], wait: float) -> Health:
    """Its health once it is so, or when time is over or it has ended."""
    return waiting.eventually(
        served.health,
        wait=wait,
        pause=_POLL,
        until=lambda health: ready(health) or served.exit_code() is not None,
    )


# -- 4: how fast to believe an answer

_ATLAS = """\
// Loads its maps for a while, then serves. GET /health takes a third of a second when all is well.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const loads = Number(process.env.LOADS_MS ?? 5000);
const began = Date.now();
let lost = 0; // so many more health requests get no answer

createServer(async (request, response) => {
  if (request.method === "POST" && request.url === "/lose-one") lost = 1;
  if (request.method === "POST" && request.url === "/hang") lost = Infinity;
  if (request.url === "/health") {
    if (Date.now() - began < loads) response.statusCode = 503;
    else if (lost > 0) return void (lost -= 1);
    else await sleep(300);
  }
  response.end(response.statusCode === 200 ? "ok\\n" : "loading\\n");
}).listen(3000, () => console.log("atlas listens on 3000"));
"""
_ATLAS_HEALTH = """\
// The probe: exit code 0 if atlas answers well, 1 if it answers badly. It waits as long as it may.
const answer = await fetch("http://127.0.0.1:3000/health").catch(() => ({ ok: false }));
process.exit(answer.ok ? 0 : 1);
"""
_ATLAS_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY atlas.mjs health.mjs ./
HEALTHCHECK CMD ["node", "health.mjs"]
CMD ["node", "atlas.mjs"]
"""
_ATLAS_TRY = """\
#!/usr/bin/env bash
# Runs atlas:lab, lets it hang after 12 s, and prints each probe and change of health until 22 s.
set -euo pipefail
since=$(date +%s)
atlas=$(docker run --detach --label course.owner=course atlas:lab)
trap 'docker rm --force "$atlas" > /dev/null' EXIT
sleep 12
docker exec "$atlas" node -e "fetch('http://127.0.0.1:3000/hang', { method: 'POST' })" > /dev/null
sleep 10
docker events --since "$since" --until "$(date +%s)" --filter "container=$atlas" \\
  --format '{{.TimeNano}} {{.Action}} {{with .Actor.Attributes.exitCode}}exit code {{.}}{{end}}' |
  awk '/ start|exec_start|exec_die|health_status/ {
    t = (substr($1, 1, 10) substr($1, 11, 2)) / 100; if (!first) first = t
    printf "%5.1f s  %s\\n", t - first, substr($0, index($0, " ") + 1)
  }'
"""
LOADS_MS = 5500
HEALTHY_WITHIN = 3.0
"""Seconds after it has loaded until Docker must call it healthy."""
HANG_SEEN_WITHIN = 8.0
"""Seconds after it hangs until Docker must call it unhealthy."""


@dataclass(frozen=True)
class _Timeline:
    """What was seen of one run, in seconds from its own zero."""

    healthy: float | None = None
    unhealthy: float | None = None
    wrong: Wrong | None = None


@exercise("users-and-health-4")
class AtlasIsBelievedInTime:
    """Decide: interval, timeout, retries and start period, against four demands."""

    def begin(self, lab: Lab) -> None:
        """A slow starter with Docker's default numbers."""
        lab.rename_existing("atlas:lab")
        lab.write("atlas.mjs", _ATLAS)
        lab.write("health.mjs", _ATLAS_HEALTH)
        lab.write("Dockerfile", _ATLAS_DOCKERFILE)
        lab.write("try.sh", _ATLAS_TRY).chmod(0o755)
        _start(lab, "atlas:lab")

    def check(self, lab: Lab) -> None:
        """Two runs side by side: a slow start with one lost answer; a quick start and a hang."""
        still = _image(lab, "atlas:lab")
        with (
            lab.observe("two runs of atlas:lab"),
            lab.container("atlas:lab", port=_PORT, env={"LOADS_MS": str(LOADS_MS)}) as slow,
            lab.container("atlas:lab", port=_PORT, env={"LOADS_MS": "0"}) as quick,
            ThreadPoolExecutor(2) as pool,
        ):
            runs = {
                pool.submit(self._slow_start, slow, still): quick,
                pool.submit(self._hangs, quick): slow,
            }
            for run in as_completed(runs):
                if wrong := run.result().wrong:
                    _not_too_busy(runs[run], wrong)
                    runs[run].kill()  # the other one has nothing more to tell
                    raise wrong
            started, hung = (run.result() for run in runs)
        lab.note(
            f"healthy {started.healthy:.1f} s after it had loaded (demand: {HEALTHY_WITHIN:.0f} s)"
        )
        lab.note("one lost answer: it stayed healthy")
        lab.note(f"hung: unhealthy after {hung.unhealthy:.1f} s (demand: {HANG_SEEN_WITHIN:.0f} s)")
        guess = progress.predicted("users-and-health-hang-s")
        if guess is not None:
            lab.note(f"your forecast of the last one, at worst: {guess:g} s")

    def _slow_start(self, served: Served, still: str) -> _Timeline:
        loaded = self._loads(served)
        if isinstance(loaded, Wrong):
            return _Timeline(wrong=loaded)
        health = _until(served, lambda h: h.status != "starting", HEALTHY_WITHIN)
        if health.status != "healthy":
            return _Timeline(wrong=self._not_healthy(health, still))
        healthy = time.monotonic() - loaded
        served.ask("POST", "/lose-one")
        # As long as a hang may take to be seen: by then a probe has met the lost answer.
        _until(served, lambda h: h.streak > 0 or h.status == "unhealthy", HANG_SEEN_WITHIN)
        health = _until(served, lambda h: h.streak == 0 or h.status == "unhealthy", 3)
        if health.status == "unhealthy":
            return _Timeline(
                wrong=Wrong(
                    "one-lost-answer",
                    saw="one answer was lost, and Docker calls it unhealthy",
                    want="one lost answer is forgiven",
                    try_="how many failures in a row does your health check take?",
                )
            )
        return _Timeline(healthy=healthy)

    def _loads(self, served: Served) -> float | Wrong:
        """The moment when it had loaded, if Docker judged it rightly until then."""
        deadline = time.monotonic() + LOADS_MS / 1000 + HANG_SEEN_WITHIN
        while time.monotonic() < deadline:
            health = served.health()
            status, _ = served.ask("GET", "/health", wait=1)
            if status == 200:
                return time.monotonic()
            if status == 0 and served.exit_code() is not None:
                return served.why_no_answer(
                    "atlas:lab", "the service of atlas.mjs, up and answering"
                )
            if health.status == "none":
                return Wrong(
                    _NO_HEALTH_CHECK,
                    saw="atlas:lab has no health check",
                    want="a health check that meets the four demands",
                    try_="docker image inspect atlas:lab --format '{{json .Config.Healthcheck}}'",
                )
            if health.status == "unhealthy":
                return self._not_healthy(health, "")
            if health.status == "healthy":
                return Wrong(
                    "healthy-too-soon",
                    saw="Docker calls it healthy while it loads and GET /health answers 503",
                    want="healthy only when it has loaded",
                    try_="run the probe by hand in the first seconds: docker exec CONTAINER …",
                )
            time.sleep(_POLL)
        return served.why_no_answer("atlas:lab", "GET /health answers 200 when it has loaded")

    def _not_healthy(self, health: Health, still: str) -> Wrong:
        probes = len(health.probes)
        count = f"{probes} or more probes" if probes == HEALTH_LOG else f"{probes} probe(s)"
        want = f"healthy within {HEALTHY_WITHIN:.0f} s after it has loaded, never unhealthy before"
        try_ = "docker inspect CONTAINER --format '{{json .State.Health}}'"
        if not health.probes:
            saw = f"{HEALTHY_WITHIN:.0f} s after it had loaded no probe has ended yet{still}"
            return Wrong("first-probe-late", saw=saw, want=want, try_=try_)
        if health.probes[-1].code == -1:
            saw = f"{health.status}: the last probe was ended by its timeout, though all is well"
            return Wrong("timeout-short", saw=saw, want=want, try_=try_)
        if health.status == "unhealthy":
            saw = f"unhealthy after {count}, while it still loads or has just loaded"
            return Wrong("unhealthy-at-start", saw=saw, want=want, try_=try_)
        saw = f"{HEALTHY_WITHIN:.0f} s after it had loaded it is still `{health.status}`: {count}"
        return Wrong("healthy-late", saw=f"{saw} since the start", want=want, try_=try_)

    def _hangs(self, served: Served) -> _Timeline:
        loaded = self._loads(served)
        if isinstance(loaded, Wrong):
            return _Timeline(wrong=loaded)
        health = _until(served, lambda h: h.status != "starting", HEALTHY_WITHIN + 4)
        if health.status != "healthy":
            return _Timeline(wrong=self._not_healthy(health, ""))
        served.ask("POST", "/hang")
        began = time.monotonic()
        health = _until(served, lambda h: h.status == "unhealthy", HANG_SEEN_WITHIN)
        if health.status == "unhealthy":
            return _Timeline(unhealthy=time.monotonic() - began)
        if health.streak:
            cause, why = _RETRIES_MANY, f"{health.streak} failed probe(s) are not enough"
        elif len(served.processes()) > 1:
            cause, why = "timeout-long", "a probe waits for its answer, and goes on waiting"
        else:
            cause, why = "interval-long", "no probe has begun since"
        return _Timeline(
            wrong=Wrong(
                cause,
                saw=f"{HANG_SEEN_WITHIN:.0f} s after it hangs it is {health.status}: {why}",
                want=f"unhealthy within {HANG_SEEN_WITHIN:.0f} s",
                try_="add up what passes, at worst, from the hang to the last failure",
            )
        )
