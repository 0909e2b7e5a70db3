"""What the command line changes in the store of a home that no gateway holds leaves entries too."""

import sys

from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from gateway.settings import Settings
from gateway.store import Store, StoreError


async def note_offline(
    store: Store, settings: Settings, action: str, *, target: str = "", arguments: str = ""
) -> None:
    """Write down that something was changed; where that fails, say so and let the change stand.

    `arguments` has names and kinds, never a value.
    """
    if not settings.audit_entries:
        return
    entry = AuditEntry(
        at=utc_ms(),
        actor=Actor.CLI,
        action=action,
        target=target,
        arguments=arguments,
        outcome=Outcome.OK,
    )
    try:
        await store.audit.add([entry])
    except StoreError as error:
        # What was done cannot be taken back, and its result, such as a token, is shown only once.
        print(f"claude-runner: The audit log has no entry of this: {error}", file=sys.stderr)
