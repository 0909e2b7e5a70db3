"""Live events as programs read them: one JSON object each. Pure."""

from dataclasses import asdict
from typing import Any

from gateway.domain.live import LiveEvent, MessageCame, StatusIs, TextCame
from gateway.domain.units import iso
from gateway.run_pages.entries import entries_of
from gateway.tools.views import view_run


def event_view(event: LiveEvent) -> dict[str, Any]:
    """Return an event with its number."""
    number = str(event.place)
    match event:
        case MessageCame(message=message):
            return {
                "number": number,
                "event": "message",
                "at": iso(message.at),
                "kind": message.kind,
                "entries": [asdict(entry) for entry in entries_of(message)],
            }
        case TextCame(text=text, restart=restart):
            return {"number": number, "event": "text", "text": text, "restart": restart}
        case StatusIs(run=run):
            return {
                "number": number,
                "event": "status",
                "final": run.status.final,
                "run": asdict(view_run(run)),
            }
