"""Copy what is about to be replaced to `work/.saved/`."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from course.core import paths


def save(targets: list[Path]) -> Path | None:
    """Copy what is about to be replaced to `work/.saved/<time>/`.

    Args:
        targets: files and folders below the learner's folder.

    Returns:
        Where the copies are, or `None` if there was nothing to save.
    """
    there = [t for t in targets if t.is_file() or (t.is_dir() and any(t.iterdir()))]
    if not there:
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = paths.work() / ".saved" / stamp
    count = 1
    while folder.exists():
        count += 1
        folder = paths.work() / ".saved" / f"{stamp}-{count}"
    for target in there:
        dest = folder / target.relative_to(paths.work())
        dest.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.copytree(target, dest, symlinks=True)
        else:
            shutil.copy2(target, dest)
    return folder
