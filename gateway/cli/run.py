"""``run PROMPT``: a quick run, what it said, and how it ended as the exit status."""

import json
import sys
from argparse import Namespace

from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.exits import Exit
from gateway.cli.follow import OUTCOMES, events_of, follow
from gateway.cli.home import live_gateway
from gateway.cli.table import plain

OPTIONS = ("model", "max_turns", "timeout_s", "budget_usd", "output_schema")


def run(args: Namespace) -> int:
    """Start the run and wait for its end."""
    live = live_gateway(args)
    given = {name: value for name in OPTIONS if (value := getattr(args, name)) is not None}
    arguments = {
        "prompt": sys.stdin.read() if args.prompt == "-" else args.prompt,
        "tools": [name.strip() for names in args.tools for name in names.split(",")],
        "servers": args.server,
        **given,
    }
    started = answer_of(call_tool(live, "/mcp", "run_prompt", arguments))
    run_id = started["run"]["id"]
    for line in (*started["tool_warnings"], f"Run {run_id} is queued."):
        print(plain(line), file=sys.stderr, flush=True)
    if args.follow or args.json:
        return follow(args, run_id, as_json=args.json)
    return _wait(args, run_id)


def _wait(args: Namespace, run_id: str) -> Exit:
    """Print what the run said once it has ended."""
    *_, last = events_of(args, run_id, "0.0")
    ended = answer_of(call_tool(live_gateway(args), "/mcp", "get_run", {"run_id": run_id}))
    if ended["structured"] is not None:
        print(json.dumps(ended["structured"], ensure_ascii=False))
    elif ended["output"]:
        print("\n".join(plain(line) for line in ended["output"].split("\n")))
    if error := last["run"]["error"]:
        print(plain(f"Run {run_id} {last['run']['status']}: {error}"), file=sys.stderr)
    return OUTCOMES[last["run"]["status"]]
