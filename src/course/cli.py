"""The command `course`."""

from __future__ import annotations

import atexit
import gc
import json
import os
import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from course.core import inherited, paths, text
from course.core.errors import CourseError, from_os_error

app = typer.Typer(
    name="course",
    help="DevOps for Backend Engineers: the course's own command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
dev = typer.Typer(help="For those who write the course.", no_args_is_help=True)
app.add_typer(dev, name="dev")
bundles = typer.Typer(help="All that is needed, in one file.", no_args_is_help=True)
app.add_typer(bundles, name="bundle")

_INTERRUPTED = 130
AsJson = Annotated[bool, typer.Option("--json", help="Print for machines.")]


def _exercise_ids(incomplete: str) -> list[str]:
    from course.core import manifest

    ids = [e.id for lesson in manifest.load().lessons for e in lesson.exercises]
    return [i for i in ids if i.startswith(incomplete)]


ExerciseId = Annotated[
    str, typer.Argument(help="The exercise, e.g. containers-1.", autocompletion=_exercise_ids)
]

OrCurrent = Annotated[
    str,
    typer.Argument(
        help="The exercise, e.g. containers-1; by default the one that you began last.",
        autocompletion=_exercise_ids,
        show_default=False,
    ),
]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if debug:
        os.environ["COURSE_DEBUG"] = "1"


@app.command(epilog="Example: course up")
def up(
    lab: Annotated[bool, typer.Option("--lab", help="Open JupyterLab.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Run the first lesson, print JupyterLab's address.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start Docker, the cluster and the service orders; change nothing if they run."""
    from course import start
    from course.engine import tasks

    display = tasks.Display(machine=as_json)
    if lab:
        address = start.interactive(display)
        print(f"\nJupyterLab: {address}")
        print("What later lessons need goes on being prepared: course status")
        start.browse()
    elif headless:
        print(start.headless(display))
    else:
        start.everything(display)


@app.command(epilog="Example: course down")
def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the course's images and caches as well.")
    ] = False,
) -> None:
    """Stop JupyterLab, the cluster, the registry, and a Docker that the course started."""
    from course.engine import up as up_

    up_.down(_tell, purge=purge)
    kept = "work/ stays" if purge else "work/, images and caches stay"
    print(f"✓ down; {kept}")


@app.command(epilog="Example: course status")
def status(as_json: AsJson = False) -> None:
    """Show what runs and what is still being prepared."""
    from course import status as status_

    facts = status_.read()
    if as_json:
        print(json.dumps(facts))
        return
    for line in status_.lines(facts):
        print(line)


@app.command(epilog="Example: course doctor app --namespace course")
def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="app|FILE",
            help="`app`: look at an app in the cluster instead. With --report: the file to write.",
            show_default=False,
        ),
    ] = "",
    report: Annotated[
        bool, typer.Option("--report", help="Also write a file fit for a bug report.")
    ] = False,
    namespace: Annotated[
        str, typer.Option(help="With app: the namespace; by default your own.", show_default=False)
    ] = "",
) -> None:
    """Find what is wrong with this machine, or with an app, and the one thing to do."""
    from course.engine import doctor as doctor_

    if what == "app" and not report:
        with _environment():
            said, ok = doctor_.app(namespace)
        print(said)
        raise typer.Exit(0 if ok else 1)
    if namespace:
        raise typer.BadParameter("a namespace is for an app: course doctor app --namespace NAME")
    if what and not report:
        raise typer.BadParameter("a file is for --report: course doctor --report FILE")
    findings = doctor_.examine()
    for finding in findings:
        print(finding)
    if report:
        from course.engine.doctor import report as report_

        written = report_.write(Path(what) if what else report_.DEFAULT, findings)
        print(f"the report is in {written}: read it before you send it")
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


