"""A tiny handshake-era MCP server that talks back: it asks, logs, remembers, tells of changes.

Tools: `ask` sends a request to its client and returns the whole answer, `ask_soon` does so after
the answer to `release` and logs that it did, `give_up` cancels it again; `log` and `say` send
notifications; `count` tells how often it was called, `told` every message that came; `wait` lasts
until `release`; `die`; `version`.
With the argument `asks-roots` it asks for roots as soon as it is initialised.
"""

import json
import os
import sys
import threading

WRITING = threading.Lock()
ANSWERS: dict = {}
ANSWERED = threading.Condition()
TOLD: list = []
COUNT = [0]
LAST_ID = [0]
RELEASED = threading.Event()
VERSION = next((word.partition("=")[2] for word in sys.argv if word.startswith("version=")), "1")
TOOLS = (
    "ask",
    "ask_soon",
    "give_up",
    "log",
    "say",
    "count",
    "told",
    "wait",
    "release",
    "die",
    "version",
)


def send(message):
    with WRITING:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def put(method, params):
    with ANSWERED:
        LAST_ID[0] += 1
        number = LAST_ID[0]
    send({"id": number, "method": method, "params": params})
    return number


def ask(method, params):
    number = put(method, params)
    with ANSWERED:
        ANSWERED.wait_for(lambda: number in ANSWERS)
        return ANSWERS.pop(number)


def give_up(method, params):
    number = put(method, params)
    send({"method": "notifications/cancelled", "params": {"requestId": number}})
    return number


def ask_soon(method, params):
    def later():
        RELEASED.wait()
        TOLD.append({"answer": ask(method, params)})
        log("error", "asked")

    threading.Thread(target=later, daemon=True).start()


def say(method, params=None):
    send({"method": method, "params": params or {}})


def log(level, data):
    say("notifications/message", {"level": level, "data": data})


def count():
    COUNT[0] += 1
    return COUNT[0]


CALLS = {
    "ask": ask,
    "ask_soon": ask_soon,
    "give_up": give_up,
    "say": say,
    "log": log,
    "count": count,
    "told": lambda: TOLD,
    "wait": RELEASED.wait,
    "release": lambda: None,
    "die": lambda: os._exit(3),
    "version": lambda: VERSION,
}


def result(request):
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {
                "tools": {"listChanged": True},
                "resources": {"subscribe": True},
                "logging": {},
            },
            "serverInfo": {"name": "talking", "version": VERSION},
        }
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    if method == "tools/call":
        value = CALLS[params["name"]](**params.get("arguments", {}))
        return {"content": [{"type": "text", "text": json.dumps(value)}]}
    return {}


def reply(request):
    send({"id": request["id"], "result": result(request)})
    if request.get("params", {}).get("name") == "release":
        RELEASED.set()


def main():
    for line in sys.stdin:
        message = json.loads(line)
        TOLD.append(message)
        if message.get("method") == "notifications/initialized" and "asks-roots" in sys.argv:
            put("roots/list", {})
        elif "method" not in message:
            with ANSWERED:
                ANSWERS[message["id"]] = message
                ANSWERED.notify_all()
        elif "id" in message:
            threading.Thread(target=reply, args=(message,), daemon=True).start()


main()
