"""What programs ask of the OAuth endpoints: tokens, registrations, revocations.

What the owner's browser does there leaves its entries as all pages do, see `requests`.
"""

from gateway.audit.outcomes import outcome_of_status
from gateway.audit.trail import Trail
from gateway.domain.audit import Actor, AuditEntry
from gateway.domain.clock import utc_ms
from gateway.oauth.journal import Entry, Journal

ACTIONS = {
    "/token": "oauth token",
    "/oauth/token": "oauth token",
    "/register": "oauth registration",
    "/revoke": "oauth revocation",
}


def watch_programs(journal: Journal, trail: Trail) -> None:
    """Have what the journal says of programs leave entries."""

    def told(entry: Entry, status: int) -> None:
        action = ACTIONS.get(entry.path)
        if action is None or entry.method != "POST":
            return
        facts, grant = entry.facts, entry.facts.get("grant")
        made = AuditEntry(
            at=utc_ms(),
            actor=Actor.STRANGER if grant is None else Actor.CLIENT,
            actor_id=grant or facts.get("address", ""),
            action=action,
            # What it sends is its own word until its request is accepted.
            target=facts.get("client", "") if status < 400 else "",
            arguments=facts.get("grant_type", "") if grant else "",
            outcome=outcome_of_status(status),
            correlation=entry.id,
        )
        if grant is None:
            trail.stranger_did(made)
        else:
            trail.note(lambda: made)

    journal.on_written = told
