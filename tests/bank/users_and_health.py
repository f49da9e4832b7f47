"""Answers to the exercises of 04-users-and-health."""

from __future__ import annotations

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
    solution,
    stale,
    sub,
    symptom_hidden,
    unchanged,
    warned_means,
    works_once,
    wrong_name,
)

_SHELF = 'CMD ["node", "shelf.mjs"]'
_OWNS = " && chown node:node /var/lib/shelf"
_DROPS = "exec setpriv --reuid=1000 --regid=1000 --clear-groups node shelf.mjs"
_FIRST = f'CMD if [ -z "$(ls /var/lib/shelf)" ]; then {_DROPS}; else exec node shelf.mjs; fi'
_GIVES = "process.setgroups([]);\nprocess.setgid(1000);\nprocess.setuid(1000);\n"
_STRANGER = """\
const shelf = "/var/lib/shelf";
const { hostname } = await import("node:os");
const { chownSync } = await import("node:fs");
const uid = 20_000 + (parseInt(hostname().slice(0, 8), 16) % 30_000);
process.umask(0o077);
chownSync(shelf, uid, uid);
process.setgroups([]);
process.setgid(uid);
process.setuid(uid);
"""

_EXEC = "exec node report.mjs"
_CLOSES = "server.close(() => process.exit(0));"
_IDLE = "  setInterval(() => server.closeIdleConnections(), 100);\n"
_UNASKED = "  for (const socket of unasked) socket.destroy();\n"
_HANDLER = f'process.on("SIGTERM", () => {{\n  {_CLOSES}\n{_IDLE}{_UNASKED}}});\n'
_FIRST_ENDS = """\
server.on("request", (_, response) => {
  response.on("close", () => stops && setTimeout(() => process.exit(0), 50));
});
"""
_SAYS_NO = """\
  if (stops) {
    response.statusCode = 503;
    return response.end("report ends\\n");
  }
"""
_HURRY = "const hurry = new AbortController();\n"
_HURRIED = "sleep(1000, 0, { signal: hurry.signal }).catch(() => {})"
_STOPS = "let stops = false;\nconst server ="
_FOR_A_WHILE = "stops = true;\n  setTimeout(() => process.exit(0), 1500);"
_CTRL_C = 'process.on("SIGINT", () => {\n  console.log("bye");\n  process.exit(0);\n});\n'
_WORKS = '  response.write("working\\n");\n'
_ON = "node report.mjs &\nservice=$!\ntrap 'kill -TERM $service' TERM\nwait $service\nwait $service"

_COURIER = 'CMD ["node", "courier.mjs"]'
_TIMES = "--interval=1s --timeout=3s --retries=2"
_PROBE = 'CMD ["node", "health.mjs"]'
_ASKS = 'const answer = await fetch("http://127.0.0.1:3000/status");\n'
_READS = """\
const status = await answer.json();
console.log(status.queue);
process.exit(status.queue === "up" ? 0 : 1);
"""
_OK = "process.exit(answer.ok ? 0 : 1);\n"
_AGE = """\
const { readFileSync } = await import("node:fs");
const up = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
const ticks = Number(readFileSync("/proc/1/stat", "utf8").split(" ")[21]);
const age = up - ticks / 100;
"""
_HANDS = 'const taken = await handOver("POST", parcel);'
_PROMISES = 'const given = handOver("POST", parcel);\n    const taken = well || (await given);'
_REMEMBERED = (
    'Date.now() - asked < 8000 || ((await handOver("GET")) && Boolean((asked = Date.now())))'
)
_NAMED = 'await (await import("node:dns/promises")).lookup("queue");\n'
_WATCHES = """\
cat >> users-and-health-3/courier.mjs <<'END'
const { rm, writeFile } = await import("node:fs/promises");
for (;;) {
  if (await handOver("GET")) await writeFile("/tmp/well", "");
  else await rm("/tmp/well", { force: true });
  await new Promise((resolve) => setTimeout(resolve, 500));
}
END"""
_FRESH = """\
const { statSync } = await import("node:fs");
const well = statSync("/tmp/well", { throwIfNoEntry: false });
process.exit(Date.now() - (well?.mtimeMs ?? 0) < 2500 ? 0 : 1);
"""
_BOTH = """\
const asked = ["http://127.0.0.1:3000/", "http://queue:7000/"].map((url) => fetch(url));
const answer = { ok: (await Promise.all(asked)).every((one) => one.ok) };
"""

