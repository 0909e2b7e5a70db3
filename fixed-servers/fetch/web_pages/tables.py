"""The tables of a page, as rows of cells; a cell that spans others stands in each of them."""

from collections.abc import Iterator

from bs4 import Tag

from web_pages.errors import FetchError
from web_pages.page import Page

MAX_TABLES = 100
MAX_COLUMNS = 200
MAX_SPAN_ROWS = 1000
MAX_CELLS = 200_000
MAX_TEXT = 2000
PREVIEW_ROWS = 3


def tables_of(page: Page) -> dict[str, object]:
    """Return what tables a page has, each with its first rows. Raises FetchError: no markup."""
    found = _tables(page)
    listed = [_described(number, table) for number, table in enumerate(found[:MAX_TABLES], 1)]
    return {"url": page.url, "tables": listed, "more": max(0, len(found) - MAX_TABLES)}


def rows_of(page: Page, number: int, offset: int, limit: int) -> dict[str, object]:
    """Return rows of one table, counted from 0. Raises FetchError: there is no such table."""
    found = _tables(page)
    if not 1 <= number <= len(found):
        raise FetchError(f"{page.url} has {len(found)} tables, and none of number {number}.")
    rows = _rows(found[number - 1])
    end = min(offset + limit, len(rows))
    return {
        "url": page.url,
        "table": number,
        "caption": _caption(found[number - 1]),
        "rows": rows[offset:end],
        "row_count": len(rows),
        "next_offset": end if end < len(rows) else None,
    }


def _tables(page: Page) -> list[Tag]:
    return page.soup().find_all("table")


def _described(number: int, table: Tag) -> dict[str, object]:
    rows = _rows(table)
    return {
        "table": number,
        "caption": _caption(table),
        "row_count": len(rows),
        "column_count": max(map(len, rows), default=0),
        "first_rows": rows[:PREVIEW_ROWS],
    }


def _caption(table: Tag) -> str:
    caption = table.find("caption")
    return _words(caption) if caption else ""


def _rows(table: Tag) -> list[list[str]]:
    """Return the rows of a table; those of tables inside it are not among them."""
    rows: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}
    left = MAX_CELLS
    for row in table.find_all("tr"):
        if row.find_parent("table") is not table:
            continue
        cells = _filled(row, hanging)
        left -= len(cells)
        if left < 0:
            break
        rows.append(cells)
    return rows


def _filled(row: Tag, hanging: dict[int, tuple[int, str]]) -> list[str]:
    """Return the cells of a row, with those that hang into it from above.

    `hanging`: for how many rows more which text stands in a column; kept up to date.
    """
    cells: list[str] = []

    def take_hanging() -> None:
        while len(cells) in hanging:
            column = len(cells)
            more, text = hanging.pop(column)
            below[column] = (more - 1, text)
            cells.append(text)

    below: dict[int, tuple[int, str]] = {}
    for text, columns, rows in _cells(row):
        take_hanging()
        for _ in range(min(columns, MAX_COLUMNS - len(cells))):
            below[len(cells)] = (rows - 1, text)
            cells.append(text)
    while hanging:
        cells += [""] * (min(hanging) - len(cells))
        take_hanging()
    hanging.clear()
    hanging.update({column: kept for column, kept in below.items() if kept[0] > 0})
    return cells


def _cells(row: Tag) -> Iterator[tuple[str, int, int]]:
    for cell in row.find_all(["td", "th"], recursive=False):
        rows = min(_span(cell, "rowspan"), MAX_SPAN_ROWS)
        yield _words(cell), _span(cell, "colspan"), rows


def _span(cell: Tag, name: str) -> int:
    said = str(cell.get(name, "1")).strip()
    return max(1, int(said)) if said.isdecimal() and said.isascii() and len(said) < 6 else 1


def _words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())[:MAX_TEXT]
