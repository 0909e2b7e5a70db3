"""Column types that give the same Python values on SQLite (STRICT) and PostgreSQL.

PostgreSQL stores no NUL in text and neither database stores half a surrogate pair; both arrive in
the output of programs, so every text column replaces them instead of losing the row.
"""

import json
from dataclasses import astuple
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import REAL, BigInteger, Boolean, Dialect, Double, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.domain.network import NetworkAccess, RunNetwork
from gateway.domain.run_record import ServerUsed
from gateway.domain.server_version import VersionFile
from gateway.domain.view import View

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

INTEGER = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; SQLite's STRICT tables know no BIGINT."""
REAL_NUMBER = Double[float]().with_variant(REAL(), "sqlite")
BYTES = LargeBinary()


def is_storable(text: str) -> bool:
    """True when a database surely holds a text as it is."""
    return text.isascii() and "\x00" not in text


def storable(text: str) -> str:
    """Return `text` with what a database cannot hold replaced by U+FFFD."""
    if text.isascii():
        return text.replace("\x00", REPLACEMENT)
    cleaned = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return cleaned.replace("\x00", REPLACEMENT)


def _storable_tree(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {storable(key): _storable_tree(item) for key, item in pairs}
    if isinstance(value, list | tuple):
        return [_storable_tree(item) for item in cast("list[Any]", value)]
    return value


class Words(TypeDecorator[str]):
    """Text from anywhere."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Flag(TypeDecorator[bool]):
    """True or false; 1 or 0 on SQLite, whose STRICT tables know no BOOLEAN."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:  # noqa: FBT001 - SQLAlchemy's signature
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Json(TypeDecorator[Any]):
    """Any JSON value: text on SQLite, JSONB on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        tree = _storable_tree(value)
        return tree if dialect.name == "postgresql" else json.dumps(tree, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if isinstance(value, str) and dialect.name == "sqlite" else value


class Names(Json):
    """A tuple of strings, kept as a JSON list."""

    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:
        return tuple(super().process_result_value(value, dialect))


class Network(Json):
    """The network of runs, kept as the JSON text `public` or `none` or as a list of hosts."""

    cache_ok = True

    def process_bind_param(self, value: RunNetwork | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        listed = value.access is NetworkAccess.HOSTS
        return super().process_bind_param(value.hosts if listed else value.access.value, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> RunNetwork:
        found = super().process_result_value(value, dialect)
        if isinstance(found, str):
            return RunNetwork(NetworkAccess(found))
        return RunNetwork(NetworkAccess.HOSTS, tuple(found))


class Shown(Json):
    """What a token shows, kept as a JSON object of its tools and their own names; or nothing."""

    cache_ok = True

    def process_bind_param(self, value: View | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        kept = {"tools": sorted(value.tools), "names": dict(value.names)}
        return super().process_bind_param(kept, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> View | None:
        kept = super().process_result_value(value, dialect)
        if kept is None:
            return None
        return View(frozenset(kept["tools"]), tuple(sorted(kept["names"].items())))


class ServersUsed(Json):
    """A tuple of the servers of an attempt at a run, kept as a JSON list of lists."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return super().process_bind_param([astuple(server) for server in value], dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[ServerUsed, ...]:
        rows: list[list[Any]] = super().process_result_value(value, dialect)
        return tuple(
            ServerUsed(*rest, tools=tuple((tool, digest) for tool, digest in tools))
            for *rest, tools in rows
        )


class VersionFiles(Json):
    """A tuple of the files of a server's version, kept as a JSON list of lists."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        return super().process_bind_param([astuple(file) for file in value], dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[VersionFile, ...] | None:
        if value is None:
            return None
        return tuple(VersionFile(*row) for row in super().process_result_value(value, dialect))


E_co = TypeVar("E_co", bound=StrEnum)


class Member(TypeDecorator[E_co], Generic[E_co]):
    """One member of a StrEnum, kept as its text."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[E_co]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: E_co | None, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> E_co | None:
        return None if value is None else self.kind(value)


class Members(Json, Generic[E_co]):
    """A frozenset of members of a StrEnum, kept as a sorted JSON list."""

    cache_ok = True

    def __init__(self, kind: type[E_co]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return super().process_bind_param(sorted(member.value for member in value), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> frozenset[E_co]:
        return frozenset(map(self.kind, super().process_result_value(value, dialect)))