_ATLAS = 'CMD ["node", "atlas.mjs"]'
_START = " --start-period=20s --start-interval=1s"
_NUMBERS = f"--interval=1s --timeout=2s --retries=2{_START}"
_AS_FUNCTION = (  # the probe as a function, which gives up after a second
    in_file("health.sh", "exec 3<>", "ask() {\nexec 3<>"),
    in_file("health.sh", "|| exit 1", "|| return 1"),
    in_file("health.sh", "read -r _", "read -r -t 1 _"),
    in_file("health.sh", '[ "$status" = 200 ]', '[ "$status" = 200 ]\n}\nask'),
)
_WAITS = "until ask; do sleep 0.2; done"
_WAITS_ONCE = f"[ -e loaded ] && {{ ask; exit; }}\n{_WAITS}\ntouch loaded"
_IN_NODE = """\
cat > users-and-health-4/health.mjs <<'END'
const answer = await fetch("http://127.0.0.1:3000/health").catch(() => ({ ok: false }));
process.exit(answer.ok ? 0 : 1);
END"""

CANNOT: dict[str, dict[str, str]] = {
    "users-and-health-1": {
        "from-elsewhere": "what is put has to be in the volume that the check gives",
    },
    "users-and-health-2": {
        "from-elsewhere": "what ends is the container that the check stops",
    },
    "users-and-health-4": {"forged": "health is Docker's own record of what a probe ended with"},
}
"""Why an exercise has no wrong answer of a kind."""

