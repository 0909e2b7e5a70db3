"""``runs export``: runs as lines of JSON or as CSV, oldest first."""

import sys
from argparse import Namespace
from urllib.parse import urlencode

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.run_export.forms import csv_heading, csv_lines, json_lines

FILTERS = ("since", "until", "job", "webhook", "status")


def run(args: Namespace) -> int:
    """Print every run that is asked for, a page at a time."""
    live = live_gateway(args)
    asked = {name: value for name in FILTERS if (value := getattr(args, name)) is not None}
    heading = True
    while True:
        answer = request_local(live, "GET", f"runs/export?{urlencode(asked)}")
        if args.format == "jsonl":
            text = json_lines(answer["runs"])
        else:
            columns = answer["columns"]
            text = (csv_heading(columns) if heading else "") + csv_lines(columns, answer["runs"])
        # Lines end as they stand there, whatever this machine's way is.
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
        if answer["after"] is None:
            return Exit.OK
        asked["after"], heading = answer["after"], False
