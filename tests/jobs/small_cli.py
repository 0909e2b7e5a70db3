"""A small Claude CLI: answers the Agent SDK and every prompt, with its process number.

With the model "slow" it has its server only when it has a prompt.
"""

import json
import os
import sys

INIT = {
    "type": "system",
    "subtype": "init",
    "session_id": "s",
    "mcp_servers": [{"name": "adder", "status": "connected"}],
    "tools": ["Read", "mcp__adder__add"],
    "model": "m",
    "claude_code_version": "9.0.0",
}
CONNECTED = {"name": "adder", "status": "connected", "tools": [{"name": "add"}]}
RESULT = {
    "type": "result",
    "subtype": "success",
    "session_id": "s",
    "duration_ms": 1,
    "duration_api_ms": 1,
    "is_error": False,
    "num_turns": 1,
    "result": str(os.getpid()),
}


def say(message: object) -> None:
    """Write one line."""
    print(json.dumps(message), flush=True)


server = {"name": "adder", "status": "pending"} if "slow" in sys.argv else CONNECTED
for line in sys.stdin:
    asked = json.loads(line)
    if asked["type"] == "control_request":
        response = {"mcpServers": [server]} if asked["request"]["subtype"] == "mcp_status" else {}
        answer = {"subtype": "success", "request_id": asked["request_id"], "response": response}
        say({"type": "control_response", "response": answer})
    elif asked["type"] == "user":
        server = CONNECTED
        say(INIT)
        say(RESULT)
