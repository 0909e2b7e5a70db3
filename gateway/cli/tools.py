"""``tools``: servers' own tools, found, looked at and called from the shell."""

import json
import sys
from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, lines, show
from gateway.cli.call import parse_arguments
from gateway.cli.table import format_table, plain

HITS = ("TOOL", "ARGUMENTS", "DESCRIPTION")
FIRST_LINE = 80


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "search":
            found = ask(args, "search_tools", query=" ".join(args.query), limit=args.limit)
            return show(args, found, _hits)
        case "show":
            return show(args, ask(args, "describe_tool", tool=args.tool), _detail)
        case "call":
            text = sys.stdin.read() if args.payload == "-" else args.payload
            asked = {"tool": args.tool, "payload": parse_arguments(text)}
            return show(args, ask(args, "invoke_internal_mcp_tool", **asked), _result)
        case "read":
            asked = {"handle": args.handle, "offset": args.offset, "contains": args.contains}
            return show(args, ask(args, "read_result", **asked), _result)
        case "wait":
            asked = {"handle": args.handle, "wait_s": args.seconds}
            return show(args, ask(args, "get_call", **asked), _result)
        case _:
            return show(args, ask(args, "cancel_call", handle=args.handle), _cancelled)


def _hits(answer: Any) -> str:
    rows = [
        (each["tool"], " ".join(each["arguments"]), each["description"].split("\n")[0][:FIRST_LINE])
        for each in answer["tools"]
    ]
    notes = [answer["message"]] if answer["message"] else []
    table = [format_table(HITS, rows)] if rows else []
    return "\n".join((*table, *map(plain, notes))) or "No tool was found."


def _detail(answer: Any) -> str:
    schema = json.dumps(answer["input_schema"], indent=2, ensure_ascii=False)
    example = json.dumps(answer["example"], ensure_ascii=False)
    said = (
        f"{answer['tool']} of {answer['server']} ({answer['state']})",
        answer["description"],
        f"Arguments:\n{schema}",
        f"Call it with: ./claude-runner tools call {answer['tool']} '{example}'",
    )
    return "\n\n".join(lines(part) for part in said if part)


def _result(answer: Any) -> str:
    if isinstance(answer, str):
        return lines(answer)
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _cancelled(answer: Any) -> str:
    return plain(f"{answer['tool']}: {answer['state']}.")
