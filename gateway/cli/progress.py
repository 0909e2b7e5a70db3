"""How far long work is: one line at the end of a terminal, which goes when the work has ended."""

import shutil
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Generator
from contextlib import contextmanager

from gateway.cli.table import plain

EVERY_S = 0.1
TICK_S = 1.0
CLEAR = "\r\x1b[K"


class Progress:
    """Writes the line over and over; nothing where nobody sits before a terminal."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._next_at = 0.0

    def say(self, text: str) -> None:
        """Show a text in the place of the one before, unless that was just now."""
        now = time.monotonic()
        if self._shown and now >= self._next_at:
            self._next_at = now + EVERY_S
            self._write(plain(text)[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(CLEAR + text)
        sys.stderr.flush()


@contextmanager
def progress(args: Namespace) -> Generator[Progress]:
    """Give what shows how far the body is; nothing with `--json`."""
    line = Progress(shown=sys.stderr.isatty() and not getattr(args, "json", False))
    try:
        yield line
    finally:
        line.clear()


@contextmanager
def waiting(args: Namespace, subject: str) -> Generator[None]:
    """Say each second how long the body takes."""
    if not sys.stderr.isatty() or getattr(args, "json", False):
        yield
        return
    ended = threading.Event()
    with progress(args) as line:

        def tick() -> None:
            began = time.monotonic()
            while not ended.wait(TICK_S):
                line.say(f"{subject}: {time.monotonic() - began:.0f} s")

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            ended.set()
            ticker.join()
