"""An MCP server without libraries whose lists are on its command line.

Usage: listing_server.py [modern] [tools=A,B] [many=N] [prompts=A] [resources=URI,URI]
[templates=URI]. Every tool answers with the server's process id and its arguments; `grow` adds a
tool, a prompt and a resource of the given name and tells so; `wait` waits and tells progress;
`later` becomes the task that its argument names;
`say` sends the notification of its arguments after its answer. With `tells` resources can be
followed, and it logs.
"""

import json
import os
import sys
import threading
import time

OPTIONS = {word.partition("=")[0]: word.partition("=")[2] for word in sys.argv[1:]}
WRITING = threading.Lock()
CANCELLED = set()
SCHEMA = {"type": "object", "properties": {"text": {"type": "string", "description": "any"}}}


def listed(option):
    return [word for word in OPTIONS.get(option, "").split(",") if word]


TOOLS = [{"name": name, "inputSchema": SCHEMA} for name in listed("tools")]
TOOLS += [
    {"name": f"t{n}", "description": f"Number {n}.", "inputSchema": SCHEMA}
    for n in range(int(OPTIONS.get("many", 0)))
]
PROMPTS = [{"name": name} for name in listed("prompts")]
RESOURCES = [{"uri": uri, "name": uri} for uri in listed("resources")]
TEMPLATES = [{"uriTemplate": uri, "name": uri} for uri in listed("templates")]
ASKED = []


def send(message):
    with WRITING:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def grow(name):
    TOOLS.append({"name": name, "inputSchema": SCHEMA})
    PROMPTS.append({"name": name})
    RESOURCES.append({"uri": f"new://{name}", "name": name})
    for kind in ("tools", "prompts", "resources"):
        send({"method": f"notifications/{kind}/list_changed"})


def wait(request, meta):
    for step in range(1000):
        if request["id"] in CANCELLED:
            return None
        time.sleep(0.02)
        if "progressToken" in meta:
            params = {"progressToken": meta["progressToken"], "progress": step + 1}
            send({"method": "notifications/progress", "params": params})
    return {"content": []}


def call(request, params):
    if params["name"] == "grow":
        grow(params["arguments"]["text"])
    if params["name"] == "wait":
        return wait(request, params.get("_meta", {}))
    if params["name"] == "later":
        return {"resultType": "task", "taskId": params["arguments"]["text"], "status": "working"}
    told = {"pid": os.getpid(), "tool": params["name"], "arguments": params.get("arguments")}
    told["asked"] = ASKED
    return {"content": [{"type": "text", "text": json.dumps(told)}]}


def greet(params):
    capabilities = {"tools": {"listChanged": True}}
    if PROMPTS:
        capabilities["prompts"] = {}
    if RESOURCES or TEMPLATES:
        capabilities["resources"] = {}
    if "tells" in OPTIONS:
        capabilities |= {"resources": {"subscribe": True}, "logging": {}}
    info = {"name": "listing", "version": "1"}
    if "modern" in OPTIONS:
        meta = {"io.modelcontextprotocol/serverInfo": info}
        return {"supportedVersions": ["2026-07-28"], "capabilities": capabilities, "_meta": meta}
    version = params["protocolVersion"]
    return {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info}


def resources(params):
    start = int(params.get("cursor", 0))
    page = {"resources": RESOURCES[start : start + 2]}
    return page | ({"nextCursor": str(start + 2)} if start + 2 < len(RESOURCES) else {})


ANSWERS = {
    "initialize": greet,
    "server/discover": greet,
    "tools/list": lambda _: {"tools": TOOLS},
    "prompts/list": lambda _: {"prompts": PROMPTS},
    "resources/list": resources,
    "resources/templates/list": lambda _: {"resourceTemplates": TEMPLATES},
    "prompts/get": lambda p: {"messages": [], "description": f"{p['name']} of {os.getpid()}"},
    "resources/read": lambda p: {"contents": [{"uri": p["uri"], "text": str(os.getpid())}]},
    "resources/subscribe": lambda _: {},
    "resources/unsubscribe": lambda _: {},
    "logging/setLevel": lambda _: {},
    **{
        f"tasks/{verb}": lambda p: {"taskId": p["taskId"], "status": str(os.getpid())}
        for verb in ("get", "update", "cancel")
    },
    "completion/complete": lambda p: {
        "completion": {"values": [json.dumps(p["ref"]), str(os.getpid())]}
    },
}


def result_of(request):
    params = request.get("params") or {}
    if request["method"] == "tools/call":
        return call(request, params)
    known = ANSWERS.get(request["method"])
    return known(params) if known else None


def answer(request):
    ASKED.append(request["method"])
    method, modern = request["method"], "modern" in OPTIONS
    refused = method == "initialize" and modern
    result = None if refused else result_of(request)
    if result is None and method == "tools/call":
        return
    if result is None:
        error = {"code": -32601, "message": "Method not found"}
        send({"id": request["id"], "error": error})
        return
    if modern:
        result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **result}
    send({"id": request["id"], "result": result})
    if method == "tools/call" and request["params"]["name"] == "say":
        send(request["params"]["arguments"])


for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "notifications/cancelled":
        CANCELLED.add(message["params"]["requestId"])
    elif "id" in message and "method" in message:
        threading.Thread(target=answer, args=(message,), daemon=True).start()
