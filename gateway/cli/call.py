"""``call TOOL JSON``: one tool call through the live gateway, its result as JSON."""

import json
import re
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any, cast

from gateway.cli.client import Json, call_tool
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway

TAKES_SECRET = frozenset({"add_notification_channel", "set_server_credential"})
MAY_TAKE_SECRET = frozenset({"create_webhook", "set_webhook_scheme"})
NOTHING = "{}"
"""What the parser puts where no arguments are given."""
TOOL_OF_SERVER = re.compile(r"[a-z0-9-]+:\w+|mcp__\w+")


def run(args: Namespace) -> int:
    """Print the tool's structured result, or its content when it has none."""
    _check(args.tool, args.arguments)
    arguments = parse_arguments(sys.stdin.read() if args.arguments == "-" else args.arguments)
    result = call_tool(live_gateway(args), "/mcp", args.tool, arguments)
    print(json.dumps(answer_of(result), indent=2, ensure_ascii=False))
    return Exit.OK


def answer_of(result: Json) -> Any:
    """Return what a tool answered. Raises Failure when it did not."""
    if result.get("isError"):
        raise Failure(Exit.FAILED, _texts(result) or "The tool failed and did not say why.")
    if result.get("resultType", "complete") != "complete":
        raise Failure(Exit.FAILED, "The tool asks for input; use an MCP client.")
    return value_of(result)


def value_of(result: Json) -> Any:
    """Return what a tool's result holds: structured, or JSON in one text, or its content."""
    if "structuredContent" in result:
        return result["structuredContent"]
    content = cast("list[Json]", result.get("content", []))
    if len(content) == 1 and content[0].get("type") == "text":
        try:
            return json.loads(content[0]["text"])
        except ValueError:
            return content[0]["text"]
    return content


def _check(tool: str, arguments: str) -> None:
    takes = tool in TAKES_SECRET or (tool in MAY_TAKE_SECRET and '"secret"' in arguments)
    if takes and arguments not in ("-", NOTHING):
        raise Failure(
            Exit.WRONG_USE,
            f"A secret does not belong on a command line, which every user of this machine can "
            f"read; give the JSON on standard input: call {tool} - < FILE.",
        )
    if TOOL_OF_SERVER.fullmatch(tool):
        raise Failure(
            Exit.WRONG_USE,
            f"call knows management tools alone; a server's tool is called by: "
            f"tools call {tool} '{{}}'.",
        )


def parse_arguments(text: str) -> Mapping[str, Any]:
    """Return a JSON object. Raises Failure for anything else."""
    try:
        arguments: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(Exit.WRONG_USE, f"The arguments are not JSON: {error}.") from error
    if not isinstance(arguments, dict):
        raise Failure(Exit.WRONG_USE, 'The arguments must be a JSON object, such as {"name": "x"}.')
    return cast("dict[str, Any]", arguments)


def _texts(result: Json) -> str:
    content = cast("list[Json]", result.get("content", []))
    return "\n".join(str(block["text"]) for block in content if block.get("type") == "text")
