"""A drawing of one run for the README: calls per second by way, as bars on a logarithmic scale."""

import math
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.relay.results import Results

WIDTH, LABEL, BAR, GAP, HEAD = 820, 200, 18, 8, 46
OURS, OTHERS, LIMIT = "#c15f3c", "#8a8f98", "#c9cdd3"
CALLERS = 16


def write_plot(results: Results, panels: list[tuple[str, str, str]], path: Path) -> None:
    """Draw a panel for each (child, call, title), at 16 callers."""
    body: list[str] = []
    top = 0
    for child, call, title in panels:
        part, height = _panel(results, child, call, title, top)
        body += part
        top += height
    style = "font-family:system-ui,sans-serif;font-size:13px;fill:#57606a"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" style="{style}">'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *body, "</svg>", ""]), encoding="utf-8")


def _panel(results: Results, child: str, call: str, title: str, top: int) -> tuple[list[str], int]:
    ways = results.ways(child, call)
    rates = {way: results.rate((way, child, call, CALLERS)) for way in ways}
    ways = sorted((way for way in ways if rates[way] > 0), key=lambda way: -rates[way])
    least = min(rates[way] for way in ways) / 3
    scale = (WIDTH - LABEL - 80) / math.log(rates[ways[0]] / least)
    lines = [f'<text x="0" y="{top + 20}" font-weight="600">{escape(title)}</text>']
    for number, way in enumerate(ways):
        y = top + HEAD - 10 + number * (BAR + GAP)
        width = math.log(rates[way] / least) * scale
        lines += [
            f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(way)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{width:.0f}" height="{BAR}" fill="{_colour(way)}"/>',
            f'<text x="{LABEL + width + 6:.0f}" y="{y + 14}">{rates[way]:,.0f}</text>',
        ]
    return lines, HEAD + len(ways) * (BAR + GAP)


def _colour(way: str) -> str:
    if way.startswith("Claude Runner"):
        return OURS
    return LIMIT if way.startswith(("direct", "bare")) else OTHERS
