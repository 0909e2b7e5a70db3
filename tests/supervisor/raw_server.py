"""A tiny MCP server without libraries, so that a child starts in milliseconds.

Usage: raw_server.py [BEHAVIOUR ...]. Behaviours: `modern` (speaks only 2026-07-28), `silent`
(never answers), `exits` (ends at once with status 3), `junk` (prints lines that are not MCP),
`flood` (never ends a line), `deaf` (ignores the end of its input and TERM), `unread` (stops
reading after the handshake), `fewer` (has one tool less), `annotated` (the tool `echo` repeats
arguments in headers), `tells` (has resources, and tells when they or lists change), `version=N`
(what the tool `version` answers).
"""

import json
import os
import signal
import sys
import threading
import time

BEHAVIOURS = set(sys.argv[1:])
VERSION = next((b.partition("=")[2] for b in BEHAVIOURS if b.startswith("version=")), "1")
WRITING = threading.Lock()
CANCELLED = set()
STREAMS = {}
SUBSCRIBED = set()
MODERN = "io.modelcontextprotocol/protocolVersion"

TOOLS = [
    {"name": name, "inputSchema": {"type": "object", "properties": {"steps": {}, "each_s": {}}}}
    for name in (
        "echo",
        "wait",
        "die",
        "version",
        "environment",
        "spawn",
        "notify",
        "followed",
        "inquire",
        "locked",
        "log",
        "ask",
        "eat",
        "fill",
        "become",
        "pour",
        "tell",
        "mute",
    )
]


CAPABILITIES = {"tools": {} if "modern" in BEHAVIOURS else {"listChanged": True}}
if "tells" in BEHAVIOURS:
    CAPABILITIES = {
        "tools": {"listChanged": True},
        "resources": {"listChanged": True, "subscribe": True},
    }

if "fewer" in BEHAVIOURS:
    del TOOLS[-1]
if "annotated" in BEHAVIOURS:
    size = {"size": {"type": "integer", "x-mcp-header": "Size"}}
    TOOLS[0]["inputSchema"]["properties"] = {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "dry": {"type": "boolean", "x-mcp-header": "Dry"},
        "page": {"type": "object", "properties": size},
    }


def send(message):
    with WRITING:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def spawn():
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    return text(str(pid))


def eat(processes, mebibytes):
    for _ in range(processes):
        if os.fork() == 0:
            kept = bytearray(mebibytes << 20)
            kept[::4096] = b"x" * len(kept[::4096])
            while True:
                time.sleep(60)
    return text("eaten")


def fill(files, bytes_each, unlink=False):
    for number in range(files):
        path = f"{os.environ['DATA_DIR']}/{number}"
        held = os.open(path, os.O_CREAT | os.O_WRONLY)
        os.write(held, b"x" * bytes_each)
        if unlink:
            os.unlink(path)  # noqa: PTH108 - starts in milliseconds, without pathlib
        else:
            os.close(held)
    return text("filled")


def wait(request, arguments, meta):
    steps = arguments.get("steps", 1)
    for step in range(steps):
        if request["id"] in CANCELLED:
            return None
        time.sleep(arguments.get("each_s", 0.05))
        if "progressToken" in meta:
            params = {"progressToken": meta["progressToken"], "progress": step + 1}
            send({"method": "notifications/progress", "params": params})
    return text(f"waited {steps} version {VERSION}")


