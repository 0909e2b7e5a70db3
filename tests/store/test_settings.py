"""What the settings rows promise, on both databases."""

from typing import Any

import pytest

from gateway.store import SettingRefused, Store
from gateway.store.settings import MAX_NAMES

DEFAULTS: dict[str, Any] = {
    "allowed_tools": ["WebSearch", "WebFetch", "Read", "Write", "Edit", "Bash"],
    "mcp_servers": [],
    "mcp_env_vars": {},
    "webhook_base_url": "http://localhost:8080",
    "sandbox_mode": True,
}

REFUSED: list[tuple[str, object]] = [
    ("allowed_tools", "Read"),
    ("allowed_tools", {"Read": True}),
    ("allowed_tools", ["Read", 1]),
    ("allowed_tools", ["Read", ""]),
    ("allowed_tools", ["Read", "Read"]),
    ("allowed_tools", [["Read"]]),
    ("allowed_tools", ["x" * 201]),
    ("mcp_servers", None),
    ("mcp_servers", [str(number) for number in range(MAX_NAMES + 1)]),
    ("mcp_env_vars", {"email": {"TOKEN": "secret"}}),
    ("mcp_env_vars", []),
    ("webhook_base_url", 8080),
    ("webhook_base_url", ""),
    ("webhook_base_url", "localhost:8080"),
    ("webhook_base_url", "ftp://example.com"),
    ("webhook_base_url", "https://"),
    ("webhook_base_url", "https://example.com?x=1"),
    ("webhook_base_url", "https://example.com/#x"),
    ("webhook_base_url", "https://user:secret@example.com"),
    ("webhook_base_url", "https://example.com:99999"),
    ("webhook_base_url", "https://[example.com"),
    ("webhook_base_url", "https://exa mple.com"),
    ("webhook_base_url", "https://example.com\n"),
    ("sandbox_mode", False),
    ("sandbox_mode", True),
    ("unknown", 1),
]


async def test_settings_start_at_their_defaults(store: Store) -> None:
    """Ours: as the README states them."""
    assert await store.settings.get_all() == DEFAULTS
    for key, value in DEFAULTS.items():
        assert await store.settings.get(key) == value


async def test_a_changed_setting_is_read_back(store: Store, other: Store) -> None:
    """Ours: at once, also by others."""
    await store.settings.set("allowed_tools", ["Read"])
    await store.settings.set("mcp_servers", ("email", "git"))
    await store.settings.set("webhook_base_url", "https://runner.example.com/x/")
    await store.settings.set("mcp_env_vars", {})
    assert await other.settings.get_all() == {
        **DEFAULTS,
        "allowed_tools": ["Read"],
        "mcp_servers": ["email", "git"],
        "webhook_base_url": "https://runner.example.com/x",
    }


async def test_a_bad_value_is_refused_in_one_sentence(store: Store) -> None:
    """Ours: the sentence names the setting, never a secret, and nothing changes."""
    for key, value in REFUSED:
        with pytest.raises(SettingRefused) as caught:
            await store.settings.set(key, value)
        assert caught.value.key == key
        assert "secret" not in str(caught.value)
    assert await store.settings.get_all() == DEFAULTS


async def test_an_unknown_setting_cannot_be_read(store: Store) -> None:
    """Ours: a misspelt key is an error and not a default."""
    with pytest.raises(SettingRefused):
        await store.settings.get("allowed_tool")


async def test_sandbox_mode_shows_the_variable(store: Store) -> None:
    """Ours: only the start of the program writes it."""
    await store.settings.mirror_sandbox(enabled=False)
    assert await store.settings.get("sandbox_mode") is False
    await store.settings.mirror_sandbox(enabled=True)
    assert await store.settings.get("sandbox_mode") is True
