"""Answers to the exercises of 04-users-and-health."""

from __future__ import annotations

from course.exercises.kit.lab import Lab
from tests.bank import Answer


def _build(lab: Lab, tag: str, dockerfile: str, **files: str) -> None:
    """Build from a Dockerfile and files, whose names have `_` for the dot."""
    for name, text in files.items():
        lab.write(name.replace("_", "."), text)
    lab.write("Dockerfile", dockerfile)
    lab.run("docker", "build", "--quiet", "--tag", tag, lab.folder())


def _edited(lab: Lab, name: str, old: str, new: str) -> None:
    text = (lab.folder() / name).read_text(encoding="utf-8")
    assert old in text, f"{name} has no {old!r}"
    lab.write(name, text.replace(old, new))


# -- 1

_SHELF = """\
FROM node:24-slim
WORKDIR /app
COPY shelf.mjs ./
RUN mkdir /var/lib/shelf && chown node:node /var/lib/shelf
USER node
CMD ["node", "shelf.mjs"]
"""


def _shelf_hole_closed(lab: Lab) -> None:
    _edited(lab, "shelf.mjs", "decodeURIComponent(", "(")
    _build(lab, "shelf:lab", _SHELF.replace("USER node\n", ""))


def _shelf_error_hidden(lab: Lab) -> None:
    _edited(
        lab,
        "shelf.mjs",
        "await writeFile(file, Buffer.concat(parts));",
        "await writeFile(file, Buffer.concat(parts)).catch(() => {});",
    )
    _build(lab, "shelf:lab", _SHELF.replace(" && chown node:node /var/lib/shelf", ""))


def _shelf_elsewhere(lab: Lab) -> None:
    _edited(lab, "shelf.mjs", '"/var/lib/shelf"', '"/tmp"')
    _build(lab, "shelf:lab", _SHELF)


def _shelf_own_user(lab: Lab) -> None:
    lab.write("empty/.keep", "")
    _build(
        lab,
        "shelf:lab",
        "FROM node:24-slim\nRUN useradd --uid 4711 --no-create-home shelf\n"
        "COPY --chown=4711:4711 empty/ /var/lib/shelf/\n"
        "COPY shelf.mjs /srv/shelf.mjs\nUSER 4711\n"
        'CMD ["node", "/srv/shelf.mjs"]\n',
    )


# -- 2

_REPORT = """\
FROM node:24-slim
WORKDIR /app
COPY start.sh report.mjs ./
CMD ["./start.sh"]
"""
_DIES = 'process.on("SIGINT", () => {\n  console.log("bye");\n  process.exit(0);\n});'
_ENDS = 'process.on("SIGTERM", () => server.close(() => process.exit(0)));'


def _report(
    lab: Lab, ends: str = _DIES, *, run: str = "exec node report.mjs", more: str = ""
) -> None:
    _edited(lab, "report.mjs", _DIES, ends)
    _edited(lab, "start.sh", "node report.mjs", run)
    _build(lab, "report:lab", _REPORT + more)


def _report_renamed(lab: Lab) -> None:
    _report(lab, _ENDS)
    lab.run("docker", "tag", "report:lab", "report:fixed")
    lab.run("docker", "image", "rm", "report:lab")


def _report_at_once(lab: Lab) -> None:
    _edited(lab, "report.mjs", "await sleep(1000);", "")
    _report(lab, 'process.on("SIGTERM", () => process.exit(0));')


def _report_without_script(lab: Lab) -> None:
    _edited(lab, "report.mjs", _DIES, _ENDS)
    _build(
        lab,
        "report:lab",
        "FROM node:24-slim\nCOPY report.mjs /srv/\nENV REPORT_CURRENCY=CHF\n"
        'ENTRYPOINT ["node", "/srv/report.mjs"]\n',
    )


# -- 3

_COURIER = """\
FROM node:24-slim
WORKDIR /app
COPY courier.mjs ./
HEALTHCHECK --interval=1s --timeout=3s --retries=2 \\
  CMD {probe}
CMD ["node", "courier.mjs"]
"""
_FETCH = "node -e \"fetch('http://127.0.0.1:3000{path}').then({then}, () => process.exit(1))\""
_READS = (
    "(r) => r.json()).then((s) => process.exit(s.queue === 'up' ? 0 : 1)).catch("
    "() => process.exit(1)"
)