BANK: dict[str, list[Answer]] = {
    "users-and-health-1": [
        not_the_serving_object(
            "built under another tag; the lab's is root's still",
            "root-changes-mount",
            sub("--tag shelf:lab", "--tag shelf:fixed"),
        ),
        symptom_hidden(
            "the error swallowed",
            "not-kept",
            in_file(
                "shelf.mjs", "Buffer.concat(parts));", "Buffer.concat(parts)).catch(() => {});"
            ),
            sub(_OWNS, ""),
        ),
        warned_means("a user, and a folder that is root's", "cannot-write", sub(_OWNS, "")),
        warned_means(
            "everything given to the user",
            "owns-its-program",
            sub("COPY shelf.mjs", "COPY --chown=node:node shelf.mjs"),
        ),
        not_the_serving_object(
            "su, which stays root",
            "root-in-front",
            sub("USER node\n", ""),
            sub(_SHELF, "CMD su node -c 'node shelf.mjs'"),
        ),
        wrong_name(
            "a user that the image does not have", "cannot-start", sub("USER node", "USER shelf")
        ),
        fits_the_probe(
            "the hole closed, root kept",
            "still-root",
            in_file("shelf.mjs", "decodeURIComponent(", "("),
            sub("USER node\n", ""),
        ),
        forged(
            "root that calls itself node, and may return",
            "still-root",
            in_file(
                "shelf.mjs", "createServer(async", 'process.seteuid("node");\ncreateServer(async'
            ),
            sub("USER node\n", ""),
        ),
        works_once(
            "root gives its rights away while the shelf is empty",
            "root-changes-mount",
            sub("USER node\n", ""),
            sub(_SHELF, _FIRST),
        ),
        feature_gone(
            "a file that is not there is answered with 200",
            "wrong-answer",
            in_file("shelf.mjs", "? 404", "? 200"),
        ),
        nearly(
            "a program that is read-only, and the user's",
            "owns-its-program",
            sub("COPY shelf.mjs", "COPY --chown=node:node --chmod=0444 shelf.mjs"),
        ),
        nearly(
            "a program in a folder of root's, in the user's home",
            "owns-its-program",
            sub("WORKDIR /app", "WORKDIR /home/node/app"),
        ),
        works_once(
            "another user in each container, the files its own",
            "cannot-write",
            in_file("shelf.mjs", 'const shelf = "/var/lib/shelf";\n', _STRANGER),
            sub(f"{_OWNS}\nUSER node", ""),
        ),
        works_once(
            "a shelf that is emptied at each start",
            "file-lost",
            sub(_SHELF, "CMD rm -f /var/lib/shelf/* && exec node shelf.mjs"),
        ),
        nearly(
            "a number that the image does not know: its group is root's",
            "in-roots-group",
            sub("chown node:node", "chown 4711"),
            sub("USER node", "USER 4711"),
        ),
        nearly(
            "a user that is in root's group as well",
            "in-roots-group",
            sub(_OWNS, f"{_OWNS} && usermod --append --groups root node"),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "a user of its own, by number, and chown at COPY",
            before("mkdir users-and-health-1/empty && touch users-and-health-1/empty/.keep"),
            sub(
                f"RUN mkdir /var/lib/shelf{_OWNS}\nUSER node",
                "RUN useradd --uid 4711 --no-create-home shelf\n"
                "COPY --chown=4711:4711 empty/ /var/lib/shelf/\nUSER 4711",
            ),
        ),
        alternative(
            "root at the start only: an entry point that gives its rights away",
            sub("USER node\n", ""),
            sub(_SHELF, f"CMD {_DROPS}"),
        ),
        alternative(
            "root at the start only: the program itself gives its rights away",
            in_file("shelf.mjs", "createServer(async", f"{_GIVES}createServer(async"),
            sub("USER node\n", ""),
        ),
        alternative(
            "root at the start only: it gives the whole volume to its user",
            sub("USER node\n", ""),
            sub(_SHELF, f"CMD chown -R node:node /var/lib/shelf && {_DROPS}"),
        ),
        alternative(
            "a number without a name, and the program by its full path",
            sub(
                f"WORKDIR /app\nCOPY shelf.mjs ./\nRUN mkdir /var/lib/shelf{_OWNS}\nUSER node",
                "COPY --chmod=0444 shelf.mjs /srv/shelf.mjs\n"
                "RUN install -d -o 20001 -g 20001 -m 700 /var/lib/shelf\nUSER 20001:20001",
            ),
            sub(_SHELF, 'ENTRYPOINT ["node"]\nCMD ["/srv/shelf.mjs"]'),
        ),
        alternative(
            "a volume that the image names, its folder made by install",
            sub(f"mkdir /var/lib/shelf{_OWNS}", "install --directory --owner node /var/lib/shelf"),
            sub("USER node", "VOLUME /var/lib/shelf\nUSER 1000:1000"),
        ),
    ],
    "users-and-health-2": [
        not_the_serving_object(
            "a handler, and a shell in front of it",
            "signal-not-passed",
            sub(_EXEC, "node report.mjs"),
        ),
        wrong_name(
            "the tag moved away",
            "no-image",
            after("docker tag report:lab report:fixed && docker image rm report:lab"),
        ),
        nearly("exec, and no handler", "signal-ignored", sub(_HANDLER, "")),
        nearly(
            "the lesson's handler: a kept connection holds it", "connection-kept", sub(_IDLE, "")
        ),
        nearly(
            "a kept connection holds it for 3 s",
            "connection-kept",
            sub(_IDLE, "  server.keepAliveTimeout = 2500;\n"),
        ),
        nearly(
            "a connection on which nothing was asked holds it", "silent-client", sub(_UNASKED, "")
        ),
        nearly(
            "whatever is open after 0.8 s is cut",
            "request-cut",
            sub(_UNASKED, f"{_UNASKED}  setTimeout(() => server.closeAllConnections(), 800);\n"),
        ),
        nearly(
            "the first open report ends it, not the last",
            "request-cut",
            in_file("report.mjs", "const server =", _STOPS),
            sub(_HANDLER, f"{_FIRST_ENDS}{_HANDLER.replace(_CLOSES, 'stops = true;')}"),
        ),
        forged(
            "a script that ends with 0 for it, two seconds later",
            "later-cut",
            sub(_EXEC, "trap 'sleep 2; exit 0' TERM\nnode report.mjs &\nwait"),
        ),
        feature_gone(
            "open reports are hurried at the stop",
            "report-hurried",
            in_file("report.mjs", "const server =", f"{_HURRY}const server ="),
            in_file("report.mjs", "sleep(1000)", _HURRIED),
            sub(_CLOSES, f"hurry.abort();\n  {_CLOSES}"),
        ),
        warned_means(
            "a handler that exits at once", "request-cut", sub(_CLOSES, "process.exit(0);")
        ),
        warned_means("ends as if it had failed", "exit-code", sub("exit(0)", "exit(143)")),
        symptom_hidden(
            "a stop signal that nobody can miss",
            "killed",
            before("echo 'STOPSIGNAL SIGKILL' >> users-and-health-2/Dockerfile"),
        ),
        symptom_hidden(
            "closed, but a timer keeps it", "never-exits", sub(_CLOSES, "server.close();")
        ),
        fits_the_probe(
            "waits a while, and goes on taking requests",
            "later-cut",
            sub(_CLOSES, "setTimeout(() => process.exit(0), 1200);"),
            sub(_IDLE, ""),
        ),
        forged(
            "a script that ends with 0 for it",
            "request-cut",
            sub(_EXEC, "trap 'exit 0' TERM\nnode report.mjs &\nwait $!"),
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_EXEC, f"set -eC\necho $$ > report.pid\n{_EXEC}"),
        ),
        feature_gone(
            "no work, no wait", "not-in-flight", in_file("report.mjs", "  await sleep(1000);\n", "")
        ),
        feature_gone("another currency", "wrong-answer", sub(":-CHF", ":-EUR")),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "another stop signal: the one that the program knows",
            in_file("report.mjs", _CTRL_C, ""),
            before("echo 'STOPSIGNAL SIGINT' >> users-and-health-2/Dockerfile"),
            sub("SIGTERM", "SIGINT"),
        ),
        alternative(
            "no script at all",
            in_file(
                "Dockerfile",
                'CMD ["./start.sh"]',
                'ENV REPORT_CURRENCY=CHF\nENTRYPOINT ["node", "report.mjs"]',
            ),
        ),
        alternative("a script that hands the signal on", sub(_EXEC, _ON)),
        alternative(
            "a status of 503 for whoever comes later",
            in_file("report.mjs", "const server =", _STOPS),
            in_file("report.mjs", "  const { pathname", f"{_SAYS_NO}  const {{ pathname"),
            sub(_CLOSES, _FOR_A_WHILE),
            sub(f"{_IDLE}{_UNASKED}", ""),
        ),
        alternative(
            "a limit for whoever is left",
            sub(_UNASKED, "  setTimeout(() => process.exit(0), 2000);\n"),
        ),
        alternative(
            "each answer says that its connection closes",
            in_file(
                "report.mjs", _WORKS, f'  response.setHeader("Connection", "close");\n{_WORKS}'
            ),
            sub(_IDLE, ""),
        ),
    ],
    "users-and-health-3": [
        not_the_serving_object(
            "the status' code, not its text", "status-not-read", sub(_READS, _OK)
        ),
        symptom_hidden(
            "curl forgiven",
            "always-healthy",
            sub(_PROBE, "CMD curl --fail --silent http://localhost:3000/ || exit 0"),
        ),
        wrong_name(
            "curl by its full path, which is not there either",
            "tool-missing",
            sub(_PROBE, "CMD /usr/bin/curl --fail http://localhost:3000/status || exit 1"),
        ),
        symptom_hidden("the front door", "asks-the-door", sub("/status", "/"), sub(_READS, _OK)),
        not_the_serving_object(
            "the queue asked in place of the courier",
            "asks-the-queue-only",
            sub("127.0.0.1:3000/status", "queue:7000/"),
            sub(_READS, _OK),
        ),
        symptom_hidden(
            "no health check any more",
            "no-health-check",
            sub(f"HEALTHCHECK {_TIMES} {_PROBE}\n", ""),
        ),
        warned_means(
            "a parcel sent through, each second",
            "probe-delivers",
            sub('/status")', '/parcels", { method: "POST" })'),
            sub(_READS, _OK),
        ),
        symptom_hidden(
            "a courier that gives up",
            "ends-instead",
            in_file(
                "courier.mjs",
                'handOver("GET");',
                'handOver("GET");\n    reached || process.exit(1);',
            ),
        ),
        stale("every 30 s", "no-probe-yet", sub("--interval=1s ", "")),
        symptom_hidden("twenty failures", "retries-many", sub("--retries=2", "--retries=20")),
        wrong_name("the wrong port", "never-healthy", sub("3000/status", "8080/status")),
        fits_the_probe(
            "the queue's name looked up, and the door asked",
            "asks-the-door",
            sub(_ASKS, _NAMED + _ASKS.replace("/status", "/")),
            sub(_READS, _OK),
        ),
        fits_the_probe(
            "a courier that is well for its first twelve seconds",
            "status-not-read",
            sub(_ASKS, f"{_AGE}{_ASKS}"),
            sub(_READS, "process.exit(age < 12 ? 0 : 1);\n"),
        ),
        from_elsewhere(
            "a queue that only this machine has",
            "no-parcels",
            sub(_COURIER, f"ENV QUEUE_URL=http://172.17.0.1:7000\n{_COURIER}"),
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_COURIER, "CMD set -C; echo $$ > courier.pid && exec node courier.mjs"),
        ),
        feature_gone(
            "parcels are answered with 202 and handed to nobody",
            "parcel-lost",
            in_file("courier.mjs", 'await handOver("POST", parcel)', "true"),
        ),
        forged(
            "a parcel taken on the last probe's word",
            "parcel-lost",
            in_file("courier.mjs", "createServer(async", "let well = false;\n\ncreateServer(async"),
            in_file("courier.mjs", _HANDS, _PROMISES),
            in_file("courier.mjs", '= await handOver("GET");', '= (well = await handOver("GET"));'),
        ),
        works_once(
            "a lock in the container's files",
            "crashes",
            sub(_COURIER, "CMD mkdir /tmp/courier.lock && exec node courier.mjs"),
        ),
        fits_the_probe(
            "a courier that asks its queue each 8 s",
            "stale-status",
            in_file("courier.mjs", "createServer(async", "let asked = 0;\n\ncreateServer(async"),
            in_file("courier.mjs", '= await handOver("GET");', f"= {_REMEMBERED};"),
        ),
        nearly(
            "three failures, two seconds apart",
            "retries-many",
            sub(_TIMES, "--interval=2s --timeout=3s --retries=3"),
        ),
        nearly(
            "asked every seven seconds",
            "no-probe-yet",
            sub(_TIMES, "--interval=7s --timeout=3s --retries=1"),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "a status with a code",
            in_file(
                "courier.mjs",
                "return response.end(JSON",
                "response.statusCode = reached ? 200 : 503;\n    return response.end(JSON",
            ),
            sub(_READS, _OK),
        ),
        alternative("courier and queue asked, each by itself", sub(_ASKS, _BOTH), sub(_READS, _OK)),
        alternative(
            "the courier's own watch, and a file that must be fresh",
            before(_WATCHES),
            sub(_ASKS, _FRESH),
            sub(_READS, ""),
        ),
        alternative(
            "one failure is enough, two seconds apart",
            sub(_TIMES, "--interval=2s --timeout=2s --retries=1"),
        ),
    ],
    "users-and-health-4": [
        stale("Docker's timeout", "timeout-long", sub("--timeout=2s ", "")),
        stale("Docker's interval", "first-probe-late", sub(_NUMBERS, "--timeout=2s --retries=2")),
        warned_means("no start period", "unhealthy-at-start", sub(_START, "")),
        stale("Docker's start interval", "healthy-late", sub(" --start-interval=1s", "")),
        warned_means(
            "the first failure counts", "one-lost-answer", sub("--retries=2", "--retries=1")
        ),
        symptom_hidden("eight failures", "retries-many", sub("--retries=2", "--retries=8")),
        stale(
            "a quick start, a slow watch", "interval-long", sub("--interval=1s", "--interval=15s")
        ),
        warned_means(
            "less time than an answer takes",
            "timeout-short",
            sub("--timeout=2s", "--timeout=100ms"),
        ),
        symptom_hidden(
            "a probe that always succeeds",
            "healthy-too-soon",
            sub('CMD ["bash", "health.sh"]', 'CMD ["true"]'),
        ),
        fits_the_probe(
            "as many retries as make one start pass",
            "unhealthy-at-start",
            sub(f"--retries=2{_START}", "--retries=8"),
        ),
        from_elsewhere(
            "an atlas asked that only this machine has",
            "healthy-late",
            in_file("health.sh", "127.0.0.1", "172.17.0.1"),
        ),
        works_once(
            "a probe that remembers a good answer",
            "hang-not-seen",
            in_file("health.sh", "exec 3<>", "[ -e well ] && exit 0\nexec 3<>"),
            in_file("health.sh", '[ "$status" = 200 ]', '[ "$status" = 200 ] && touch well'),
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_ATLAS, "CMD set -C; echo $$ > atlas.pid && exec node atlas.mjs"),
        ),
        feature_gone(
            "an atlas that loads no maps",
            "loads-nothing",
            in_file("atlas.mjs", "Date.now() - began >= loads", "true"),
        ),
        works_once(
            "a probe that waits for the maps at the first start only",
            "unhealthy-at-start",
            *_AS_FUNCTION,
            in_file("health.sh", "}\nask", f"}}\n{_WAITS_ONCE}"),
            sub(_NUMBERS, "--interval=1500ms --timeout=10s --retries=2"),
        ),
        feature_gone(
            "an image that has atlas load for a second and a half",
            "loads-less",
            sub(_ATLAS, f"ENV LOADS_MS=1500\n{_ATLAS}"),
        ),
        nearly("a start period of 5 s", "unhealthy-at-start", sub("period=20s", "period=5s")),
        nearly("three failures: 9 s", "retries-many", sub("--retries=2", "--retries=3")),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "the probe ends itself, Docker's timeout stays",
            in_file("health.sh", "read -r", "read -r -t 2"),
            sub("--timeout=2s ", ""),
        ),
        alternative(
            "three failures, asked twice a second",
            sub(
                _NUMBERS,
                "--interval=500ms --timeout=1500ms --retries=3 --start-period=60s "
                "--start-interval=500ms",
            ),
        ),
        alternative(
            "a probe that waits for the maps itself, at each start",
            *_AS_FUNCTION,
            in_file("health.sh", "}\nask", f"}}\n{_WAITS}"),
            sub(_NUMBERS, "--interval=1s --timeout=6500ms --retries=1"),
        ),
        alternative(
            "a probe that asks twice",
            *_AS_FUNCTION,
            in_file("health.sh", "}\nask", "}\nask || ask"),
            sub("--timeout=2s --retries=2", "--timeout=5s --retries=1"),
        ),
        alternative(
            "just within 8 s",
            sub(
                _NUMBERS,
                "--interval=2s --timeout=2s --retries=2 --start-period=10s --start-interval=2s",
            ),
        ),
        alternative(
            "a probe in node",
            before(_IN_NODE),
            sub("health.sh ./", "health.mjs ./"),
            sub('"bash", "health.sh"', '"node", "health.mjs"'),
        ),
    ],
}
