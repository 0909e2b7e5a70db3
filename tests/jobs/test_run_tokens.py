"""Tokens of live runs."""

from gateway.auth.run_tokens import RunTokens, token_hash


def test_token_reaches_what_was_granted_and_nothing_else():
    """Ours: servers and tools by name, a whole server by its star."""
    tokens = RunTokens(lambda: 1000)
    token = tokens.issue("run_1", tools=["mcp__email__send", "mcp__notes__*"], ttl_s=60)
    grant = tokens.grant(token_hash(token))
    assert grant is not None
    assert (grant.run_id, grant.expires_at) == ("run_1", 61_000)
    assert grant.view.may_call("email", "send")
    assert grant.view.may_call("notes", "anything")
    assert not grant.view.may_call("email", "list")
    assert not grant.view.may_call("other", "send")


def test_token_ends_with_its_run_and_with_its_time():
    """Ours: nothing is left to use."""
    now = 1000
    tokens = RunTokens(lambda: now)
    first = tokens.issue("run_1", tools=[], ttl_s=60)
    second = tokens.issue("run_2", tools=[], ttl_s=60)
    again = tokens.issue("run_1", tools=[], ttl_s=60)
    assert tokens.grant(token_hash(first)) is None
    tokens.revoke("run_2")
    assert tokens.grant(token_hash(second)) is None
    assert tokens.grant(token_hash(again)) is not None
    now = 61_000
    assert tokens.grant(token_hash(again)) is None


def test_unknown_token_grants_nothing():
    """Ours: also text that is no valid Unicode."""
    assert RunTokens().grant(token_hash("crr_\udcff")) is None
