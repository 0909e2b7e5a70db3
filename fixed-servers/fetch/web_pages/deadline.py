"""An end for work of the processor."""

import ctypes
from collections.abc import Callable
from threading import Event, Lock, Thread, get_ident
from typing import TypeVar

from web_pages.errors import FetchError

READ_S = 30.0
"""To read from a page what was asked; all that people write takes a few seconds."""

T = TypeVar("T")


class TooLong(FetchError):
    """The work did not end in time."""

    def __str__(self) -> str:
        return "The page is too tangled to be read in time; give a selector, or a simpler one."


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what work returns, which is interrupted at its next step once its time is over.

    Blocking; for a thread. Raises TooLong, and what the work raises.
    """
    thread, lock, ended = get_ident(), Lock(), Event()

    def interrupt() -> None:
        # Again each time: what is raised within a callback of C may be lost.
        while not ended.wait(seconds):
            with lock:
                if not ended.is_set():
                    _raise_in(thread, TooLong)

    def end() -> None:
        with lock:
            ended.set()
            _raise_in(thread, None)

    Thread(target=interrupt, daemon=True).start()
    try:
        try:
            return work()
        finally:
            end()
    except TooLong:
        # It may have come within `end`; another is as far away as the first was.
        end()
        raise


def _raise_in(thread: int, error: type[Exception] | None) -> None:
    """Raise an error in a thread, or take back one that it has not met yet."""
    given = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), given)
