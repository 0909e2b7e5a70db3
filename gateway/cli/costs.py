"""``costs``: what runs cost, as a table or as JSON."""

import json
from argparse import Namespace
from typing import Any

from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table

TOKENS = ("REQUESTS", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITTEN")
FIELDS = ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def run(args: Namespace) -> int:
    """Print the rows and what today's runs cost together."""
    asked = {"by": args.by, "days": args.days}
    if args.job is not None:
        asked["job_id"] = args.job
    costs = answer_of(call_tool(live_gateway(args), "/mcp", "get_costs", asked))
    if args.json:
        print(json.dumps(costs))
        return Exit.OK
    by_server = args.by == "server"
    headings = ("RUNS", "CALLS") if by_server else TOKENS
    fields = ("runs", "calls") if by_server else FIELDS
    rows = [_row(each, fields) for each in costs["rows"]]
    if rows:
        print(format_table((args.by.upper(), "US DOLLARS", *headings, "WITHOUT PRICE"), rows))
    else:
        print(f"Nothing was spent since {costs['since']}.")
    budget = costs["daily_budget_usd"]
    limit = "" if budget is None else f" of {budget:.2f}"
    print(
        f"Today: {costs['today_usd']:.4f}{limit} US dollars, by prices of {costs['prices_as_of']}."
    )
    if costs["prices_remark"]:
        print(costs["prices_remark"])
    return Exit.OK


def _row(cost: dict[str, Any], fields: tuple[str, ...]) -> tuple[str, ...]:
    counts = (str(cost[field]) for field in fields)
    return (cost["name"] or "(no job)", f"{cost['cost_usd']:.4f}", *counts, str(cost["unpriced"]))
