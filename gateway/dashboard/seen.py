"""Tells an open page that it is old, where what it shows is not swapped for what is there now.

What the owner decides on, or types into, must not change under his hand.
"""

import hashlib
from collections.abc import Awaitable, Callable

from jinja2 import Environment

from gateway.dashboard.live import MAX_NAME_CHARACTERS, Live, full_name

MARK_CHARACTERS = 16


class Seen:
    """A live fragment that is empty until the page would say something else."""

    def __init__(self, kind: str, read: Callable[[str], Awaitable[object]]) -> None:
        """`read` takes what a page is about, and returns values whose `repr` is what it says."""
        self._kind = kind
        self._read = read

    def register(self, live: Live, templates: Environment) -> None:
        """Have open pages follow it."""
        template = templates.get_template("page_is_old.html")

        async def render(argument: str) -> str:
            mark, _, about = argument.partition("/")
            return await template.render_async(old=mark != await self._mark(about))

        live.register(self._kind, render, ticks=True)

    async def name(self, about: str = "") -> str:
        """Return what a page that is made now follows; empty: `about` is too long for a name."""
        name = full_name(self._kind, f"{await self._mark(about)}/{about}")
        return name if len(name) <= MAX_NAME_CHARACTERS else ""

    async def _mark(self, about: str) -> str:
        said = repr(await self._read(about)).encode()
        return hashlib.sha256(said).hexdigest()[:MARK_CHARACTERS]
