"""``servers outdated`` and ``servers update``."""

import sys
from argparse import Namespace
from typing import Any
from urllib.parse import quote

from gateway.cli.answers import show
from gateway.cli.client import BUILD_TIMEOUT_S, Refused, request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.progress import waiting
from gateway.cli.table import format_table, plain

HEADINGS = ("SERVER", "KIND", "PACKAGE", "PINNED", "NEWEST", "CHANGES")


def run(args: Namespace) -> int:
    """Carry out one action."""
    live = live_gateway(args)
    if args.action == "outdated":
        with waiting(args, "Asking the index"):
            return show(args, _outdated(live), _table)
    if args.all == bool(args.server):
        raise Failure(Exit.WRONG_USE, "Name one server, or give --all.")
    if args.all and args.to:
        raise Failure(Exit.WRONG_USE, "--to is for one server.")
    names = [args.server]
    if args.all:
        names = [each["server"] for each in _outdated(live)["servers"]]
    wish = {"to": args.to, "dry_run": args.dry_run}
    done: list[Any] = []
    for name in names:
        with waiting(args, f"Updating {name}"):
            done.append(_updated(live, name, wish, alone=not args.all))
    show(args, {"servers": done}, lambda answer: "\n".join(map(told, answer["servers"])))
    return Exit.OK if all(each.get("ok", True) for each in done) else Exit.FAILED


def _outdated(live: Any) -> Any:
    return request_local(live, "GET", "catalog", timeout_s=BUILD_TIMEOUT_S)


def _updated(live: Any, name: str, wish: dict[str, Any], *, alone: bool) -> Any:
    try:
        return request_local(
            live, "POST", f"catalog/{quote(name, safe='')}/update", wish, BUILD_TIMEOUT_S
        )
    except Refused as error:
        if alone:
            raise
        # One that cannot be updated keeps no other from it.
        return {"server": name, "ok": False, "problem": str(error), "changes": []}


def show_changed(args: Namespace, answer: Any) -> Exit:
    """Print what became of a server. Raises Failure when it does not run as asked."""
    show(args, answer, lambda given: plain(f"Server {given['server']!r} is {given['state']}."))
    if not answer["ok"]:
        for line in answer["stderr_tail"]:
            print(f"  {plain(line)}", file=sys.stderr)
        raise Failure(Exit.FAILED, plain(answer["problem"]))
    return Exit.OK


def told(done: Any) -> str:
    """Return what became of one server, in words."""
    changes = ", ".join(done["changes"])
    if done.get("problem") and done.get("kept"):
        return plain(
            f"{done['server']}: {changes}; it is in place and does not run. {done['problem']} Go "
            f"back with: ./claude-runner servers rollback {done['server']}"
        )
    if done.get("problem"):
        return plain(f"{done['server']}: stays as it was. {done['problem']}")
    if not changes:
        return plain(f"{done['server']}: is up to date.")
    if "ok" not in done:
        return plain(f"{done['server']}: would change: {changes}")
    return plain(f"{done['server']}: {changes}; version {done['version']}, {done['state']}.")


def _table(answer: Any) -> str:
    rows = [
        (
            each["server"],
            each["kind"] or "-",
            each["package"] or "-",
            each["pinned"] or "-",
            each["newest"] or "-",
            each["problem"] or ", ".join(each["changes"]) or "none",
        )
        for each in answer["servers"]
    ]
    return format_table(HEADINGS, rows) if rows else "No server was added."
