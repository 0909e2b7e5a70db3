"""``status --watch``: the table as it changes, and how often it could not be asked."""

import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.client import GatewayUnreachable
from gateway.cli.exits import Exit, Failure
from gateway.cli.status import HEADINGS, heading, is_well, notes, read_status, rows_of, status_text
from gateway.cli.table import plain
from gateway.local import GatewayStarting

LOOK_EVERY_S = 1.0
NARROW = ("SERVER", "STATE", "CALLS", "ERRORS", "CPU %", "MIB", "REASON")
"""What a terminal of 80 columns has room for."""
WIDE_COLUMNS = 120


def watch(args: Namespace) -> int:
    """Show it until Ctrl-C; where nobody looks, one whole table after the other."""
    # The first time, what is wrong ends the command.
    last = read_status(args)
    if not sys.stdout.isatty():
        while True:
            print(status_text(last), end="\n\n", flush=True)
            time.sleep(LOOK_EVERY_S)
            last = read_status(args)
    console = Console()
    with Live(
        picture(last, None, console.width), console=console, auto_refresh=False, screen=True
    ) as live:
        while True:
            time.sleep(LOOK_EVERY_S)
            trouble = None
            try:
                last = read_status(args)
            except (GatewayUnreachable, GatewayStarting) as error:
                trouble = str(error)
            except Failure as failure:
                if failure.status is not Exit.NO_GATEWAY:
                    raise
                trouble = str(failure)
            live.update(picture(last, trouble, console.width), refresh=True)


def picture(answer: Mapping[str, Any], trouble: str | None, width: int) -> Group:
    """Return the whole screen of so many columns; what others wrote is text and no markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [n for n, name in enumerate(HEADINGS) if width >= WIDE_COLUMNS or name in NARROW]
    for number in shown:
        name = HEADINGS[number]
        table.add_column(name, no_wrap=name != "REASON", overflow="fold")
    for server, row in zip(answer["servers"], rows_of(answer["servers"]), strict=True):
        style = "" if is_well(server) else "bold red"
        table.add_row(*(Text(plain(row[number])) for number in shown), style=style)
    remarks = [f"{each['name']}: {note}" for each in answer["servers"] for note in notes(each)]
    lost = [Text(f"DISCONNECTED: {plain(trouble)}", style="bold red")] if trouble else []
    return Group(*lost, *map(Text, heading(answer)), Text(), table, *map(Text, remarks))
