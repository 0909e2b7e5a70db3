"""``runs``: what the owner asks about runs on the command line."""

from argparse import Namespace
from typing import Any

from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table

HEADINGS = ("ID", "STATUS", "TRIGGER", "JOB", "CREATED", "S", "COST", "ERROR")


def run(args: Namespace) -> int:
    """Carry out one action."""
    if args.action == "kill":
        killed = _call(args, "kill_run", run_id=args.run_id)
        print(f"Run {killed['id']} ended as {killed['status']}.")
    else:
        job = {} if args.job is None else {"job_id": args.job}
        _list(_call(args, "list_runs", limit=args.limit, **job))
    return Exit.OK


def _call(args: Namespace, tool: str, **arguments: Any) -> Any:
    return answer_of(call_tool(live_gateway(args), "/mcp", tool, arguments))


def _list(answer: Any) -> None:
    rows = [
        (
            each["id"],
            each["status"],
            each["trigger"],
            each["job_id"] or "",
            each["created_at"],
            "" if each["duration_s"] is None else f"{each['duration_s']:.1f}",
            "" if each["cost_usd"] is None else f"${each['cost_usd']:.4f}",
            each["error"] or "",
        )
        for each in answer["runs"]
    ]
    print(format_table(HEADINGS, rows) if rows else "There are no runs.")
