"""A fingerprint changes with what can change a run, and with nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from course.core import manifest, paths
from course.core.errors import CourseError
from course.dev.fingerprint import Conditions, fingerprint, forget, parts
from course.dev.things import Kind, Thing, things

HERE = Conditions("kind", "containerd", "v1.36.4")
FOLDERS = ("src", "tests", "notebooks", "labs", "solutions", "airgap", "apps/orders")
STEMS = ("01-containers", "02-dockerfile", "03-slim-images", "04-users-and-health", "11-rolling")
Edit = Callable[[str], str]


@dataclass
class Clone:
    """A copy of what of the clone is fingerprinted.

    Args:
        root: its folder.
    """

    root: Path
    things: list[Thing] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)

    def copied(self) -> Clone:
        """Fill it: all things but most answers, of which each exercise keeps its solution's."""
        left_out = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
        for name in FOLDERS:
            shutil.copytree(paths.ROOT / name, self.root / name, ignore=left_out)
        for name in ("course.toml", "uv.lock"):
            shutil.copy(paths.ROOT / name, self.root / name)
        found = things(self.root, manifest.load(self.root / "course.toml"))
        self.things = [
            thing
            for thing in found
            if thing.kind is not Kind.ANSWER or thing.name.endswith("as in the solution")
        ]
        self.before = self.now()
        return self

    def now(self) -> dict[str, str]:
        """Name → fingerprint."""
        forget()
        return {
            f"{thing.kind} {thing.name}": fingerprint(thing, self.root, HERE)
            for thing in self.things
        }

    def changed(self, path: str, edit: Edit) -> set[str]:
        """The things whose fingerprint an edit of a file changes; it is put back."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        try:
            edited = edit(text)
            assert edited != text
            file.write_text(edited, encoding="utf-8")
            now = self.now()
        finally:
            file.write_text(text, encoding="utf-8")
            forget()
        return {name for name in now if now[name] != self.before[name]}

    def thing(self, name: str) -> Thing:
        """The thing of this name, e.g. `lesson 11-rolling`."""
        return next(thing for thing in self.things if f"{thing.kind} {thing.name}" == name)

    def parts(self, name: str) -> set[str]:
        """The names of what goes into a thing."""
        forget()
        return set(parts(self.thing(name), self.root, HERE))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    yield Clone(tmp_path_factory.mktemp("clone")).copied()
    forget()


def more(text: str) -> str:
    """One more statement."""
    return f"{text}\n_MORE = 1\n"


def swap(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new, 1)


def of_topic(names: set[str], topic: str) -> set[str]:
    return {name for name in names if topic in name}


def lessons(names: set[str]) -> set[str]:
    return {name.removeprefix("lesson ") for name in names if name.startswith("lesson ")}


@pytest.mark.parametrize("module", ["rolling", "stuck_release"])
def test_an_exercises_module_changes_its_own_lesson_and_none_of_part_1(
    clone: Clone, module: str
) -> None:
    changed = clone.changed(f"src/course/exercises/{module}.py", more)
    expected = {"solution 11-rolling", "lab 11-rolling", "cluster tests/cluster/test_shop.py"}
    answers = {name for name in clone.before if name.startswith("answer rolling-")}
    assert len(answers) >= 4 and changed == expected | answers


@pytest.mark.parametrize(
    "edit",
    [
        swap("Do not build again", "Build no more"),
        swap("minutes = 10", "minutes = 11"),
        lambda text: re.sub(r"(?m)^test_seconds = .*\n", "", text).replace(
            "minutes = 40", "minutes = 40\ntest_seconds = { lesson = 1, solution = 2 }"
        ),
        swap('title = "The slug', 'test_seconds = 9\ntitle = "The slug'),
        swap("# The course as data.", "# The course, as data."),
    ],
)
def test_hints_minutes_and_seconds_change_nothing(clone: Clone, edit: Edit) -> None:
    assert clone.changed("course.toml", edit) == set()


def test_an_exercises_title_changes_what_names_the_exercise(clone: Clone) -> None:
    changed = clone.changed("course.toml", swap("The slug service runs", "The service runs"))
    assert {"solution 01-containers", "lab 01-containers"} <= changed
    assert "answer containers-1: as in the solution" in changed
    assert "answer containers-2: as in the solution" not in changed
    assert "lesson 01-containers" not in changed and not of_topic(changed, "11-rolling")


def test_an_answer_that_is_made_of_the_solution_is_made_of_its_cells(clone: Clone) -> None:
    node = "solutions/01-containers.ipynb: containers-2"
    assert node in clone.parts("answer containers-2: as in the solution")
    assert node not in clone.parts("answer containers-1: as in the solution")
    edit = swap("COPY rates/rates.json ./data/rates.json", "COPY rates ./data")
    changed = clone.changed("solutions/01-containers.ipynb", edit)
    assert changed >= {"solution 01-containers", "answer containers-2: as in the solution"}
    assert "answer containers-1: as in the solution" not in changed


def test_start_files_of_an_exercise_belong_to_it(clone: Clone) -> None:
    file = "src/course/exercises/files/rolling-1/shop.yaml"
    changed = clone.changed(file, lambda text: text + "# more\n")
    assert {"solution 11-rolling", "answer rolling-1: as in the solution"} <= changed
    assert "answer rolling-2: as in the solution" not in changed


def test_so_does_what_is_only_for_its_check(clone: Clone) -> None:
    file = "src/course/exercises/files/slim-images-3.runtime/Dockerfile"
    changed = clone.changed(file, lambda text: text + "# more\n")
    assert {"solution 03-slim-images", "answer slim-images-3: as in the solution"} <= changed
    assert "answer slim-images-1: as in the solution" not in changed
    assert not of_topic(changed, "02-dockerfile")


def test_the_service_changes_the_lessons_that_build_it(clone: Clone) -> None:
    changed = clone.changed("apps/orders/src/app.ts", lambda text: text + "// more\n")
    assert lessons(changed) == {"02-dockerfile", "03-slim-images", "11-rolling"}
    assert not of_topic(changed, "01-containers") and not of_topic(changed, "04-users-and-health")


def test_a_module_of_the_face_changes_those_who_use_its_name(clone: Clone) -> None:
    assert lessons(clone.changed("src/course/measure/release.py", more)) == {"11-rolling"}
    assert lessons(clone.changed("src/course/views/layer_plots.py", more)) == {"03-slim-images"}
    assert lessons(clone.changed("src/course/notebook.py", more)) == set(STEMS)


def test_another_name_of_the_face_changes_nothing(clone: Clone) -> None:
    table = swap(
        '"check": "course.exercises.kit.check",',
        '"check": "course.exercises.kit.check",\n    "x": "course.views.images",',
    )
    assert clone.changed("src/course/__init__.py", table) == set()
    code = swap("import lazy", "import lazy as lazy")
    assert len(clone.changed("src/course/__init__.py", code)) == len(clone.things)


def test_a_module_that_is_started_by_its_name_counts(clone: Clone) -> None:
    changed = clone.changed("src/course/measure/traffic/worker.py", more)
    assert lessons(changed) == {"11-rolling"}
    assert "browser tests/browser/test_widgets.py" in changed


def test_front_ends_and_styles_change_what_shows_them(clone: Clone) -> None:
    script = clone.changed("src/course/views/widgets/front/timeline.js", lambda text: text + "//\n")
    style = clone.changed("src/course/views/widgets/front/common.css", lambda text: text + "/**/\n")
    assert script == style and lessons(script) == {"11-rolling"}
    form = clone.changed("src/course/views/predict.css", lambda text: text + "/**/\n")
    assert lessons(form) == set(STEMS)


def test_a_lessons_add_ons_are_those_of_what_it_needs(clone: Clone) -> None:
    changed = clone.changed("src/course/engine/addons/traefik.yaml", lambda text: text + "# more\n")
    assert lessons(changed) == {"01-containers", "04-users-and-health", "11-rolling"}
    assert "src/course/engine/addons/orders.py" not in clone.parts("lesson 01-containers")
    needs = swap('needs = ["containers", "cluster"]', 'needs = ["containers", "orders"]')
    text = (clone.root / "course.toml").read_text(encoding="utf-8")
    (clone.root / "course.toml").write_text(needs(text), encoding="utf-8")
    try:
        found = clone.parts("lesson 01-containers")
    finally:
        (clone.root / "course.toml").write_text(text, encoding="utf-8")
    assert {"src/course/engine/addons/orders.py", "apps/orders"} <= found
    assert "src/course/engine/addons/traefik.yaml" not in found


def test_a_recipe_changes_what_names_its_image_or_one_on_top_of_it(clone: Clone) -> None:
    node20 = clone.changed(
        "airgap/images/images.toml", swap('NODE_VERSION = "20.20.2"', 'NODE_VERSION = "20.20.3"')
    )
    assert lessons(node20) == {"02-dockerfile", "03-slim-images"}
    below = clone.changed("airgap/images/debian/Dockerfile", lambda text: text + "# more\n")
    assert lessons(below) == set(STEMS)


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("airgap/images/images.toml", swap("a moving tag", "a tag that moves")),
        ("airgap/go/tools.toml", swap("seconds = 168", "seconds = 167")),
        (
            "airgap/images/images.toml",
            lambda text: re.sub(
                r'(?m)^recipe = "debian"\n(cost = .*\n)?', 'recipe = "debian"\ncost = 999\n', text
            ),
        ),
        ("airgap/releases.toml", swap("hack/install-test-deps.sh: all four", "elsewhere")),
        ("airgap/releases.toml", swap("aee6151561422756", "0000000000000000")),
    ],
)
def test_costs_citations_and_checksums_change_nothing(clone: Clone, path: str, edit: Edit) -> None:
    assert clone.changed(path, edit) == set()


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("airgap/releases.toml", swap("docker-29.8.1.tgz", "docker-29.8.2.tgz")),
        ("airgap/go/moby/go.mod", lambda text: text + "// more\n"),
        ("uv.lock", lambda text: text + "# more\n"),
    ],
)
def test_the_engine_and_the_lock_change_everything(clone: Clone, path: str, edit: Edit) -> None:
    assert len(clone.changed(path, edit)) == len(clone.things)


@pytest.mark.parametrize("name", ["engine", "image_store", "kubernetes"])
def test_other_conditions_are_another_proof(clone: Clone, name: str) -> None:
    other = replace(HERE, **{name: "another"})
    for thing in clone.things[:3]:
        assert fingerprint(thing, clone.root, other) != fingerprint(thing, clone.root, HERE)


# -- a notebook's own text


def cells(edit: Callable[[list[dict[str, Any]]], object]) -> Edit:
    """An edit of a notebook's cells."""

    def edited(text: str) -> str:
        notebook = json.loads(text)
        edit(notebook["cells"])
        return json.dumps(notebook, indent=2)

    return edited


