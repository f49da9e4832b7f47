"""Set an exercise's start state."""

from __future__ import annotations

from course.core import environment, files, manifest, paths, waiting
from course.core.errors import CourseError
from course.learner.progress import changing, progress, state
from course.learner.saves import save


def begin(id_: str) -> str:
    """Set an exercise's start state the first time; later only say that it is set.

    Raises:
        CourseError: there is no such exercise, or its start state cannot be set.
    """
    exercise = manifest.load().exercise(id_)
    if state(id_) != "new":
        if progress().get("current") != id_:
            with changing() as data:
                data["current"] = id_
        return f"{id_} is {state(id_)}; your files in {_shown(id_)} are as you left them"
    return _set(exercise)


def goto(id_: str) -> str:
    """Set an exercise's start state from any state; what it replaces is saved first.

    Raises:
        CourseError: there is no such exercise, or its start state cannot be set.
    """
    return _set(manifest.load().exercise(id_))


def _set(exercise: manifest.Exercise) -> str:
    from course.exercises.kit import clients, lab
    from course.exercises.kit import exercise as exercise_

    for need in exercise.needs:
        if not environment.has(need):
            raise CourseError(
                f"{exercise.id} needs `{need}`: {environment.why_not(need)}",
                f"`{need}`",
                "course status",
            )
    here = lab.Lab(exercise.id)
    kept = save([here.folder()])
    files.empty(here.folder())
    with changing() as data:
        # Facts stay until they are set anew: by them a start state knows what it made itself.
        old = data["exercises"].get(exercise.id, {})
        data["exercises"][exercise.id] = {k: old[k] for k in ("hints", "facts") if k in old}
    with waiting.shown(f"the start state of {exercise.id}"), clients.translate_docker_errors():
        exercise_.find(exercise.id).begin(here)
    # Last: a start state that broke off half-way is not started.
    with changing() as data:
        data["exercises"][exercise.id]["state"] = "started"
        data["current"] = exercise.id
    text = f"{exercise.id} · {exercise.title}: start state set, files in {_shown(exercise.id)}"
    return text + (f"; what was there is in {kept}" if kept else "")


def _shown(id_: str) -> str:
    folder = paths.work() / id_
    inside = folder.is_relative_to(paths.ROOT)
    return f"{folder.relative_to(paths.ROOT) if inside else folder}/"
