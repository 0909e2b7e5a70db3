"""The pipes of a client that started us: lines in, lines out, and nothing printed in between."""

import asyncio
import os
import select
import stat
import sys
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Beyond what any endpoint takes, so that the gateway refuses with its own sentence."""


class BridgeEnded(Exception):
    """The conversation cannot go on; the message is one sentence."""


def stdin_is_pipe() -> bool:
    """True when a client talks to us over standard input: a pipe, or a socket as Node makes."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class Wire:
    """Our ends of the client's pipes; nothing else in this process can write there."""

    def __init__(self, reader: asyncio.StreamReader, out: int) -> None:
        self._reader = reader
        self._out = out
        self._turn = anyio.Lock()

    @classmethod
    async def open(cls) -> "Wire":
        """Take standard input and output; what others print goes to standard error."""
        # Not a thread: one that is blocked in read() would keep the process alive.
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(reader)
        await loop.connect_read_pipe(lambda: protocol, sys.stdin.buffer)
        out = os.dup(1)
        os.dup2(2, 1)
        return cls(reader, out)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield standard input line by line. Raises BridgeEnded for one that is too long."""
        try:
            while line := await self._reader.readline():
                yield line
        except ValueError as error:
            raise BridgeEnded(f"A message is longer than {MAX_LINE_BYTES} bytes.") from error

    async def write(self, message: bytes) -> None:
        """Write one message as one line. Raises BridgeEnded when nobody reads."""
        line = message.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        async with self._turn:
            try:
                await to_thread.run_sync(self._write_all, line)
            except BrokenPipeError as error:
                raise BridgeEnded("The client has closed our standard output.") from error

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except BlockingIOError:
                # Reading made the description non-blocking, and a client may give both ends one.
                select.select([], [self._out], [])