def _fetch(path: str, then: str = "(r) => process.exit(r.ok ? 0 : 1)") -> str:
    return _FETCH.format(path=path, then=then)


def _courier(lab: Lab, probe: str) -> None:
    _build(lab, "courier:lab", _COURIER.format(probe=probe))


def _courier_default_interval(lab: Lab) -> None:
    text = _COURIER.format(probe=_fetch("/status", _READS)).replace(
        "--interval=1s", "--interval=30s"
    )
    _build(lab, "courier:lab", text)


def _courier_many_retries(lab: Lab) -> None:
    text = _COURIER.format(probe=_fetch("/status", _READS)).replace("--retries=2", "--retries=20")
    _build(lab, "courier:lab", text)


def _courier_gives_up(lab: Lab) -> None:
    _edited(
        lab,
        "courier.mjs",
        'const reached = await handOver("GET");',
        'const reached = await handOver("GET");\n    if (!reached) process.exit(1);',
    )
    _courier(lab, _fetch("/status"))


def _courier_status_503(lab: Lab) -> None:
    _edited(
        lab,
        "courier.mjs",
        "return response.end(JSON.stringify(",
        "response.statusCode = reached ? 200 : 503;\n    return response.end(JSON.stringify(",
    )
    _courier(lab, _fetch("/status"))


def _courier_probe_file(lab: Lab, probe: str) -> None:
    text = _COURIER.format(probe='["node", "health.mjs"]').replace("courier.mjs ./", "*.mjs ./")
    _build(lab, "courier:lab", text, health_mjs=probe)


_DELIVERS = """\
const answer = await fetch("http://127.0.0.1:3000/parcels", { method: "POST" });
process.exit(answer.status === 202 ? 0 : 1);
"""
_BOTH = """\
const asked = ["http://127.0.0.1:3000/", "http://queue:7000/"].map((url) => fetch(url));
process.exit((await Promise.all(asked)).every((answer) => answer.ok) ? 0 : 1);
"""


# -- 4

_ATLAS = """\
FROM node:24-slim
WORKDIR /app
COPY atlas.mjs health.mjs ./
HEALTHCHECK {numbers} CMD {probe}
CMD ["node", "atlas.mjs"]
"""


def _atlas(numbers: str, probe: str = '["node", "health.mjs"]') -> str:
    return _ATLAS.format(numbers=numbers, probe=probe)


def _atlas_waits_itself(lab: Lab) -> None:
    _edited(
        lab,
        "health.mjs",
        '("http://127.0.0.1:3000/health")',
        '("http://127.0.0.1:3000/health", { signal: AbortSignal.timeout(2000) })',
    )
    _build(
        lab,
        "atlas:lab",
        _atlas("--interval=1s --retries=2 --start-period=30s --start-interval=1s"),
    )


_START = "--start-period=20s --start-interval=1s"


