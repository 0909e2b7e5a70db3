"""``servers list``, ``health``, ``show``, ``tools`` and ``code``: what there is, and how it is."""

import json
from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, lines, show
from gateway.cli.exits import Exit, Failure
from gateway.cli.table import format_table, plain

HEADINGS = ("SERVER", "KIND", "STATE", "ENABLED", "TOOLS", "NETWORK", "MISSING", "DESCRIPTION")
HEALTH = ("SERVER", "STATE", "UP S", "RESTARTS", "CALLS", "ERRORS", "CPU %", "MIB", "PROBLEM")
CREDENTIALS = ("CREDENTIAL", "REQUIRED", "SET", "VALUE")
DYNAMIC = "dynamic"
DESCRIPTION_CHARACTERS = 60


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "list":
            return _list(args)
        case "health":
            return show(args, ask(args, "get_server_health", server=args.server), _health)
        case "tools":
            return show(args, detail(args)["tools"], _tools)
        case "code":
            return _code(args)
        case _:
            return show(args, detail(args), _detail)


def kind_of(args: Namespace) -> str:
    """Return "fixed" or "dynamic". Raises Failure for a server that is not there."""
    return str(ask(args, "get_server_health", server=args.server)["servers"][0]["kind"])


def detail(args: Namespace) -> dict[str, Any]:
    """Return a server with its tools and credentials, and, of a dynamic one, its code."""
    if kind_of(args) == DYNAMIC:
        return ask(args, "get_dynamic_mcp_server", name=args.server)
    listed = ask(args, "list_fixed_mcp_servers")["servers"]
    server = next(each for each in listed if each["name"] == args.server)
    return {
        "server": server,
        "tools": [ask(args, "describe_tool", tool=name) for name in server["tools"]],
        "credentials": ask(args, "get_server_credentials", server=args.server)["credentials"],
    }


def _list(args: Namespace) -> Exit:
    if args.unconfigured:
        return show(args, ask(args, "get_unconfigured_servers"), _unconfigured)
    answers = [ask(args, f"list_{kind}_mcp_servers") for kind in ("fixed", DYNAMIC)]
    together = {
        "servers": sorted(
            (each for answer in answers for each in answer["servers"]), key=lambda s: s["name"]
        ),
        "problems": answers[0]["problems"],
    }
    return show(args, together, _table)


def _table(answer: Any) -> str:
    rows = [
        (
            each["name"],
            each["kind"],
            each["state"],
            "yes" if each["enabled"] else "no",
            len(each["tools"]),
            each["network"],
            " ".join(each["missing_credentials"]),
            each["description"][:DESCRIPTION_CHARACTERS],
        )
        for each in answer["servers"]
    ]
    table = format_table(HEADINGS, rows) if rows else "There are no servers."
    return "\n".join((table, *map(plain, answer["problems"])))


def _unconfigured(answer: Any) -> str:
    rows = [
        (each["server"], " ".join(want["key"] for want in each["missing"]))
        for each in answer["servers"]
    ]
    return format_table(("SERVER", "MISSING"), rows) if rows else "No server waits for a secret."


def _health(answer: Any) -> str:
    rows = [
        (
            each["server"],
            each["state"],
            "-" if each["uptime_s"] is None else f"{each['uptime_s']:.0f}",
            each["restarts"],
            each["calls"],
            each["errors"],
            _number(each["metrics"]["cpu_percent"]),
            _number(each["metrics"]["private_mib"]),
            each["problem"],
        )
        for each in answer["servers"]
    ]
    table = format_table(HEALTH, rows) if rows else "There are no servers."
    more = f"\nAnd {answer['more']} healthy ones." if answer["more"] else ""
    return table + more


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _tools(tools: Any) -> str:
    if not tools:
        return "It shows no tools."
    rows = [
        (each.get("name") or each["tool"], (each["description"] or "").split("\n")[0])
        for each in tools
    ]
    return format_table(("TOOL", "DESCRIPTION"), rows)


def _detail(answer: Any) -> str:
    server = answer["server"]
    told = {key: value for key, value in server.items() if value not in (None, "", [], {})}
    told.pop("tools", None)
    facts = [f"{key}: {plain(_fact(value))}" for key, value in told.items()]
    parts = ["\n".join(facts), _tools(answer["tools"])]
    if answer["credentials"]:
        parts.append(credentials_table(answer["credentials"]))
    return "\n\n".join(parts)


def credentials_table(credentials: Any) -> str:
    """Return what a server declares and has, masked."""
    rows = [
        (
            each["key"],
            "yes" if each["required"] else "no",
            each["set_at"] or "-",
            each["masked"] or "-",
        )
        for each in credentials
    ]
    return format_table(CREDENTIALS, rows) if rows else "It declares and has no credentials."


def _fact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _code(args: Namespace) -> Exit:
    if kind_of(args) != DYNAMIC:
        raise Failure(Exit.FAILED, f"Server {args.server!r} is fixed; look into its folder.")
    code = ask(args, "get_dynamic_mcp_server", name=args.server)["code"]
    if code is None:
        raise Failure(Exit.FAILED, f"Server {args.server!r} has a command and no server.py.")
    return show(args, {"code": code}, lambda answer: lines(answer["code"].rstrip("\n")))
