"""``jobs``: what the owner asks about jobs on the command line, and does to them."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, ask_first, lines, show, show_message
from gateway.cli.exits import Exit
from gateway.cli.fields import given
from gateway.cli.jobs_parser import CHANGES, FIELDS
from gateway.cli.names import id_of
from gateway.cli.table import format_table, plain

HEADINGS = ("ID", "NAME", "SCHEDULE", "ZONE", "STATE", "NEXT", "FAILURES")


def run(args: Namespace) -> int:
    """Carry out one action."""
    if args.action == "list":
        return show(args, ask(args, "list_jobs"), _list)
    if args.action == "create":
        asked = {"name": args.name, "prompt": args.prompt, **given(args, FIELDS)}
        return show(args, ask(args, "create_job", **asked), _detail)
    return _act(args, _job_id(args))


def _act(args: Namespace, job_id: str) -> Exit:
    match args.action:
        case "edit":
            return show(
                args, ask(args, "update_job", job_id=job_id, **given(args, CHANGES)), _detail
            )
        case "pause":
            until = {"paused_until": args.until} if args.until else {"enabled": False}
            return show(args, ask(args, "update_job", job_id=job_id, **until), _paused)
        case "resume":
            awake = {"enabled": True, "paused_until": ""}
            return show(args, ask(args, "update_job", job_id=job_id, **awake), _times)
        case "run":
            return show(args, ask(args, "trigger_job", job_id=job_id), _started)
        case "delete":
            ask_first(args, f"Delete job {job_id} and all its runs?")
            return show_message(args, ask(args, "delete_job", job_id=job_id))
        case "fire-token":
            if args.delete:
                return show_message(args, ask(args, "delete_job_fire_token", job_id=job_id))
            return show(args, ask(args, "create_job_fire_token", job_id=job_id), _token)
        case _:
            text = _times if args.action == "next" else _detail
            return show(args, ask(args, "get_job", job_id=job_id), text)


def _job_id(args: Namespace) -> str:
    return id_of(args, "list_jobs", "jobs", args.job)


def _list(answer: Any) -> str:
    rows = [
        (
            job["id"],
            job["name"],
            job["cron"] or f"once {job['at']}",
            job["timezone"],
            _state(job),
            job["next_run_at"] or "-",
            job["failures"],
        )
        for job in answer["jobs"]
    ]
    return format_table(HEADINGS, rows) if rows else "There are no jobs."


def _state(job: Any) -> str:
    if not job["enabled"]:
        return "off"
    return f"paused until {job['paused_until']}" if job["paused_until"] else "on"


def _detail(answer: Any) -> str:
    job = answer["job"]
    told = {key: value for key, value in job.items() if value not in (None, "", [])}
    prompt = told.pop("prompt")
    facts = [f"{key}: {plain(value)}" for key, value in told.items()]
    return "\n".join((*facts, "", lines(prompt), "", _times(answer)))


def _times(answer: Any) -> str:
    times = answer["next_runs"] or ["It does not run by itself."]
    return "\n".join(
        map(plain, (*times, answer["timezone_note"], *answer["tool_warnings"]))
    ).strip()


def _paused(answer: Any) -> str:
    job = answer["job"]
    until = job["paused_until"] if job["enabled"] else None
    return plain(f"Job {job['name']!r} is paused{f' until {until}' if until else ''}.")


def _started(answer: Any) -> str:
    return (
        f"Run {answer['run_id']} is {answer['status']}; follow it with: "
        f"./claude-runner runs follow {answer['run_id']}"
    )


def _token(answer: Any) -> str:
    shown = f"Token, shown this once: {answer['token']}"
    return "\n".join((plain(answer["message"]), f"POST {answer['url']}", shown))