def first(notebook: list[dict[str, Any]], kind: str, tag: str = "") -> dict[str, Any]:
    return next(
        cell
        for cell in notebook
        if cell["cell_type"] == kind and (not tag or tag in cell["metadata"].get("tags", []))
    )


@pytest.mark.parametrize(
    "edit",
    [
        cells(lambda all_: first(all_, "markdown").update(source=["# Another title"])),
        cells(lambda all_: first(all_, "code").update(id="other", execution_count=7)),
        cells(lambda all_: first(all_, "code").update(outputs=[{"output_type": "stream"}])),
        lambda text: re.sub(r'"edition": "\w+"', '"edition": "0"', text),
    ],
)
def test_prose_ids_and_outputs_that_nobody_compares_do_not_count(clone: Clone, edit: Edit) -> None:
    assert clone.changed("solutions/11-rolling.ipynb", edit) == set()


@pytest.mark.parametrize(
    "edit",
    [
        cells(lambda all_: first(all_, "code")["source"].append("\nprint(1)")),
        cells(lambda all_: first(all_, "code")["metadata"].update(tags=["nbval-skip"])),
        cells(lambda all_: first(all_, "code", "nbval-check-output").update(outputs=[])),
    ],
)
def test_code_tags_and_armed_outputs_count(clone: Clone, edit: Edit) -> None:
    assert clone.changed("solutions/11-rolling.ipynb", edit) == {"solution 11-rolling"}