def tell(request, arguments, meta):
    """Note the word where all generations do, wait, and give it back."""
    held = os.open(f"{os.environ['DATA_DIR']}/heard", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(held, arguments["word"].encode() + b"\n")
    os.close(held)
    return text(arguments["word"]) if wait(request, arguments, meta) else None


def inquire(params, asked, rounds=1):
    number = int(params.get("requestState", "0"))
    if number < rounds:
        wanted = {"resultType": "input_required", "requestState": str(number + 1)}
        return {**wanted, "inputRequests": asked} if asked else wanted
    return text(json.dumps([params.get("inputResponses"), params["_meta"]]))


def environment():
    return text(json.dumps(dict(os.environ)))


def notify(method="notifications/tools/list_changed", **params):
    told = {"method": method, **({"params": params} if params else {})}
    streams = [key for key, wanted in STREAMS.items() if includes(wanted, method, params)]
    if "modern" not in BEHAVIOURS:
        send(told)
    for key in streams:
        mark = {"io.modelcontextprotocol/subscriptionId": key}
        send({**told, "params": {**params, "_meta": mark}})
    return text("notified")


def includes(wanted, method, params):
    if method == "notifications/resources/updated":
        return params["uri"] in wanted.get("resourceSubscriptions", ())
    return wanted.get(f"{method.split('/')[1]}ListChanged", False)


def listen(request, params):
    STREAMS[request["id"]] = wanted = params["notifications"]
    mark = {"io.modelcontextprotocol/subscriptionId": request["id"]}
    told = {"notifications": wanted, "_meta": mark}
    send({"method": "notifications/subscriptions/acknowledged", "params": told})


def subscribe(request, params):
    SUBSCRIBED.add(params["uri"])
    return {}


def unsubscribe(request, params):
    SUBSCRIBED.discard(params["uri"])
    return {}


FOLLOW = {
    "subscriptions/listen": listen,
    "resources/subscribe": subscribe,
    "resources/unsubscribe": unsubscribe,
}


def followed():
    uris = [uri for one in STREAMS.values() for uri in one.get("resourceSubscriptions", ())]
    return text(json.dumps(sorted([*uris, *SUBSCRIBED])))


def log(level):
    send({"method": "notifications/message", "params": {"level": level, "data": "said"}})
    return text("logged")


def ask():
    send({"id": 1, "method": "sampling/createMessage", "params": {}})
    return text("asked")


def die(status=7):
    print("last words", file=sys.stderr, flush=True)
    os._exit(status)


def mute():
    os.close(1)
    return text("unheard")


def become(tools, tell=False):
    """List tools otherwise from now on, also after a restart: members by tool, None to drop it."""
    place = os.environ["DATA_DIR"] + "/tools.json"
    with open(place + ".new", "w") as file:  # noqa: PTH123 - as above
        json.dump(tools, file)
    os.replace(place + ".new", place)  # noqa: PTH105 - as above
    return notify() if tell else text("changed")


def listed():
    try:
        with open(os.environ["DATA_DIR"] + "/tools.json") as file:  # noqa: PTH123 - as above
            changes = json.load(file)
    except FileNotFoundError:
        return TOOLS
    known = {tool["name"]: tool for tool in TOOLS}
    new = {name: {"name": name, "inputSchema": {"type": "object"}} for name in changes}
    both = {name: {**tool, **(changes.get(name) or {})} for name, tool in (new | known).items()}
    return [tool for name, tool in both.items() if changes.get(name, {}) is not None]


def pour(line, descriptor=1):
    """Write the same line for ever."""
    lines = f"{line}\n".encode() * 500
    while True:
        os.write(descriptor, lines)


SIMPLE = {
    "environment": environment,
    "spawn": spawn,
    "eat": eat,
    "fill": fill,
    "notify": notify,
    "followed": followed,
    "ask": ask,
    "log": log,
    "die": die,
    "mute": mute,
    "become": become,
    "pour": pour,
}


def call(request):
    params = request["params"]
    arguments, meta = params.get("arguments", {}), params.get("_meta", {})
    match params["name"]:
        case "echo":
            return text(json.dumps(arguments, ensure_ascii=False))
        case "wait":
            return wait(request, arguments, meta)
        case "tell":
            return tell(request, arguments, meta)
        case "version":
            return text(VERSION)
        case "locked":
            wanted = {"mode": "url", "message": "Go", "url": "x:y", "elicitationId": "e"}
            error = {"code": -32042, "message": "locked", "data": {"elicitations": [wanted]}}
            return send({"id": request["id"], "error": error})
        case "inquire":
            return inquire(params, **arguments)
        case name:
            return SIMPLE[name](**arguments)


def answer(request):
    method, params = request["method"], request.get("params") or {}
    modern = MODERN in params.get("_meta", {})
    if method == "initialize" and "modern" in BEHAVIOURS:
        error = {"code": -32022, "message": "unsupported", "data": {"supported": ["2026-07-28"]}}
        return send({"id": request["id"], "error": error})
    if "modern" in BEHAVIOURS and not modern:
        error = {"code": -32602, "message": "the envelope is missing"}
        return send({"id": request["id"], "error": error})
    if method == "initialize":
        result = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": CAPABILITIES,
            "serverInfo": {"name": "raw", "version": VERSION},
        }
    elif method == "server/discover":
        result = {
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": CAPABILITIES,
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "raw", "version": VERSION}},
        }
    elif method == "tools/list":
        result = {"tools": listed()}
        result = {"tools": listed()}
    elif method in FOLLOW and "tells" in BEHAVIOURS:
        result = FOLLOW[method](request, params)
    elif method == "tools/call":
        result = call(request)
    else:
        error = {"code": -32601, "message": "Method not found", "data": method}
        return send({"id": request["id"], "error": error})
    if result is None:
        return None
    if "modern" in BEHAVIOURS:
        result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **result}
    return send({"id": request["id"], "result": result})


def misbehave():
    if "exits" in BEHAVIOURS:
        print("cannot go on", file=sys.stderr, flush=True)
        sys.exit(3)
    if "junk" in BEHAVIOURS:
        print("hello, this is not MCP", flush=True)
    while "flood" in BEHAVIOURS:
        sys.stdout.write("x" * 65536)
    if "deaf" in BEHAVIOURS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main():
    misbehave()
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "notifications/cancelled":
            CANCELLED.add(message["params"]["requestId"])
            STREAMS.pop(message["params"]["requestId"], None)
        elif "id" in message and "method" in message and "silent" not in BEHAVIOURS:
            threading.Thread(target=answer, args=(message,), daemon=True).start()
            if "unread" in BEHAVIOURS and message["method"] == "tools/list":
                threading.Event().wait()
    while "deaf" in BEHAVIOURS:
        time.sleep(60)


main()
