"""``runs``: what the owner asks about runs on the command line."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from gateway.cli.answers import ask, lines, show
from gateway.cli.runs_show import file_rows, text_of_run
from gateway.cli.table import format_table, plain

HEADINGS = ("ID", "STATUS", "TRIGGER", "JOB", "CREATED", "S", "COST", "ERROR")

Answer = dict[str, Any]


def run(args: Namespace) -> int:
    """Carry out one action."""
    actions: dict[str, tuple[Callable[[Namespace], Answer], Callable[[Answer], str]]] = {
        "list": (_list, _listed),
        "show": (lambda args: ask(args, "get_run", run_id=args.run_id), text_of_run),
        "files": (_files, _shown_files),
        "kill": (lambda args: ask(args, "kill_run", run_id=args.run_id), _killed),
    }
    asked, text = actions[args.action]
    return show(args, asked(args), text)


def _list(args: Namespace) -> Answer:
    return ask(
        args,
        "list_runs",
        job_id=args.job,
        webhook_id=args.webhook,
        status=args.status,
        since=args.since,
        until=args.until,
        after=args.after,
        limit=args.limit,
    )


def _files(args: Namespace) -> Answer:
    """Return all files of a run in one answer."""
    answer = page = ask(args, "list_run_files", run_id=args.run_id)
    while page["next_offset"] is not None:
        page = ask(args, "list_run_files", run_id=args.run_id, offset=page["next_offset"])
        answer["files"] += page["files"]
    return {**answer, "next_offset": None}


def _listed(answer: Answer) -> str:
    rows = [
        (
            each["id"],
            each["status"],
            each["trigger"],
            each["job_id"] or "",
            each["created_at"],
            "" if each["duration_s"] is None else f"{each['duration_s']:.1f}",
            "" if each["cost_usd"] is None else f"${each['cost_usd']:.4f}",
            each["error"] or "",
        )
        for each in answer["runs"]
    ]
    if not rows:
        return "There are no runs."
    older = "" if answer["next"] is None else f"\nOlder ones: --after {answer['next']}"
    return format_table(HEADINGS, rows) + older


def _shown_files(answer: Answer) -> str:
    return lines("\n".join(file_rows(answer))) or "The run left no files."


def _killed(run: Answer) -> str:
    return plain(f"Run {run['id']} ended as {run['status']}.")
