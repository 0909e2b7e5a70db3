"""What one turn of the event loop writes to a connection goes out at once, after all turns' work.

A write wakes its reader, and a reader that slept costs more to wake than a small answer costs to
make. Written one after the other, the answers of many callers find it awake.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

JOINED_BYTES = 64 * 1024
"""More is not copied to be one piece: it takes many packets anyway."""

Piece = bytes | bytearray | memoryview


class Gathering(asyncio.Transport):
    """A transport that keeps what is written until the loop's next turn."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[Piece] = []
        self._size = 0

    def write(self, data: Piece) -> None:
        """Send bytes with all else that is written in this turn, unless that is much."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > JOINED_BYTES:
            # The writer is to learn now that its reader is slow.
            self._flush()

    def writelines(self, list_of_data: Iterable[Piece]) -> None:
        """Send pieces with all else that is written in this turn."""
        for data in list_of_data:
            self.write(data)

    def close(self) -> None:
        """Close the connection once everything was sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection now; what was not sent is lost."""
        self._pieces.clear()
        self._size = 0
        self._transport.abort()

    def is_closing(self) -> bool:
        """Return True when nothing more can be sent."""
        return self._transport.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._transport.set_protocol(protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take no more from the connection."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the connection again."""
        self._transport.resume_reading()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        size, self._size = self._size, 0
        if not pieces or self._transport.is_closing():
            return
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        elif size <= JOINED_BYTES:
            self._transport.write(b"".join(pieces))
        else:
            self._transport.writelines(pieces)
