"""How a frozen domain type is written to and read from the columns of the same names."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Table

from gateway.store.database import Row

T = TypeVar("T")


class Record(Generic[T]):
    """The columns of `table` that hold one `kind`; the table may have more."""

    def __init__(self, kind: type[T], table: Table) -> None:
        self._kind = kind
        self._names = tuple(field.name for field in fields(kind))  # pyright: ignore[reportArgumentType] - any dataclass
        self.columns: tuple[Column[Any], ...] = tuple(table.c[name] for name in self._names)

    def values(self, item: T, *, without: Iterable[str] = ()) -> dict[str, Any]:
        """Return column values of `item`, leaving out the columns named in `without`."""
        left_out = frozenset(without)
        return {name: getattr(item, name) for name in self._names if name not in left_out}

    def read(self, row: Row) -> T:
        """Return the item that `row`, selected by `columns`, holds."""
        return self._kind(**row)

    def maybe(self, row: Row | None) -> T | None:
        """Return the item, or None when there is no row."""
        return None if row is None else self.read(row)

    def all(self, rows: Iterable[Row]) -> tuple[T, ...]:
        """Return the item of each row."""
        return tuple(self.read(row) for row in rows)
