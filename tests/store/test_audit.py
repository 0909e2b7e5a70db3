"""What the table of the audit log promises, on both databases."""

from msgspec.structs import replace

from gateway.domain.audit import Actor, AuditEntry, AuditWish, Outcome
from gateway.store import Store

ENTRY = AuditEntry(
    at=1000,
    actor=Actor.TOKEN,
    actor_id="tok_1",
    action="tools/call",
    server="notes",
    tool="add",
    target="",
    arguments="{text: 5 characters}",
    asked_bytes=10,
    answered_bytes=20,
    outcome=Outcome.OK,
    took_us=1500,
    correlation="c1",
)


async def test_entries_come_back_as_they_were_added(store: Store) -> None:
    """Ours: many at once, in their order; what no database can hold is replaced."""
    odd = replace(ENTRY, at=2000, outcome=Outcome.REFUSED, tool="nul\x00, \ud800, 'quote' and é")
    await store.audit.add([])
    await store.audit.add([ENTRY, odd])
    newest, oldest = await store.audit.find(AuditWish(limit=10))
    assert (oldest.entry, oldest.number + 1) == (ENTRY, newest.number)
    assert newest.entry == replace(odd, tool="nul\ufffd, \ufffd, 'quote' and é")
    (found,) = await store.audit.find(AuditWish(limit=10, outcome=Outcome.REFUSED))
    assert found == newest
    assert await store.audit.prune(older_than=1500, keep=10) == 1
    assert await store.audit.find(AuditWish(limit=10)) == (newest,)
