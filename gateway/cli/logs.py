"""``logs SERVER``: what a server wrote to standard error, also when no gateway runs."""

import json
import re
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings
from gateway.cli.table import plain
from supervisor.children.log_reader import LogLine, Wanted, parse_line, read_log
from supervisor.children.stderr_log import LOG_FILE

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
LOOK_EVERY_S = 0.3
CHUNK = 1024 * 1024


def run(args: Namespace) -> int:
    """Print the newest lines, and with `--follow` those that come."""
    home = read_settings(args).home
    path = home / "servers" / args.server / LOG_FILE
    if not NAME.fullmatch(args.server) or not path.parent.is_dir():
        raise Failure(Exit.FAILED, f"No server {args.server[:60]!r} ever ran in the home {home}.")
    # The place is taken first: a line that comes between is printed, perhaps twice.
    tail = LogTail(path)
    try:
        _print(read_log(path, Wanted(max(args.lines, 0), contains=args.contains)), args)
        while args.follow:
            _print((line for line in tail.read() if _fits(line, args)), args)
            time.sleep(LOOK_EVERY_S)
    except OSError as error:
        raise Failure(Exit.FAILED, f"{path} cannot be read ({error.strerror}).") from error
    return Exit.OK


class LogTail:
    """Reads what is added to a log, also over a rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = self._end()
        self._rest = b""

    def read(self) -> Iterator[LogLine]:
        """Yield the whole lines that were added since. Raises OSError."""
        inode, size = self._end()
        if inode != self._place[0] or size < self._place[1]:
            # What the old file got at its end was read a moment ago.
            self._place = (inode, 0)
        while data := self._more():
            *whole, self._rest = (self._rest + data).split(b"\n")
            yield from map(parse_line, whole)

    def _more(self) -> bytes:
        inode, offset = self._place
        if not inode:
            return b""
        with self._path.open("rb") as file:
            file.seek(offset)
            data = file.read(CHUNK)
        self._place = (inode, offset + len(data))
        return data

    def _end(self) -> tuple[int, int]:
        try:
            seen = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (seen.st_ino, seen.st_size)


def _fits(line: LogLine, args: Namespace) -> bool:
    return args.contains.lower() in line.text.lower()


def _print(found: Iterable[LogLine], args: Namespace) -> None:
    for line in found:
        at = line.at and line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if args.json:
            print(json.dumps({"at": at, "text": line.text}), flush=True)
        else:
            print(f"{at or '-'}  {plain(line.text)}", flush=True)
