"""``doctor connector``: what claude.ai would meet on its way to the gateway that runs."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.cli.table import plain

GRADES = {"ok": "ok", "warning": "WARNING", "problem": "PROBLEM"}


def run(args: Namespace) -> int:
    """Print every step; fail when one is a problem."""
    report = request_local(live_gateway(args), "POST", "connector")
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        for step in report["steps"]:
            sys.stdout.writelines(f"{line}\n" for line in _lines(step))
    return Exit.OK if report["good"] else Exit.FAILED


def _lines(step: Mapping[str, Any]) -> Iterator[str]:
    yield f"{GRADES[step['grade']]:<8} {plain(step['step']):<38} {plain(step['seen'])}"
    for part in ("wrong", "advice"):
        if step[part]:
            yield f"{'':<8} {'':<38} {plain(step[part])}"
