"""``crash``: why a server's process died or did not start."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, show
from gateway.cli.table import plain


def run(args: Namespace) -> int:
    """Print one report as text."""
    asked = {"server": args.server, "which": args.which}
    report = ask(args, "get_crash_report", **asked)
    return show(args, report, lambda found: "\n".join(map(plain, _lines(found))))


def _lines(report: dict[str, Any]) -> list[str]:
    calls = [
        f"  {call['tool']}({call['arguments']}), for {call['running_s']:.1f} s"
        for call in report["calls"]
    ]
    return [
        report["message"],
        f"Report {report['which']} of {report['kept']}, {report['at']}",
        f"Calls that failed with it: {report['calls_failed']}",
        *calls,
        "The end of its standard error:" if report["stderr_tail"] else "No standard error.",
        *(f"  {line}" for line in report["stderr_tail"]),
    ]