@app.command(name="list", epilog="Example: course list")
def list_(as_json: AsJson = False) -> None:
    """List lessons and exercises with your state."""
    from course.core import manifest
    from course.learner import hints

    rows = hints.listing(manifest.load())
    if as_json:
        print(json.dumps(rows))
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in ("", "exercise", "title", "minutes"):
        table.add_column(column)
    lesson = ""
    marks = {"passed": "✓", "started": "…", "new": "·"}
    for row in rows:
        if row["lesson"] != lesson:
            lesson = str(row["lesson"])
            table.add_row("", f"[bold]{lesson}")
        table.add_row(
            marks[str(row["state"])], str(row["id"]), str(row["title"]), str(row["minutes"])
        )
    text.console().print(table)


@app.command(epilog="Example: course check dockerfile-1 --wait 60")
def check(
    exercise: OrCurrent = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for it to become right.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Check one exercise on the running system; exit code 0 if it is right."""
    from course.exercises.kit import check as check_
    from course.learner import progress

    exercise = exercise or progress.current()
    with _environment():
        result = check_.check(exercise, wait=wait)
    print(json.dumps(result.as_dict()) if as_json else repr(result))
    if not as_json and result.state == "passed":
        print(check_.explanation(result))
    if result.state != "passed":
        raise typer.Exit(1)


@app.command(epilog="Example: course hint dockerfile-1")
def hint(exercise: OrCurrent = "") -> None:
    """Show one more hint each time."""
    from course.learner import hints, progress

    if not exercise:
        exercise = progress.current()
        print(f"{exercise}:")
    print(hints.hint(exercise))


@app.command(epilog="Example: course solution dockerfile-1")
def solution(exercise: ExerciseId) -> None:
    """Show the solution: after success, or when asked twice."""
    from course.learner import hints

    print(hints.solution(exercise))


@app.command(epilog="Example: course goto rolling-1")
def goto(exercise: ExerciseId) -> None:
    """Set an exercise's start state, from any state; what it replaces is saved first."""
    _set_start(exercise)


@app.command(epilog="Example: course reset rolling-1")
def reset(exercise: OrCurrent = "") -> None:
    """Put an exercise back to its start state; what it replaces is saved first."""
    from course.learner import progress

    _set_start(exercise or progress.current())


def _set_start(exercise: str) -> None:
    from course.exercises.kit import start as exercises_start

    with _environment():
        print(exercises_start.goto(exercise))


@app.command(epilog="Example: course update")
def update() -> None:
    """Bring new versions of the notebooks into work/; what you edited is kept."""
    from course.core import manifest
    from course.learner import notebooks

    print("\n".join(notebooks.update(manifest.load())) or "everything is up to date")


@app.command(epilog="Example: course ledger --html evidence.html")
def ledger(
    html: Annotated[
        bool, typer.Option("--html", help="Write it as a page, with pictures.")
    ] = False,
    file: Annotated[
        Path | None, typer.Argument(help="The page's file; work/ledger.html by default.")
    ] = None,
) -> None:
    """Print your own evidence, claim by claim; with --html, write it as a page."""
    from course.core import manifest
    from course.learner import ledger as ledger_

    if html:
        print(f"✓ {ledger_.write_html(manifest.load(), file)}")
    elif file is not None:
        raise CourseError(f"a file, {file}, without --html", "", f"course ledger --html {file}")
    else:
        print(ledger_.text(manifest.load()))


@app.command(epilog="Example: course env")
def env() -> None:
    """Print what a shell needs to reach the course's engine: eval "$(course env)"."""
    from course.core import environment

    wanted = inherited.settled(os.environ) | environment.environment()
    given = inherited.before()
    names = [
        name
        for name in wanted
        if name in environment.LESSON_VARIABLES or given.get(name) != wanted[name]
    ]
    for name in sorted(set(given) - set(wanted)):
        if name.isidentifier():
            print(f"unset {name}")
    for name in names:
        print(f"export {name}={shlex.quote(wanted[name])}")


@app.command(epilog="Example: course load http://orders.localhost:8080/ --rate 100 --for 10s")
def load(
    url: Annotated[str, typer.Argument(help="Where to, e.g. http://orders.localhost:8080/")],
    *,
    rate: Annotated[float, typer.Option(help="Requests per second, sent on a fixed schedule.")] = (
        500
    ),
    for_: Annotated[str, typer.Option("--for", help="How long: 30s, 2m.")] = "30s",
    keep_alive: Annotated[
        bool, typer.Option("--keep-alive", help="Use connections again, not a new one each time.")
    ] = False,
    method: Annotated[str, typer.Option(help="The HTTP method.")] = "GET",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="A header, as NAME: VALUE.")
    ] = None,
    body: Annotated[str, typer.Option(help="Sent with each request.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds that an answer may take.")] = 5,
    version_header: Annotated[
        str, typer.Option(help="The response header that tells who answered.")
    ] = "x-orders-version",
    ca: Annotated[Path | None, typer.Option(help="Trust the CAs in this file.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not verify the certificate.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send requests at a constant rate and count every answer, by version."""
    from course.measure import health, traffic
    from course.measure.traffic import console

    run = health.explaining(traffic.start)(
        url,
        rate=rate,
        seconds=console.seconds(for_),
        keep_alive=keep_alive,
        method=method,
        headers=map(console.header, header or ()),
        body=body,
        timeout=timeout,
        version_header=version_header,
        ca=ca,
        verify=not insecure,
        probe=True,
    )
    summary = console.watch(run)
    if as_json:
        print(json.dumps(summary.as_dict()))
    else:
        console.show(summary)
    console.refuse_none(run, summary)
    if summary.ended == "stopped":
        raise typer.Exit(_INTERRUPTED)


BundleFile = Annotated[Path, typer.Argument(help="The bundle's file, 2 GB or so.")]


@bundles.command(name="save", epilog="Example: course bundle save course.bundle")
def bundle_save(file: BundleFile) -> None:
    """Write tools, packages and images into one file, after `course up`."""
    from course.artifacts import bundle, fetch
    from course.engine import up as up_

    with _environment(), up_.exclusive() as runner:
        saved = bundle.save(file, _tell, runner=runner)
        sha256 = fetch.digest(saved)
    print(f"✓ {saved}: {saved.stat().st_size / 1e9:.1f} GB, SHA-256:\n{sha256}")
    print("Carry it by another way than the file; there, where root loads it, give it:")
    print(f"  make start BUNDLE={saved.name} BUNDLE_SHA256={sha256}")


@bundles.command(name="load", epilog="Example: course bundle load course.bundle")
def bundle_load(
    file: BundleFile,
    sha256: Annotated[
        str, typer.Option(help="Its SHA-256, as `course bundle save` printed it.")
    ] = "",
) -> None:
    """Verify a bundle and put its parts where `course up` finds them."""
    from course.artifacts import bundle
    from course.engine import up as up_

    with up_.exclusive():
        loaded = bundle.load(file, _tell, sha256)
    for part in loaded.unused:
        print(f"· {part} is for another system or version of the course, and is not used")
    for what in loaded.lacking:
        print(f"· {what} is not in the bundle: it has to be here, or its source in reach")
    print(f"✓ {file}: {loaded.new} new parts; now: make start")


def _tell(what: str, _: float | None) -> None:
    print(f"… {what}", file=sys.stderr)


@dev.command(epilog="Example: course dev build")
def build() -> None:
    """Write notebooks/, labs/, solutions/ and what else is generated."""
    from course.dev import build as build_

    for path in build_.write(paths.ROOT):
        print(f"wrote {path}")


@dev.command(name="check", epilog="Example: course dev check")
def dev_check() -> None:
    """Check the sources of the course, without an engine."""
    from course.dev import check as dev_check

    problems = dev_check.problems(paths.ROOT)
    for problem in problems:
        print(f"✗ {problem}")
    if problems:
        raise typer.Exit(1)
    print(dev_check.seconds(paths.ROOT))
    print("✓ the sources and what is generated from them agree")


@dev.command(epilog="Example: course dev test")
def test(
    everything: Annotated[
        bool, typer.Option("--all", help="Prove it anew: all answers, notebooks twice, faults.")
    ] = False,
    lesson: Annotated[
        str, typer.Option(help="With --all: one lesson, or cluster, browser, faults, road.")
    ] = "",
) -> None:
    """Run the tests that need no engine, then prove on one what has no proof."""
    from course.core import manifest
    from course.dev import suite

    if lesson and not everything:
        raise typer.BadParameter("--lesson is for --all: course dev test --all --lesson NAME")
    if lesson and lesson not in suite.names(manifest.load()):
        raise typer.BadParameter(f"one of: {', '.join(suite.names(manifest.load()))}")
    suite.run(everything=everything, lesson=lesson)


@dev.command(epilog="Example: course dev proofs")
def proofs(
    save: Annotated[
        bool, typer.Option("--save", help="Write bench/proofs.json, with what passed here.")
    ] = False,
    why: Annotated[
        str, typer.Option(help="Show what goes into the fingerprint of things of this name.")
    ] = "",
) -> None:
    """List what has passed on an engine as it is now, and what has not."""
    from course.dev import proven

    lines = proven.save() if save else proven.why(why) if why else proven.listing()
    for line in lines:
        print(line)


@dev.command(epilog="Example: course dev messages")
def messages() -> None:
    """Write what each exercise says of the facts in tests/messages/; read the diff."""
    from course.dev import messages

    for path in messages.write(paths.ROOT):
        print(f"written {path}")


@dev.command(epilog="Example: course dev new containers 'The image holds no shell'")
def new(
    topic: Annotated[str, typer.Argument(help="The lesson's topic, e.g. containers.")],
    title: Annotated[str, typer.Argument(help="What is true at the end.")],
) -> None:
    """Add an exercise to a lesson: its five places, each a stub that `dev check` refuses."""
    from course.dev import scaffold

    for path in scaffold.exercise(paths.ROOT, topic, title):
        print(f"edit {path}")


class _environment:  # noqa: N801 - read as a function
    """The engine's variables for what runs inside."""

    def __enter__(self) -> None:
        from course.core import environment

        environment.apply()

    def __exit__(self, *_: object) -> None:
        """Nothing to undo: the process ends with the command."""


def main() -> None:
    """Run the command; an error is one clear message, Ctrl-C one line."""
    # A command makes some 100,000 objects, most by imports, and keeps them to its end: looking for
    # garbage among them, in between and on the way out, is a tenth of a second of each.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    text.plain_where_needed(sys.stdout, sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    words = " ".join(["course", *sys.argv[1:]])
    try:
        inherited.settle()
        # Not standalone: typer gives the exit code back, 130 for Ctrl-C.
        code = app(standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except (CourseError, OSError) as error:
        _debug()
        said = from_os_error(error) if isinstance(error, OSError) else error
        print(f"✗ {words}\n  " + str(said).replace("\n", "\n  "), file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        _debug()
        usage = getattr(error, "format_message", None)
        if usage is not None:
            print(f"✗ {words}\n  {usage()}\n  try:  course --help", file=sys.stderr)
            sys.exit(2)
        print(
            f"✗ {words}\n  saw:  a fault of the course itself: {type(error).__name__}: {error}\n"
            "  try:  course --debug … shows where; please report it",
            file=sys.stderr,
        )
        sys.exit(1)
    if code == _INTERRUPTED:
        print(f"\nstopped; nothing is lost. To go on: {words}", file=sys.stderr)
    sys.exit(code)


def _debug() -> None:
    if os.environ.get("COURSE_DEBUG") == "1":
        traceback.print_exc()


if __name__ == "__main__":
    main()
