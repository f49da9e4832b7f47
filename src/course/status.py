"""What runs and what is still being prepared: `course status`."""

from __future__ import annotations

from typing import Any

from course.core import environment, steps
from course.engine import jupyterlab
from course.learner import start_page
from course.measure import health


def read() -> dict[str, Any]:
    """What runs and what is being prepared, for machines."""
    progress = steps.read()
    engine = environment.current()
    return {
        "engine": engine.name if engine else None,
        "has": engine.has if engine else [],
        "env": engine.env if engine else {},
        "jupyterlab": jupyterlab.url(start_page.NAME),
        "preparing": bool(progress and progress.running),
        "error": progress.error if progress and not progress.running else "",
        "left_seconds": round(progress.left) if progress and progress.running else 0,
        "steps": [
            {"name": s.name, "title": s.title, "state": s.state, "fraction": s.fraction}
            | {"detail": s.detail, "seconds": s.seconds}
            for s in (progress.steps if progress else [])
        ],
        # The steps tell what the last `course up` did, these what is left of it.
        "now": [part.as_dict() for part in health.now()],
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The same for people, a line each."""
    if not facts["engine"]:
        return ["nothing runs yet: make start"]
    marks = {"done": "✓", "running": "…", "failed": "✗", "waiting": "·"}
    lines = []
    for step in facts["steps"]:
        stopped = step["state"] == "running" and not facts["preparing"]
        mark = "✗" if stopped else marks[step["state"]]
        detail = f"  {step['detail'][:80]}" if step["state"] == "running" else ""
        lines.append(f"{mark} {step['title']}{detail}")
    if facts["preparing"]:
        lines.append(f"  about {facts['left_seconds']} s left")
    elif facts["error"]:
        lines.append("  " + facts["error"].replace("\n", "\n  "))
    elif any(step["state"] != "done" for step in facts["steps"]):
        lines.append(f"  {steps.INTERRUPTED}")
    lines += _health_lines(facts["now"])
    if facts["env"].get("ORDERS_URL") and "orders" in facts["has"]:
        lines.append(f"orders:     {facts['env']['ORDERS_URL']}")
    lines.append(f"JupyterLab: {facts['jupyterlab'] or 'not running: make start'}")
    return lines


def _health_lines(parts: list[dict[str, Any]]) -> list[str]:
    """What works now in one line, and what does not in two each."""
    lines = []
    well = [part["name"] for part in parts if part["ok"]]
    if well:
        lines.append(f"now: {', '.join(well)}: all well" if len(well) == len(parts) else "now:")
    for part in parts:
        if part["ok"] is False:
            lines += [f"✗ {part['name']}: {part['saw']}", f"  try:  {part['try_']}"]
    return lines
