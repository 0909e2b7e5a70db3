"""Settings that people change at run time: five rows with defaults and rules."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import select

from gateway.store.database import Database
from gateway.store.errors import SettingRefused
from gateway.store.schema import settings

DEFAULT_WEBHOOK_BASE_URL = "http://localhost:8080"

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "allowed_tools": ["WebSearch", "WebFetch", "Read", "Write", "Edit", "Bash"],
        "mcp_servers": [],
        "mcp_env_vars": {},
        "webhook_base_url": DEFAULT_WEBHOOK_BASE_URL,
        "sandbox_mode": True,
    }
)
"""`allowed_tools` and `mcp_servers` serve jobs that name none; no servers = all enabled."""

MAX_NAMES = 1000
MAX_NAME_CHARS = 200


class SettingTable:
    """Statements on `settings`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get_all(self) -> dict[str, Any]:
        """Return every setting, changed or not."""
        rows = await self._db.all(select(settings.c.key, settings.c.value))
        stored = {row["key"]: row["value"] for row in rows}
        return {key: stored.get(key, default) for key, default in DEFAULTS.items()}

    async def get(self, key: str) -> Any:
        """Return one setting. Raises SettingRefused for a key that does not exist."""
        _rule(key)
        row = await self._db.one(select(settings.c.value).where(settings.c.key == key))
        return DEFAULTS[key] if row is None else row["value"]

    async def set(self, key: str, value: object) -> None:
        """Store `value` once it passed the rule for `key`. Raises SettingRefused."""
        await self._put(key, _rule(key)(key, value))

    async def mirror_sandbox(self, *, enabled: bool) -> None:
        """Note in `sandbox_mode` what SANDBOX says; nobody else can change that row."""
        await self._put("sandbox_mode", enabled)

    async def clear_env_vars(self) -> None:
        """Empty `mcp_env_vars` once its values are credentials."""
        await self._put("mcp_env_vars", {})

    async def _put(self, key: str, value: Any) -> None:
        statement = self._db.insert(settings).values(key=key, value=value)
        await self._db.change(
            statement.on_conflict_do_update(index_elements=["key"], set_={"value": value})
        )


def _names(key: str, value: object) -> list[str]:
    wanted = "must be a list of different, non-empty names"
    if not isinstance(value, list | tuple):
        raise SettingRefused(key, wanted)
    names = cast("list[object] | tuple[object, ...]", value)
    if len(names) > MAX_NAMES:
        raise SettingRefused(key, f"has more than {MAX_NAMES} names")
    accepted = [name for name in names if isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS]
    if len(set(accepted)) != len(names):
        raise SettingRefused(key, wanted)
    return accepted


def _base_url(key: str, value: object) -> str:
    wanted = "must be an http or https address without query, such as https://runner.example.com"
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise SettingRefused(key, wanted)
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise SettingRefused(key, wanted) from None
    extra = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not host or extra:
        raise SettingRefused(key, wanted)
    return value.rstrip("/")


def _env_vars(key: str, value: object) -> dict[str, Any]:
    if value != {}:
        raise SettingRefused(key, "takes no values; set each one as a credential of its server")
    return {}


def _sandbox(key: str, _value: object) -> bool:
    raise SettingRefused(key, "cannot be changed here; it shows the variable SANDBOX")


RULES: Mapping[str, Callable[[str, object], Any]] = MappingProxyType(
    {
        "allowed_tools": _names,
        "mcp_servers": _names,
        "mcp_env_vars": _env_vars,
        "webhook_base_url": _base_url,
        "sandbox_mode": _sandbox,
    }
)


def _rule(key: str) -> Callable[[str, object], Any]:
    if key not in RULES:
        raise SettingRefused(key, f"does not exist; there are {', '.join(RULES)}")
    return RULES[key]
