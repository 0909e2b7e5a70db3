"""A server that costs next to nothing, so that what is measured is the way to it. No library."""

import json
import os
import sys

READ_BYTES = 256 * 1024
TOOLS = [
    {
        "name": name,
        "inputSchema": {
            "type": "object",
            "properties": {argument: {"type": kind}},
            "required": [argument],
        },
    }
    for name, argument, kind in (("echo", "text", "string"), ("blob", "kib", "integer"))
]
BLOBS: dict[int, str] = {}


def said(name: str, arguments: dict[str, object]) -> str:
    """Return the text that a tool answers; a large one is made once."""
    if name == "echo":
        return str(arguments["text"])
    kib = int(str(arguments["kib"]))
    return BLOBS.setdefault(kib, "x" * (kib * 1024))


def result(method: str, params: dict[str, object]) -> object:
    """Return what a request is answered with."""
    if method == "tools/call":
        text = said(str(params["name"]), dict(params["arguments"]))  # pyright: ignore[reportArgumentType, reportCallIssue] - our own caller sends an object
        return {"content": [{"type": "text", "text": text}], "isError": False}
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "raw", "version": "1"},
        }
    return {"tools": TOOLS} if method == "tools/list" else {}


def serve() -> None:
    """Answer line by line until the input ends."""
    rest = b""
    while data := os.read(0, READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        answers = [json.dumps(answer) for line in lines if (answer := answered(line))]
        if answers:
            sys.stdout.write("\n".join(answers) + "\n")
            sys.stdout.flush()


def answered(line: bytes) -> object:
    """Return the answer to a line; None for a notification."""
    asked = json.loads(line)
    if "id" not in asked:
        return None
    params = asked.get("params") or {}
    return {"jsonrpc": "2.0", "id": asked["id"], "result": result(asked["method"], params)}


if __name__ == "__main__":
    serve()
