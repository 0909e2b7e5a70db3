"""A run as it is exported, and which runs somebody wants. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from gateway.audit.views import BadWish, read_instant
from gateway.domain.run import Run, RunStatus, RunWish
from gateway.tools.views import RunView, view_run

PAGE = 50
"""Runs that are held at a time; each may have megabytes of output."""
FURTHER = ("prompt", "output", "model", "tools", "servers", "refused_hosts", "session_id")
NAMES = (*(field.name for field in fields(RunView)), *FURTHER, "files")


def row_of(run: Run, files: Sequence[str]) -> dict[str, Any]:
    """Return what is exported of a run; `files` are the paths of those that are kept."""
    further = {name: getattr(run, name) for name in FURTHER}
    return {**asdict(view_run(run)), **further, "files": files}


def read_run_wish(asked: Mapping[str, str], now_ms: int) -> RunWish:
    """Return what somebody asks for in words; empty ones count as not said. Raises BadWish."""
    given = {name: text.strip() for name, text in asked.items() if text.strip()}
    return RunWish(
        since=read_instant("since", given.get("since"), now_ms),
        until=read_instant("until", given.get("until"), now_ms),
        job_id=given.get("job"),
        webhook_id=given.get("webhook"),
        status=_status(given.get("status")),
        after=_cursor(given.get("after")),
        limit=PAGE,
    )


def cursor_of(run: Run) -> str:
    """Return what to give as `after` to go on behind a run."""
    return f"{run.created_at}.{run.id}"


def _status(text: str | None) -> RunStatus | None:
    if text is None:
        return None
    try:
        return RunStatus(text)
    except ValueError:
        known = ", ".join(RunStatus)
        raise BadWish(f"'status' must be one of {known}.") from None


def _cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    at, dot, run_id = text.partition(".")
    if not at.isdecimal() or len(at) > 18 or not dot:
        raise BadWish("'after' must be what the last answer gave.")
    return int(at), run_id
