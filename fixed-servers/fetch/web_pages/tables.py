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
MAX_ANSWER = 200_000
"""Characters of rows in one answer, which ends with the row that goes beyond."""
PREVIEW_ROWS = 3


def tables_of(page: Page) -> dict[str, object]:
    """Return what tables a page has, each with its first rows. Raises FetchError: no markup."""
    found = _tables(page)
    listed: list[dict[str, object]] = []
    room = MAX_ANSWER
    for number, table in enumerate(found[:MAX_TABLES], 1):
        rows = _rows(table)
        first = _fitting(rows[:PREVIEW_ROWS], room)
        room -= _size(first)
        listed.append(_described(number, table, rows, first))
    return {"url": page.url, "tables": listed, "more": max(0, len(found) - MAX_TABLES)}


def rows_of(page: Page, number: int, offset: int, limit: int) -> dict[str, object]:
    """Return rows of one table, counted from 0. Raises FetchError: there is no such table."""
    found = _tables(page)
    if not 1 <= number <= len(found):
        raise FetchError(f"{page.url} has {len(found)} tables, and none of number {number}.")
    rows = _rows(found[number - 1])
    shown = _fitting(rows[offset : offset + limit], MAX_ANSWER)
    end = offset + len(shown)
    return {
        "url": page.url,
        "table": number,
        "caption": _caption(found[number - 1]),
        "rows": shown,
        "row_count": len(rows),
        "next_offset": end if end < len(rows) else None,
    }


def _tables(page: Page) -> list[Tag]:
    return page.soup().find_all("table")


def _fitting(rows: list[list[str]], room: int) -> list[list[str]]:
    """Return the first rows, up to the one with which their characters reach `room`."""
    fitting: list[list[str]] = []
    for row in rows:
        if room <= 0:
            break
        fitting.append(row)
        room -= _size([row])
    return fitting


def _size(rows: list[list[str]]) -> int:
    """Return the characters of rows, an empty cell being one too."""
    return sum(len(cell) + 1 for row in rows for cell in row)


def _described(
    number: int, table: Tag, rows: list[list[str]], first: list[list[str]]
) -> dict[str, object]:
    return {
        "table": number,
        "caption": _caption(table),
        "row_count": len(rows),
        "column_count": max(map(len, rows), default=0),
        "first_rows": first,
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
