"""A run as HTML: what the page shows, and the same as events for a page that is open."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from jinja2 import Environment

from gateway.dashboard.views import NONE, duration, money, tone_of
from gateway.domain.live import LiveEvent, MessageCame, StatusIs, TextCame
from gateway.domain.run import Run
from gateway.domain.units import instant
from gateway.jobs.feeds import Events
from gateway.jobs.ticks import PUNCTUAL_MS
from gateway.run_pages.entries import Entry, EntryKind, entries_of

SHOWN_CHARS = 32 * 1024
"""Of one entry on a page; the command line has all of it."""


@dataclass(frozen=True, slots=True)
class State:
    """How a run stands, as text."""

    status: str
    tone: str
    final: bool
    error: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the conversation."""

    entry: Entry
    title: str
    body: str


def state_of(run: Run) -> State:
    """Return how a run stands."""
    facts = (
        ("Started by", run.trigger.value),
        ("Job", run.job_id or ""),
        ("Webhook", run.webhook_id or ""),
        ("Model", run.model or "as set"),
        ("Due", _due(run)),
        ("Created", instant(run.created_at)),
        ("Began", instant(run.started_at) if run.started_at else NONE),
        ("Took", duration(run.took_s)),
        ("Attempt", str(run.attempt) if run.attempt > 1 else ""),
        ("Turns", NONE if run.turns is None else str(run.turns)),
        ("Tokens", f"{_count(run.input_tokens)} in, {_count(run.output_tokens)} out"),
        ("Cost", money(run.cost_micro_usd)),
    )
    return State(
        status=run.status.value,
        tone=tone_of(run.status),
        final=run.status.final,
        error=run.error or "",
        facts=tuple((name, text) for name, text in facts if text),
    )


def rows_of(entries: Iterable[Entry], calls: dict[str, str]) -> tuple[Row, ...]:
    """Return the rows of entries; `calls` keeps the names of calls for their results."""
    return tuple(_row(entry, calls) for entry in entries)


class ServerSentEvents:
    """Writes the events of one reader."""

    def __init__(self, templates: Environment) -> None:
        self._entries = templates.get_template("run_entries.html")
        self._state = templates.get_template("run_state.html")
        self._calls: dict[str, str] = {}

    async def __call__(self, events: Events) -> str:
        """Return the text of events; without any, one that says that the run goes on."""
        return "".join([await self._write(event) for event in events]) or ": alive\n\n"

    async def _write(self, event: LiveEvent) -> str:
        number = str(event.place)
        match event:
            case MessageCame(message=message):
                rows = rows_of(entries_of(message), self._calls)
                return _event("message", number, await self._entries.render_async(rows=rows))
            case TextCame(text=text, restart=restart):
                return _event("text", number, json.dumps({"text": text, "restart": restart}))
            case StatusIs(run=run):
                state = state_of(run)
                shown = _event("state", number, await self._state.render_async(state=state))
                return shown + (_event("end", number, "") if state.final else "")


def _row(entry: Entry, calls: dict[str, str]) -> Row:
    title = entry.title
    if entry.kind is EntryKind.CALL:
        calls[entry.call_id] = title
        title = f"Call of {title}"
    elif entry.kind is EntryKind.RESULT:
        what = "Error" if entry.failed else "Answer"
        title = f"{what} of {calls.pop(entry.call_id, 'the tool')}"
    body = entry.body
    if len(body) > SHOWN_CHARS:
        body = f"{body[:SHOWN_CHARS]}\n… {len(body) - SHOWN_CHARS} more characters"
    return Row(entry, title, body)


def _event(name: str, number: str, text: str) -> str:
    # Every kind of line end that a browser knows must not end the field.
    lines = "".join(f"data: {line}\n" for line in text.replace("\r", "&#13;").split("\n"))
    return f"id: {number}\nevent: {name}\n{lines}\n"


def _count(tokens: int | None) -> str:
    return NONE if tokens is None else f"{tokens:,}"


def _due(run: Run) -> str:
    """Return for when a run was due, and by how much it was late; empty: it was not by schedule."""
    if run.scheduled_for is None:
        return ""
    due, late_ms = instant(run.scheduled_for), run.created_at - run.scheduled_for
    return due if late_ms < PUNCTUAL_MS else f"{due}, made up for {duration(late_ms / 1000)} later"
