"""A small real HTTP server on loopback, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

_CLIENT_HELLO = b"\x16"
Answer = Callable[["Server", asyncio.StreamWriter, str], Awaitable[bool]]
"""Answers one request, given its head; `False` ends the connection."""


class Server:
    """A server whose behaviour can be changed while it runs.

    Args:
        answer: what it does with a request.
        tls: its certificate, for HTTPS.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.connections = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self.open()

    def open(self) -> None:
        """Listen; the port stays the same."""
        self._do(self._open())

    async def _open(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, backlog=1024, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Listen no longer: connections are refused."""
        self._do(self._shut())

    async def _shut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    def hang_up(self, writer: asyncio.StreamWriter) -> None:
        """Close a connection."""
        self._loop.call_soon_threadsafe(writer.close)

    def _do(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                first = await reader.readexactly(1)
                if first == _CLIENT_HELLO:  # as nginx does
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    break
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                if not await self.answer(self, writer, head):
                    break
        with contextlib.suppress(OSError):
            writer.close()

    async def _quit(self) -> None:
        await self._shut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=5)

    def stop(self) -> None:
        """End it."""
        self._do(self._quit())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for the time of a test."""
    server = Server(answer, tls)
    try:
        yield server
    finally:
        server.stop()


def reply(text: str) -> Answer:
    """Always these bytes; the connection stays open if the client asks for it."""

    async def answer(_: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        writer.write(text.replace("\n", "\r\n").encode())
        await writer.drain()
        return "connection: keep-alive" in head.lower()

    return answer


def version(name: str, *, status: str = "200 OK") -> Answer:
    """An answer of a version."""
    return reply(f"HTTP/1.1 {status}\nX-Orders-Version: {name}\nContent-Length: 2\n\nok")


async def reset(_: Server, writer: asyncio.StreamWriter, __: str) -> bool:
    """Ends the connection the hard way."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def close(_: Server, __: asyncio.StreamWriter, ___: str) -> bool:
    """Ends the connection without an answer."""
    return False


async def stall(_: Server, __: asyncio.StreamWriter, ___: str) -> bool:
    """Never answers."""
    await asyncio.sleep(3600)
    return False


def mixed(*answers: Answer) -> Answer:
    """One after the other, again and again."""

    async def answer(server: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        # Counted before anything is awaited: requests come side by side.
        return await answers[(len(server.heads) - 1) % len(answers)](server, writer, head)

    return answer