def test_a_command_in_a_shell_cell_is_what_its_function_uses(clone: Clone) -> None:
    path, name = clone.root / "notebooks/01-containers.ipynb", "lesson 01-containers"
    assert "src/course/measure/traffic/runs.py" not in clone.parts(name)
    text = path.read_text(encoding="utf-8")
    shell = "%%bash\ncourse load --for 3s URL\ncourse goto rolling-1 >log; course bundle save f"
    add = cells(lambda all_: all_.append({"cell_type": "code", "metadata": {}, "source": [shell]}))
    path.write_text(add(text), encoding="utf-8")
    try:
        found = clone.parts(name)
    finally:
        path.write_text(text, encoding="utf-8")
    assert {"course load", "course goto", "course bundle save"} <= found
    assert "course bundle load" not in found and "src/course/cli.py" not in found
    assert {"src/course/measure/traffic/worker.py", "src/course/artifacts/bundle.py"} <= found
    assert {"course.toml: rolling-1", "src/course/exercises/rolling.py"} <= found


def test_a_command_that_nobody_gives_changes_nothing(clone: Clone) -> None:
    goto = "print(exercises_start.goto(exercise))"
    changed = clone.changed("src/course/cli.py", swap(goto, f"{goto}  # it is shown"))
    assert changed == {"cluster tests/cluster/test_somebodys_docker.py"}


# -- answers and files of tests


