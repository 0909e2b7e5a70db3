"""The two forms of an export: lines of JSON, and CSV. Pure; the command line loads it too."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that spreadsheets take for a formula (OWASP, "CSV Injection")."""


def json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return one JSON object a line."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def csv_lines(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return CSV (RFC 4180) with a cell for each name; lists are words with spaces between them."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue()


def csv_heading(names: Sequence[str]) -> str:
    """Return the first line of the CSV."""
    return csv_lines(names, [dict(zip(names, names, strict=True))])


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case list() | tuple():
            return _cell(" ".join(cast("Sequence[str]", value)))
        case str():
            return f"'{value}" if value.startswith(FORMULA) else value
        case _:
            return str(value)
