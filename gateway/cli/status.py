"""``status``: every server on one line, and below what a line has no room for."""

import importlib
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table, plain
from gateway.domain.units import instant, size

MIB = 1024 * 1024
HEADINGS = (
    "SERVER",
    "KIND",
    "STATE",
    "SANDBOX",
    "NETWORK",
    "START",
    "GEN",
    "PID",
    "CALLS",
    "ERRORS",
    "CPU %",
    "MIB",
    "P95 MS",
    "REASON",
)


AT_REST = frozenset({"ready", "starting", "stopped", "stopping", "disabled"})
"""States in which nobody need look."""


def run(args: Namespace) -> int:
    """Print where the gateway listens and a table of its servers."""
    if args.watch:
        # Its library is for terminals alone, and takes a while to import.
        watch = importlib.import_module("gateway.cli.status_watch").watch
        return cast("Callable[[Namespace], int]", watch)(args)
    answer = read_status(args)
    show(args, answer, status_text)
    if args.check and (unwell := [each["name"] for each in answer["servers"] if not is_well(each)]):
        raise Failure(Exit.NOT_WELL, f"Not well: {', '.join(unwell)}.")
    return Exit.OK


def read_status(args: Namespace) -> dict[str, Any]:
    """Return how gateway and servers are. Raises Failure, Refused and GatewayUnreachable."""
    live = live_gateway(args)
    status = request_local(live, "GET", "status")
    reach = request_local(live, "GET", "reach")
    where = {"version": live.version, "url": live.url, "pid": live.pid}
    return {**where, "public": reach["public"], "tunnel": reach["tunnel"], **status}


def is_well(server: Mapping[str, Any]) -> bool:
    """Tell whether nothing of a server waits for its owner."""
    troubled = server["rejected"] or server["quarantined_tools"] or server["restarting"]
    return server["state"] in AT_REST and not troubled


def status_text(answer: Any) -> str:
    """Return it as lines."""
    rows = rows_of(answer["servers"])
    remarks = [f"{each['name']}: {note}" for each in answer["servers"] for note in notes(each)]
    table = format_table(HEADINGS, rows) if rows else "No servers."
    return "\n".join((*heading(answer), table, *remarks))


def heading(answer: Mapping[str, Any]) -> list[str]:
    """Return where the gateway is, and what is not confined."""
    said = [
        f"Gateway {answer['version']} at {answer['url']}, process {answer['pid']}, "
        f"{answer['http_server']}"
    ]
    if answer["public"]:
        said.append(f"Others reach it at {plain(answer['public'])}")
    if answer["tunnel"]:
        said.append(plain(answer["tunnel"]))
    if answer["notice"]:
        said.append(f"WARNING: {answer['notice']}")
    return said


def rows_of(servers: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """Return one row for each server."""
    return [
        (
            each["name"],
            each["kind"],
            each["state"],
            each["level"],
            each["network"],
            each["start"] or "-",
            each["generation"],
            each["pid"] or "-",
            each["calls"],
            each["errors"],
            _number(each["cpu_percent"]),
            _number(each["private_bytes"], MIB),
            _number(each["p95_ms"]),
            each["reason"],
        )
        for each in servers
    ]


def notes(server: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the table has no room for: quarantined tools, hosts, packages."""
    if server["quarantined_tools"]:
        names = ", ".join(map(plain, server["quarantined_tools"]))
        yield f"WARNING: quarantined tools: {names}; see: ./claude-runner approvals list"
    if server["hosts"]:
        moved = f"{size(server['bytes_out'])} out, {size(server['bytes_in'])} in"
        yield f"may reach {', '.join(server['hosts'])} ({moved})"
    if server["refused_hosts"]:
        yield f"was refused {', '.join(server['refused_hosts'])}"
    if server["packages"]:
        yield f"has packages of its own: {', '.join(server['packages'])} ({_built(server)})"


def _built(server: Mapping[str, Any]) -> str:
    if server["environment_built_at"] is None or server["environment_bytes"] is None:
        return "not built yet"
    return f"{size(server['environment_bytes'])}, built {instant(server['environment_built_at'])}"


def _number(value: float | None, unit: int = 1) -> str:
    return "-" if value is None else f"{value / unit:.1f}"
