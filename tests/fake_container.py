"""A container as Docker's SDK shows it."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import docker.errors


class Made:
    """A container as the SDK shows it."""

    def __init__(self, **state: Any) -> None:
        self.attrs: dict[str, Any] = {"State": {"Pid": 70, "Running": True, "ExitCode": 0} | state}
        self.archives: dict[str, bytes] = {}
        self.rows: list[list[str]] | None = []
        self.stopped_with: int | None = None
        self.said = b""

    def reload(self) -> None:
        """Nothing changes behind our back here."""

    def logs(self, tail: int) -> bytes:
        return self.said

    def top(self, ps_args: str) -> dict[str, Any]:
        if self.rows is None:
            raise docker.errors.APIError("container is not running")
        return {"Titles": ps_args.split(), "Processes": self.rows}

    def get_archive(self, path: str) -> tuple[list[bytes], dict[str, Any]]:
        if path not in self.archives:
            raise docker.errors.NotFound("no such file")
        half = len(self.archives[path]) // 2
        return [self.archives[path][:half], self.archives[path][half:]], {}

    def put_archive(self, folder: str, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            self.archives[f"{folder}/{archive.getnames()[0]}"] = data

    def stop(self, timeout: int) -> None:
        self.stopped_with = timeout
        self.attrs["State"] |= {"Running": False, "ExitCode": 137}
