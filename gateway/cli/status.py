"""``status``: every server on one line."""

from argparse import Namespace

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table

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
    servers = request_local(live, "GET", "status")["servers"]
    print(f"Gateway {live.version} at {live.url}, process {live.pid}")
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
    return Exit.OK


def _number(value: float | None, unit: int = 1) -> str:
    return "-" if value is None else f"{value / unit:.1f}"
