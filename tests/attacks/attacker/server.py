"""An MCP server whose tools are attacks. Standard library only, so that it starts at once."""

import json
import os
import signal
import sys

import bombs
import daemons
import files
import forks
import kernel_surface
import network
import processes
from arsenal import ATTACKS, BOMBS, judge

FAMILIES = (forks, files, processes, network, kernel_surface, bombs)


def healthy(_):
    """Answer as a good neighbour."""
    return "well"


TOOLS = {
    "healthy": healthy,
    "draw": forks.draw,
    "daemonise": daemons.daemonise,
    "plant_links": daemons.plant_links,
    "crash": daemons.crash,
}


def send(message):
    text = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def call(params):
    name, arguments = params["name"], params.get("arguments", {})
    got = judge(name, arguments) if name not in TOOLS else TOOLS[name](arguments)
    return {"content": [{"type": "text", "text": json.dumps(got)}]}


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "attacker", "version": "1"},
        }
    if method == "tools/list":
        names = (*ATTACKS, *BOMBS, *TOOLS)
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}
    return call(params)


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    server = os.getpid()
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message["method"], message.get("params") or {})
            # A bomb's branches come back from its fork and must not answer as well.
            if os.getpid() != server:
                os._exit(0)
            send({"id": message["id"], "result": result})


if __name__ == "__main__":
    main()
