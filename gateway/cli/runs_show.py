"""One run as text for a terminal. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from gateway.cli.answers import lines
from gateway.cli.table import format_table

Answer = dict[str, Any]

FACTS = {
    "Status": "status",
    "Error": "error",
    "Limit reached": "limit_reached",
    "Started by": "trigger",
    "Job": "job_id",
    "Webhook": "webhook_id",
    "After run": "chained_from",
    "Due": "scheduled_for",
    "Created": "created_at",
    "Began": "started_at",
    "Ended": "finished_at",
    "Seconds": "duration_s",
    "Attempt": "attempt",
    "Turns": "turns",
    "Input tokens": "input_tokens",
    "Output tokens": "output_tokens",
    "Cost in US dollars": "cost_usd",
    "Budget in US dollars": "budget_usd",
}


def text_of_run(detail: Answer) -> str:
    """Return all that `get_run` tells, as sections."""
    run = detail["run"]
    facts = [(name, run[key]) for name, key in FACTS.items() if run[key] is not None]
    parts = [format_table(("Run", run["id"]), facts)]
    parts += _section("Asked", lines(detail["prompt"]))
    parts += _section("Answered", lines(detail["output"] or ""))
    if detail["structured"] is not None:
        pretty = json.dumps(detail["structured"], indent=2, ensure_ascii=False)
        parts += _section("Structured", lines(pretty))
    parts += _section("Cost by model", _models(detail["models"]))
    for attempt in detail["attempts"]:
        parts += _section(f"Attempt {attempt['attempt']}", _attempt(attempt))
    parts += _section("Calls", _calls(detail["calls"]))
    parts += _section("Files", "\n".join(file_rows(detail["files"])))
    return "\n\n".join(parts)


def file_rows(files: Answer) -> Iterator[str]:
    """Yield the lines about the files of a run; none without any."""
    rows = [
        (
            each["path"],
            str(each["bytes"]),
            each["kind"],
            str(each["attempt"]),
            (each["sha256"] or "")[:12],
            each["not_kept"] or "",
        )
        for each in files["files"]
    ]
    if rows:
        yield format_table(("PATH", "BYTES", "KIND", "ATTEMPT", "SHA-256", "NOT KEPT"), rows)
    if files["next_offset"] is not None:
        yield "There are more; `runs files` lists all."
    if files["unlisted"] or files["may_be_more"]:
        yield f"{files['unlisted'] or 'Some'} more are not named, because there were too many."


def _section(title: str, text: str) -> list[str]:
    return [f"{title}:\n{text}"] if text else []


def _models(models: list[Answer]) -> str:
    rows = [
        (
            each["model"],
            "unknown" if each["cost_usd"] is None else f"{each['cost_usd']:.4f}",
            str(each["requests"]),
            str(each["input_tokens"]),
            str(each["output_tokens"]),
            str(each["cache_read_tokens"]),
            str(each["cache_write_tokens"]),
        )
        for each in models
    ]
    headings = ("MODEL", "US DOLLARS", "REQUESTS", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITTEN")
    return format_table(headings, rows) if rows else ""


def _attempt(attempt: Answer) -> str:
    versions = (
        f"Model {attempt['model']}, CLI {attempt['cli_version']}, SDK {attempt['sdk_version']}, "
        f"gateway {attempt['gateway_version']}."
    )
    rows = [
        (
            each["name"],
            str(each["generation"]),
            "" if each["last_generation"] is None else str(each["last_generation"]),
            each["code"],
            str(len(each["tools"]) + each["more_tools"]),
        )
        for each in attempt["servers"]
    ]
    headings = ("SERVER", "GENERATION", "AT THE END", "CODE", "TOOLS")
    return "\n".join([lines(versions), *([format_table(headings, rows)] if rows else [])])


def _calls(calls: list[Answer]) -> str:
    rows = [
        (each["tool"], each["outcome"], f"{each['took_s']:.3f}", each["began_at"]) for each in calls
    ]
    return format_table(("TOOL", "OUTCOME", "S", "BEGAN"), rows) if rows else ""
