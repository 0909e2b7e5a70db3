"""An exact search-and-replace edit of a server's code: it must say which place it means."""

import difflib
from dataclasses import dataclass

from supervisor.errors import InvalidServer

SHOWN_LINES = 5
MAX_LINE_SHOWN = 160
MAX_PLACES_SHOWN = 10
LIKE_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` gives way to `new`."""

    old: str
    new: str


def apply_edit(code: str, edit: Edit) -> str:
    """Return the code with the one place that `edit.old` names replaced.

    Raises:
        InvalidServer: it is there not once but never or often, or nothing would change; the
            message says how often, and shows the lines that come nearest.
    """
    if not edit.old:
        raise InvalidServer("old_text is empty; give the text that is to be replaced.")
    if edit.old == edit.new:
        raise InvalidServer("old_text and new_text are the same; nothing would change.")
    places = _places(code, edit.old)
    if len(places) == 1:
        return code[: places[0]] + edit.new + code[places[0] + len(edit.old) :]
    if places:
        lines = [str(code.count("\n", 0, place) + 1) for place in places[:MAX_PLACES_SHOWN]]
        more = ", ..." if len(places) > MAX_PLACES_SHOWN else ""
        raise InvalidServer(
            f"old_text is in server.py {len(places)} times (at line {', '.join(lines)}{more}); "
            f"give more of the text around the place that is meant."
        )
    raise InvalidServer(f"old_text is not in server.py; {_nearest(code, edit.old)}")


def _places(code: str, text: str) -> list[int]:
    """Return where the text begins, overlapping places too: they leave it open which is meant."""
    found: list[int] = []
    place = code.find(text)
    while place >= 0:
        found.append(place)
        place = code.find(text, place + 1)
    return found


def _nearest(code: str, text: str) -> str:
    wanted = next((line.strip() for line in text.splitlines() if line.strip()), "")
    lines = code.splitlines()
    ratios = [_likeness(wanted, line.strip()) for line in lines]
    best = max(range(len(lines)), key=ratios.__getitem__, default=None)
    if best is None or ratios[best] < LIKE_ENOUGH:
        return "no line of it looks like its first one. Read the code with get_dynamic_mcp_server."
    shown = [
        f"{number + 1:>5} | {lines[number][:MAX_LINE_SHOWN]}"
        for number in range(best, min(best + SHOWN_LINES, len(lines)))
    ]
    return f"the nearest is at line {best + 1}:\n" + "\n".join(shown)


def _likeness(wanted: str, line: str) -> float:
    matcher = difflib.SequenceMatcher(None, wanted, line, autojunk=False)
    # The quick bounds spare the slow answer for nearly every line.
    if matcher.real_quick_ratio() < LIKE_ENOUGH or matcher.quick_ratio() < LIKE_ENOUGH:
        return 0.0
    return matcher.ratio()
