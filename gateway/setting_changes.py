"""Changes of `.env` that are checked first, for the command line and the page of settings alike."""

import fcntl
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values, set_key, unset_key

from gateway.settings import Settings, SettingsError, load
from gateway.variables import VARIABLES, Variable

TURN_S = 10.0
"""For a change by another process to be done; one takes milliseconds."""
LOOK_EVERY_S = 0.02


class SettingRefused(Exception):
    """A change that cannot be; nothing was changed. The message is one sentence."""


class NotWritten(Exception):
    """The file is as it was, for it cannot be written or does not say what was to go."""


def find_variable(name: str) -> Variable[object]:
    """Return the setting of a name. Raises SettingRefused."""
    found = next((variable for variable in VARIABLES if variable.name == name), None)
    if found is None:
        raise SettingRefused(f"{name[:60]!r} is no setting; `settings list` shows their names.")
    return found


def change_setting(
    file: Path, variable: Variable[object], value: str | None, environ: Mapping[str, str]
) -> Settings:
    """Change a copy of the file, see whether a gateway would start with it, put it in place.

    `value` None takes the setting out. Returns what would hold at the next start. Changes by
    other processes come before or after, and none is lost. Blocking.

    Raises:
        SettingRefused, NotWritten.
    """
    with _turn(file):
        return _change(file, variable, value, environ)


@contextmanager
def _turn(file: Path) -> Generator[None]:
    """Keep other processes from changing the file.

    By a lock on its folder: a file for it would stay, and might be another user's.
    """
    try:
        folder = os.open(file.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _not_written(file, error) from error
    try:
        deadline = time.monotonic() + TURN_S
        while not _locked(folder, file):
            if time.monotonic() > deadline:
                raise NotWritten(
                    f"Another process has been changing {file} for {TURN_S:g} s; try again."
                )
            time.sleep(LOOK_EVERY_S)
        yield
    finally:
        os.close(folder)


def _locked(folder: int, file: Path) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _not_written(file, error) from error
    return True


def _change(
    file: Path, variable: Variable[object], value: str | None, environ: Mapping[str, str]
) -> Settings:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        _copy_closed(file, beside)
    except OSError as error:
        raise _not_written(file, error) from error
    try:
        if value is not None:
            set_key(beside, variable.name, value, quote_mode="auto")
        elif variable.name not in dotenv_values(beside, interpolate=False):
            # Asked first: the library would tell the terminal in words of its own.
            raise NotWritten(f"{variable.name} is not in that file.")
        else:
            unset_key(beside, variable.name)
        settings = _checked(beside, file, environ)
        if file.exists():
            _take_over(file.stat(), beside)
        beside.replace(file.resolve())
    except OSError as error:
        raise _not_written(file, error) from error
    finally:
        beside.unlink(missing_ok=True)
    return settings


def _not_written(file: Path, error: OSError) -> NotWritten:
    return NotWritten(f"{file} cannot be written ({error.strerror}).")


def _checked(changed: Path, file: Path, environ: Mapping[str, str]) -> Settings:
    """Return what would hold if `changed` took the place of `file`."""
    try:
        return load(dict(environ), changed)
    except SettingsError as error:
        sentence = str(error).replace(str(changed), str(file))
        raise SettingRefused(f"{sentence} Nothing was changed.") from error


def _copy_closed(file: Path, beside: Path) -> None:
    """Make a copy that is its owner's alone from the start; an empty one of no file."""
    content = file.read_bytes() if file.exists() else b""
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as target:
            target.write(content)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _take_over(old: os.stat_result, beside: Path) -> None:
    """Give a file owner and mode of the one it replaces, so that a service still reads it."""
    own = beside.stat()
    if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid):
        os.chown(beside, old.st_uid, old.st_gid)
    beside.chmod(old.st_mode & 0o640)
