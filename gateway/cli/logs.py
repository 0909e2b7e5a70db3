"""``logs SERVER``: what a server wrote to standard error, also when no gateway runs."""

import json
import re
import time
from argparse import Namespace
from collections.abc import Iterable

from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings
from gateway.cli.table import plain
from supervisor.children.log_follower import read_end, read_on
from supervisor.children.log_reader import LogLine, Wanted, read_log
from supervisor.children.stderr_log import LOG_FILE

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
LOOK_EVERY_S = 0.3


def run(args: Namespace) -> int:
    """Print the newest lines, and with `--follow` those that come."""
    home = read_settings(args).home
    path = home / "servers" / args.server / LOG_FILE
    if not NAME.fullmatch(args.server) or not path.parent.is_dir():
        raise Failure(Exit.FAILED, f"No server {args.server[:60]!r} ever ran in the home {home}.")
    try:
        # First the place: a line that comes between is printed, perhaps twice.
        place = read_end(path).place
        _print(read_log(path, Wanted(max(args.lines, 0), contains=args.contains)), args)
        while args.follow:
            time.sleep(LOOK_EVERY_S)
            found = read_on(path, place)
            place = found.place
            _print((line for line in found.lines if _fits(line, args)), args)
    except OSError as error:
        raise Failure(Exit.FAILED, f"{path} cannot be read ({error.strerror}).") from error
    return Exit.OK


def _fits(line: LogLine, args: Namespace) -> bool:
    return args.contains.lower() in line.text.lower()


def _print(found: Iterable[LogLine], args: Namespace) -> None:
    for line in found:
        at = line.at and line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if args.json:
            print(json.dumps({"at": at, "text": line.text}), flush=True)
        else:
            print(f"{at or '-'}  {plain(line.text)}", flush=True)
