"""An MCP server that says which trace it was told of, fails, and dies; with nothing but Python."""

import json
import os
import sys
from typing import Any

TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("told", "fail", "die")]


def result_of(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request."""
    match method, params.get("name"):
        case "initialize", _:
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "told", "version": "1"},
            }
        case "tools/list", _:
            return {"tools": TOOLS}
        case "tools/call", "die":
            os._exit(3)
        case _, name:
            text = json.dumps(params.get("_meta", {}))
            return {"content": [{"type": "text", "text": text}], "isError": name == "fail"}


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked and "method" in asked:
        result = result_of(asked["method"], asked.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
