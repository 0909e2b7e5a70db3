"""A server that costs next to nothing, so that what is measured is the way to it. No library."""

import json
import os

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
LONG: dict[int, bytes] = {}


def said(name: str, arguments: dict[str, object]) -> bytes:
    """Return what a tool says, as JSON; a long text is encoded once."""
    if name == "echo":
        return json.dumps(arguments["text"]).encode()
    kib = int(str(arguments["kib"]))
    if kib not in LONG:
        LONG[kib] = json.dumps("x" * (kib * 1024)).encode()
    return LONG[kib]


def result(method: str, params: dict[str, object]) -> bytes:
    """Return what a request is answered with, as JSON."""
    if method == "tools/call":
        text = said(str(params["name"]), dict(params["arguments"]))  # pyright: ignore[reportArgumentType, reportCallIssue] - our own caller sends an object
        return b'{"content":[{"type":"text","text":%s}],"isError":false}' % text
    if method == "initialize":
        hello = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "raw", "version": "1"},
        }
        return json.dumps(hello).encode()
    return json.dumps({"tools": TOOLS} if method == "tools/list" else {}).encode()


def serve() -> None:
    """Answer line by line until the input ends."""
    rest = b""
    while data := os.read(0, READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        write(b"".join(map(answered, lines)))


def answered(line: bytes) -> bytes:
    """Return the line that answers a line; nothing for a notification."""
    asked = json.loads(line)
    if "id" not in asked:
        return b""
    answer = result(asked["method"], asked.get("params") or {})
    return b'{"jsonrpc":"2.0","id":%s,"result":%s}\n' % (json.dumps(asked["id"]).encode(), answer)


def write(data: bytes) -> None:
    """Write all of it to standard output."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    serve()
