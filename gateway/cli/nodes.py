"""``nodes``: the gateways that share the database; drain one, and take it back."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from gateway.cli.answers import show, show_message
from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table

HEADINGS = ("NODE", "STATE", "RUNS", "HEARD", "VERSION", "SINCE", "ADDRESS")


def run(args: Namespace) -> int:
    """List the nodes, or carry out the action."""
    live = live_gateway(args)
    if args.action == "list":
        return show(args, answer_of(call_tool(live, "/mcp", "list_nodes", {})), _table)
    asked = {"name": args.name}
    return show_message(args, answer_of(call_tool(live, "/mcp", f"{args.action}_node", asked)))


def _table(answer: Any) -> str:
    return format_table(HEADINGS, [_row(each) for each in answer["nodes"]])


def _row(node: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{node['name']} (this one)" if node["this"] else node["name"],
        node["state"],
        f"{node['live_runs']} of {node['slots']}",
        f"{node['heard_s']:.0f} s ago",
        node["version"],
        node["started_at"],
        node["address"],
    )
