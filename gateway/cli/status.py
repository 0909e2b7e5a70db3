"""``status``: every server on one line, and below what a line has no room for."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
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


def run(args: Namespace) -> int:
    """Print where the gateway listens and a table of its servers."""
    live = live_gateway(args)
    status = request_local(live, "GET", "status")
    reach = request_local(live, "GET", "reach")
    servers = status["servers"]
    print(f"Gateway {live.version} at {live.url}, process {live.pid}, {status['http_server']}")
    if reach["public"]:
        print(f"Others reach it at {plain(reach['public'])}")
    if reach["tunnel"]:
        print(plain(reach["tunnel"]))
    if status["notice"]:
        print(f"WARNING: {status['notice']}")
    rows = [
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
    print(format_table(HEADINGS, rows) if rows else "No servers.")
    for each in servers:
        for note in notes(each):
            print(f"{each['name']}: {note}")
    return Exit.OK


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