def test_a_bank_changes_the_answers_of_its_lesson(clone: Clone) -> None:
    changed = clone.changed("tests/bank/dockerfile.py", more)
    assert changed == {name for name in clone.before if name.startswith("answer dockerfile-")}


def test_the_test_that_judges_changes_answers_and_labs(clone: Clone) -> None:
    changed = clone.changed("tests/bank/test_bank.py", more)
    assert changed == {name for name in clone.before if name.startswith(("answer ", "lab "))}


def test_two_answers_of_one_exercise_differ() -> None:
    all_ = things(paths.ROOT, manifest.load())
    answers = [thing for thing in all_ if thing.name.startswith("containers-1: ")]
    assert len({fingerprint(thing, paths.ROOT, HERE) for thing in answers}) == len(answers) > 5


def test_a_file_of_tests_has_its_conftest_and_the_modules_of_tests_it_imports(clone: Clone) -> None:
    browser = {name for name in clone.before if name.startswith("browser ")}
    assert clone.changed("tests/browser/conftest.py", more) == browser
    fed = "browser tests/browser/test_widgets.py"
    assert clone.changed("tests/feeds.py", more) == {fed}
    own = clone.changed("tests/cluster/test_bounds.py", more)
    assert own == {"cluster tests/cluster/test_bounds.py"}


def test_a_file_of_tests_that_runs_the_first_lesson_is_made_of_it(clone: Clone) -> None:
    edit = cells(lambda all_: first(all_, "code")["source"].append("\nprint(1)"))
    changed = clone.changed("notebooks/01-containers.ipynb", edit)
    assert {"lesson 01-containers", "browser tests/browser/test_lesson.py"} <= changed
    assert "browser tests/browser/test_widgets.py" not in changed


# -- the same everywhere


def test_it_is_the_same_in_a_copy_elsewhere_whatever_the_clock_and_the_locale(
    clone: Clone, tmp_path: Path
) -> None:
    copy = tmp_path / "another place"
    shutil.copytree(clone.root, copy)
    (copy / "apps" / "orders" / "node_modules").mkdir()
    (copy / "apps" / "orders" / "node_modules" / "left.js").write_text("")
    for file in copy.rglob("*.py"):
        os.utime(file, (0, 0))
    code = (
        "import sys; from pathlib import Path; from course.core import manifest\n"
        "from course.dev.things import things; from course.dev.fingerprint import *\n"
        "root = Path(sys.argv[1]); course = manifest.load(root / 'course.toml')\n"
        "for thing in things(root, course):\n"
        "    print(fingerprint(thing, root, Conditions('kind', 'containerd', 'v1.36.4')))\n"
        "heavy = {'nbformat', 'traitlets', 'docker', 'kubernetes', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    env = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "PYTHONUTF8": "0",
        "TZ": "Asia/Tokyo",
    }
    argv = [sys.executable, "-c", code, str(copy)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert set(clone.before.values()) <= set(done.stdout.split())


def test_a_missing_file_is_named(clone: Clone) -> None:
    for name, path in (
        ("lesson 11-rolling", "notebooks/11-rolling.ipynb"),
        ("cluster tests/cluster/test_engine.py", "tests/cluster/test_engine.py"),
        ("answer rolling-1: as in the solution", "tests/bank/rolling.py"),
        ("lab 11-rolling", "uv.lock"),
    ):
        kept = (clone.root / path).read_bytes()
        (clone.root / path).unlink()
        forget()
        try:
            with pytest.raises(CourseError, match=f"saw:  {path} is missing"):
                fingerprint(clone.thing(name), clone.root, HERE)
        finally:
            (clone.root / path).write_bytes(kept)
            forget()


@pytest.mark.parametrize(
    ("path", "text", "saw"),
    [
        ("notebooks/11-rolling.ipynb", "{}", "notebooks/11-rolling.ipynb is no notebook"),
        (
            "src/course/measure/release.py",
            "x = (",
            "src/course/measure/release.py: '(' was never closed",
        ),
        ("airgap/releases.toml", "x =", "airgap/releases.toml: Invalid value"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(clone: Clone, path: str, text: str, saw: str) -> None:
    with pytest.raises(CourseError) as caught:
        clone.changed(path, lambda _: text)
    assert caught.value.saw.startswith(saw)


def test_an_exercise_or_lesson_that_is_not_in_the_course_is_named(clone: Clone) -> None:
    gone = replace(clone.thing("lesson 11-rolling"), stem="12-blue-green")
    with pytest.raises(CourseError, match="12-blue-green"):
        fingerprint(gone, clone.root, HERE)
