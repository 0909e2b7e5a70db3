"""Commands that change a home which no gateway holds leave their entries themselves."""

import sqlite3
from pathlib import Path

import pytest

from gateway.audit.actions import CREATE_TOKEN, REPLACE_KEY, REVOKE_TOKEN, ROTATE_CLIENT
from gateway.cli import client_offline, key_offline
from gateway.cli.exits import Failure
from gateway.cli.tokens_offline import StoreDesk
from gateway.domain.token import Scope, TokenWish
from gateway.settings import Settings, load


def settings_of(folder: Path, **more: str) -> Settings:
    """Return the settings of a home in a folder."""
    return load({"CLAUDE_RUNNER_HOME": str(folder / "home"), **more}, None)


def entries(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Return who did what to what with which outcome, in this order."""
    with sqlite3.connect(settings.home / "jobs.db") as database:
        query = "SELECT actor, action, target, outcome FROM audit ORDER BY number"
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_each_change_leaves_an_entry_and_no_secret(tmp_path: Path) -> None:
    """Issue 6, 9: the name of a change is that of the same change with a gateway."""
    settings = settings_of(tmp_path)
    desk = StoreDesk(settings)
    value = desk.create(TokenWish(name="laptop", scope=Scope.ADMIN))
    (token,) = desk.all()
    desk.revoke(token["id"])
    with pytest.raises(Failure):
        desk.revoke(token["id"])
    printed = client_offline.rotate_client(settings)
    key_offline.act(settings, None)
    for which in ("data", "master"):
        key_offline.act(settings, which)
    assert entries(settings) == [
        ("cli", CREATE_TOKEN, token["id"], "ok"),
        ("cli", REVOKE_TOKEN, token["id"], "ok"),
        ("cli", ROTATE_CLIENT, "", "ok"),
        ("cli", REPLACE_KEY, "data", "ok"),
        ("cli", REPLACE_KEY, "master", "ok"),
    ]
    secrets = [value, printed.splitlines()[1].partition("=")[2]]
    content = (settings.home / "jobs.db").read_bytes()
    assert [secret for secret in secrets if secret.encode() in content] == []


def test_whoever_wants_no_audit_log_gets_none(tmp_path: Path) -> None:
    """Ours: AUDIT_ENTRIES=0."""
    settings = settings_of(tmp_path, AUDIT_ENTRIES="0")
    StoreDesk(settings).create(TokenWish(name="laptop", scope=Scope.ADMIN))
    assert entries(settings) == []