BANK: dict[str, list[Answer]] = {
    "users-and-health-1": [
        Answer(
            "built under another tag; the lab's is root's still",
            lambda w: _build(w, "shelf:fixed", _SHELF),
            "root-changes-mount",
            "not-the-serving-object",
        ),
        Answer(
            "a user, and a folder that is root's",
            lambda w: _build(
                w, "shelf:lab", _SHELF.replace(" && chown node:node /var/lib/shelf", "")
            ),
            "cannot-write",
            "warned-means",
        ),
        Answer("the hole closed, root kept", _shelf_hole_closed, "still-root", "special-cased"),
        Answer("the error swallowed", _shelf_error_hidden, "not-kept", "symptom-hidden"),
        Answer(
            "everything given to the user",
            lambda w: _build(
                w,
                "shelf:lab",
                "FROM node:24-slim\nWORKDIR /app\nCOPY . .\nRUN mkdir /var/lib/shelf\n"
                "RUN chown -R node:node /app /var/lib/shelf\nUSER node\n"
                'CMD ["node", "shelf.mjs"]\n',
            ),
            "owns-its-program",
            "warned-means",
        ),
        Answer(
            "su, which stays root",
            lambda w: _build(
                w,
                "shelf:lab",
                _SHELF.replace("USER node\n", "").replace(
                    '["node", "shelf.mjs"]', "su node -c 'node shelf.mjs'"
                ),
            ),
            "root-in-front",
            "not-the-serving-object",
        ),
        Answer(
            "a user that the image does not have",
            lambda w: _build(w, "shelf:lab", _SHELF.replace("USER node", "USER shelf")),
            "cannot-start",
            "wrong-name",
        ),
        Answer("as in the solution", lambda w: _build(w, "shelf:lab", _SHELF), "", "solution"),
        Answer(
            "a user of its own, by number, and chown at COPY",
            _shelf_own_user,
            "",
            "alternative",
        ),
        Answer(
            "root at the start only: an entry point that gives its rights away",
            lambda w: _build(
                w,
                "shelf:lab",
                _SHELF.replace("USER node\n", "").replace(
                    'CMD ["node", "shelf.mjs"]',
                    'ENTRYPOINT ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]\n'
                    'CMD ["node", "shelf.mjs"]',
                ),
            ),
            "",
            "alternative",
        ),
    ],
    "users-and-health-2": [
        Answer(
            "the tag moved away",
            _report_renamed,
            "no-image",
            "wrong-name",
        ),
        Answer("exec, and no handler", _report, "signal-ignored", "works-once"),
        Answer(
            "a handler, and a shell in front of it",
            lambda w: _report(w, _ENDS, run="node report.mjs"),
            "signal-not-passed",
            "not-the-serving-object",
        ),
        Answer(
            "a handler that exits at once",
            lambda w: _report(w, 'process.on("SIGTERM", () => process.exit(0));'),
            "request-cut",
            "warned-means",
        ),
        Answer(
            "a stop signal that nobody can miss",
            lambda w: _report(w, more="STOPSIGNAL SIGKILL\n"),
            "killed",
            "symptom-hidden",
        ),
        Answer(
            "closed, but a timer keeps it",
            lambda w: _report(w, 'process.on("SIGTERM", () => server.close());'),
            "never-exits",
            "works-once",
        ),
        Answer(
            "ends as if it had failed",
            lambda w: _report(w, _ENDS.replace("exit(0)", "exit(143)")),
            "exit-code",
            "warned-means",
        ),
        Answer("no work, no wait", _report_at_once, "not-in-flight", "special-cased"),
        Answer(
            "waits a while, and goes on taking requests",
            lambda w: _report(
                w, 'process.on("SIGTERM", () => setTimeout(() => process.exit(0), 1200));'
            ),
            "later-cut",
            "works-once",
        ),
        Answer("as in the solution", lambda w: _report(w, _ENDS), "", "solution"),
        Answer(
            "another stop signal: the one that the program knows",
            lambda w: _report(w, _ENDS.replace("SIGTERM", "SIGINT"), more="STOPSIGNAL SIGINT\n"),
            "",
            "alternative",
        ),
        Answer("no script at all", _report_without_script, "", "alternative"),
        Answer(
            "a script that hands the signal on",
            lambda w: _report(
                w,
                _ENDS,
                run="node report.mjs &\nservice=$!\ntrap 'kill -TERM $service' TERM\n"
                "wait $service\nwait $service",
            ),
            "",
            "alternative",
        ),
    ],
    "users-and-health-3": [
        Answer(
            "curl forgiven",
            lambda w: _courier(w, "curl --fail --silent http://localhost:3000/ || exit 0"),
            "always-healthy",
            "symptom-hidden",
        ),
        Answer(
            "curl by its full path, which is not there either",
            lambda w: _courier(w, "/usr/bin/curl --fail http://localhost:3000/status || exit 1"),
            "tool-missing",
            "works-once",
        ),
        Answer(
            "the front door", lambda w: _courier(w, _fetch("/")), "asks-the-door", "special-cased"
        ),
        Answer(
            "the status' code, not its text",
            lambda w: _courier(w, _fetch("/status")),
            "status-not-read",
            "not-the-serving-object",
        ),
        Answer(
            "the queue asked in place of the courier",
            lambda w: _courier(
                w, _fetch("/").replace("http://127.0.0.1:3000/", "http://queue:7000/")
            ),
            "asks-the-queue-only",
            "not-the-serving-object",
        ),
        Answer(
            "no health check any more",
            lambda w: _build(
                w,
                "courier:lab",
                "FROM node:24-slim\nWORKDIR /app\nCOPY courier.mjs ./\n"
                'CMD ["node", "courier.mjs"]\n',
            ),
            "no-health-check",
            "symptom-hidden",
        ),
        Answer(
            "a parcel sent through, each second",
            lambda w: _courier_probe_file(w, _DELIVERS),
            "probe-delivers",
            "symptom-hidden",
        ),
        Answer("a courier that gives up", _courier_gives_up, "ends-instead", "symptom-hidden"),
        Answer("every 30 s", _courier_default_interval, "no-probe-yet", "stale"),
        Answer("twenty failures", _courier_many_retries, "retries-many", "stale"),
        Answer(
            "the wrong port",
            lambda w: _courier(w, _fetch("/status", _READS).replace("3000", "8080")),
            "never-healthy",
            "wrong-name",
        ),
        Answer(
            "as in the solution: the text of the status",
            lambda w: _courier(w, _fetch("/status", _READS)),
            "",
            "solution",
        ),
        Answer("a status with a code", _courier_status_503, "", "alternative"),
        Answer(
            "courier and queue asked, each by itself",
            lambda w: _courier_probe_file(w, _BOTH),
            "",
            "alternative",
        ),
    ],
    "users-and-health-4": [
        Answer(
            "a start period and Docker's interval",
            lambda w: _build(w, "atlas:lab", _atlas("--timeout=2s --retries=2")),
            "first-probe-late",
            "works-once",
        ),
        Answer(
            "no start period",
            lambda w: _build(w, "atlas:lab", _atlas("--interval=1s --timeout=2s --retries=2")),
            "unhealthy-at-start",
            "works-once",
        ),
        Answer(
            "Docker's start interval",
            lambda w: _build(
                w,
                "atlas:lab",
                _atlas("--interval=1s --timeout=2s --retries=2 --start-period=20s"),
            ),
            "healthy-late",
            "stale",
        ),
        Answer(
            "the first failure counts, and is seldom asked for",
            lambda w: _build(
                w, "atlas:lab", _atlas(f"--interval=4s --timeout=2s --retries=1 {_START}")
            ),
            "one-lost-answer",
            "warned-means",
        ),
        Answer(
            "as many retries as make the start pass",
            lambda w: _build(w, "atlas:lab", _atlas("--interval=1s --timeout=2s --retries=8")),
            "retries-many",
            "symptom-hidden",
        ),
        Answer(
            "Docker's timeout",
            lambda w: _build(w, "atlas:lab", _atlas(f"--interval=1s --retries=2 {_START}")),
            "timeout-long",
            "stale",
        ),
        Answer(
            "a quick start, a slow watch",
            lambda w: _build(
                w, "atlas:lab", _atlas(f"--interval=15s --timeout=2s --retries=2 {_START}")
            ),
            "interval-long",
            "works-once",
        ),
        Answer(
            "less time than an answer takes",
            lambda w: _build(
                w, "atlas:lab", _atlas(f"--interval=1s --timeout=100ms --retries=2 {_START}")
            ),
            "timeout-short",
            "warned-means",
        ),
        Answer(
            "a probe that always succeeds",
            lambda w: _build(
                w,
                "atlas:lab",
                _atlas(f"--interval=1s --timeout=2s --retries=2 {_START}", '["true"]'),
            ),
            "healthy-too-soon",
            "symptom-hidden",
        ),
        Answer(
            "as in the solution",
            lambda w: _build(
                w, "atlas:lab", _atlas(f"--interval=1s --timeout=2s --retries=2 {_START}")
            ),
            "",
            "solution",
        ),
        Answer(
            "the probe ends itself, Docker's timeout stays",
            _atlas_waits_itself,
            "",
            "alternative",
        ),
        Answer(
            "three failures, asked twice a second",
            lambda w: _build(
                w,
                "atlas:lab",
                _atlas(
                    "--interval=500ms --timeout=1500ms --retries=3 --start-period=60s "
                    "--start-interval=500ms"
                ),
            ),
            "",
            "alternative",
        ),
    ],
}
