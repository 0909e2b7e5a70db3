"""Code of small MCP servers without dependencies, so that they start in a tenth of a second."""

import json
from collections.abc import Mapping
from textwrap import dedent, indent
from typing import Any

ANY: Mapping[str, Any] = {"type": "object"}

_LOOP = """
import json
import os
import sys

TOOLS = json.loads(%(tools)r)

def call(name, arguments):
%(body)s

def answer(message):
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "test", "version": "1"}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return call(params["name"], params["arguments"])
    return {}

for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message)}
        sys.stdout.write(json.dumps(reply) + "\\n")
        sys.stdout.flush()
"""

TEXT = 'return {"content": [{"type": "text", "text": json.dumps(arguments)}]}'


def server_code(
    tools: Mapping[str, Mapping[str, Any]], body: str = TEXT, *, before: str = ""
) -> str:
    """Return a server with tools by input schema; `body` is that of call(name, arguments)."""
    listed = [
        {"name": name, "description": f"Does {name}.", "inputSchema": schema}
        for name, schema in tools.items()
    ]
    code = _LOOP % {"tools": json.dumps(listed), "body": indent(dedent(body).strip(), "    ")}
    return f"{before}\n{code}"


SEND = server_code(
    {
        "send": {
            "type": "object",
            "properties": {"to": {"type": "string"}, "copies": {"type": "integer", "minimum": 1}},
            "required": ["to"],
            "additionalProperties": False,
        }
    }
)
"""A server with one tool that answers with its arguments."""
