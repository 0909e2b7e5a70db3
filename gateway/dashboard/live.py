"""The live fragments of all pages: rendered once for all tabs, sent as they change.

A room registers what it can render under a kind; a page says which fragments it has, and its tab
follows them through one stream. All tabs move by one beat, so that each fragment is rendered at
most once a beat, and a tab gets at most one event then. The health of processes does not wait for
the beat. A tab that is slow misses what lies between and gets the newest. A fragment that cannot be
rendered stays as it was until it can, and holds up no other.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

from markupsafe import Markup

from gateway.dashboard.fragment import Fragment, Rendered
from gateway.dashboard.streams import Streams
from gateway.store import StoreError
from gateway.vault import VaultError
from supervisor.errors import SupervisorError

log = logging.getLogger(__name__)

BEAT_S = 1.0
"""Between two events for a tab."""
HEALTH_S = 0.25
"""The same for changes of health, so that what happens is seen within half a second."""
TICK_S = 2.0
"""Counters change without an event; this often they are looked at while a tab shows them."""
IDLE_S = 15.0
"""Without anything to send, a stream says so often that it is alive."""
MAX_FOLLOWED = 8
"""Fragments of one page."""
MAX_NAME_CHARACTERS = 200
UNREADABLE = (StoreError, VaultError, SupervisorError)
"""What a rendering may raise when it cannot read what it shows, or no longer."""

Render = Callable[[str], Awaitable[Rendered]]
"""Takes what follows the colon in the fragment's name, and returns HTML without forms: whose
tokens belong to one session, while a fragment is for all."""


class UnknownFragment(Exception):
    """No room renders fragments of this name."""


class Live:
    """Renders fragments, and lets any number of streams wait for the next difference."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._renders: dict[str, Render] = {}
        self._ticking: set[str] = set()
        self._fragments: dict[str, Fragment] = {}
        self._stale: set[str] = set()
        self._urgent: set[str] = set()
        self._failing: set[str] = set()
        """Told in the log already."""
        self._at_once = False
        self._beat = 0
        self._beat_at = self._full_at = self._ticked_at = monotonic()
        self._lock = asyncio.Lock()
        self._marked = asyncio.Event()
        self._closed = False
        self.renderings = 0
        self.streams = Streams()
        """The places of all streams that pages hold open."""

    def register(self, kind: str, render: Render, *, ticks: bool = False) -> None:
        """Have `kind`, and `kind:...`, rendered; with `ticks` every TICK_S without a mark too."""
        self._renders[kind] = render
        if ticks:
            self._ticking.add(kind)

    def changed(self, kind: str, argument: str = "") -> None:
        """Have a fragment rendered at the next full beat, if any tab shows it."""
        name = full_name(kind, argument)
        if name in self._fragments and name not in self._stale:
            self._stale.add(name)
            self._wake()

    def health_changed(self, *names: str) -> None:
        """Have fragments rendered at once: by their full names, or all of a kind."""
        kinds = {name for name in self._fragments if name.partition(":")[0] in names}
        shown = {name for name in names if name in self._fragments} | kinds
        shown -= self._urgent
        if shown:
            self._urgent |= shown
            self.look_round()

    def look_round(self) -> None:
        """Have every stream yield at once, so that its reader's session is looked at."""
        if not self._at_once:
            self._at_once = True
            self._wake()

    def close(self) -> None:
        """End every stream, so that open tabs do not hold up the end of the gateway."""
        self._closed = True
        self._wake()

    async def render(self, name: str) -> str:
        """Return a fragment as it is now. Raises UnknownFragment."""
        kind, _, argument = name.partition(":")
        if kind not in self._renders or len(name) > MAX_NAME_CHARACTERS:
            raise UnknownFragment(name)
        return str(await self._renders[kind](argument))

    async def place(self, name: str) -> Markup:
        """Return a fragment in an element that a page's script keeps current."""
        return Markup('<div class="live" data-live="{}">{}</div>').format(
            name,
            Markup(await self.render(name)),  # noqa: S704 - our templates, escaping on
        )

    def check(self, names: Sequence[str]) -> None:
        """Raise UnknownFragment unless a page may follow these fragments together."""
        kinds = {name.partition(":")[0] for name in names}
        sizes = (len(name) <= MAX_NAME_CHARACTERS for name in names)
        if len(names) > MAX_FOLLOWED or not kinds <= self._renders.keys() or not all(sizes):
            raise UnknownFragment(", ".join(names)[:MAX_NAME_CHARACTERS])

    async def updates(self, names: Sequence[str]) -> AsyncGenerator[str | None]:
        """Yield patches as a JSON array whenever fragments differ from what was yielded, else None.

        The first time it is all of them. Ends when the gateway does.
        """
        fragments = [self._followed(name) for name in dict.fromkeys(names)]
        seen = dict.fromkeys(fragments, 0)
        try:
            async with self._lock:
                await self._refresh(each.name for each in fragments if each.version == 0)
            while not self._closed:
                beat = self._beat
                patches = [p for each in fragments for p in each.patches_since(seen[each])]
                seen = {each: each.version for each in fragments}
                yield f"[{','.join(patches)}]" if patches else None
                await self._next_beat(beat)
        finally:
            self._leave(fragments)

    def _followed(self, name: str) -> Fragment:
        fragment = self._fragments.setdefault(name, Fragment(name))
        fragment.followers += 1
        return fragment

    def _leave(self, fragments: Iterable[Fragment]) -> None:
        for fragment in fragments:
            fragment.followers -= 1
            if not fragment.followers:
                del self._fragments[fragment.name]
                self._stale.discard(fragment.name)
                self._failing.discard(fragment.name)

    async def _next_beat(self, beat: int) -> None:
        """Return when there was a beat after `beat`, or when the streams are to end."""
        while not self._closed and self._beat == beat:
            marked = self._marked
            too_early_s = self._due_at() - self._monotonic()
            if too_early_s > 0:
                await _set_within(marked, too_early_s)
                continue
            async with self._lock:
                if self._beat == beat:
                    await self._move()

    def _due_at(self) -> float:
        tick = self._ticked_at + TICK_S if self._ticking_names() else self._beat_at + IDLE_S
        full = self._full_at + BEAT_S if self._stale else tick
        return min(tick, full, self._beat_at + HEALTH_S if self._at_once else full)

    async def _move(self) -> None:
        now = self._monotonic()
        urgent, stale, ticking = self._urgent, set[str](), set[str]()
        self._urgent, self._at_once = set(), False
        if now >= self._full_at + BEAT_S:
            stale, self._stale, self._full_at = self._stale, set(), now
        if now >= self._ticked_at + TICK_S:
            ticking, self._ticked_at = self._ticking_names(), now
        try:
            await self._refresh(urgent | stale | ticking)
        except BaseException:  # also of a tab that is closed while it renders for all others
            self._stale |= (urgent | stale) & self._fragments.keys()
            raise
        self._beat += 1
        self._beat_at = self._monotonic()

    async def _refresh(self, names: Iterable[str]) -> None:
        for name in tuple(names):
            kind, _, argument = name.partition(":")
            try:
                rendered = await self._renders[kind](argument)
            except UNREADABLE as error:
                self._keep(name, error)
                continue
            self.renderings += 1
            self._failing.discard(name)
            if (fragment := self._fragments.get(name)) is not None:
                fragment.show(rendered)

    def _keep(self, name: str, error: Exception) -> None:
        """Leave a fragment as it is and have it tried again with the next full beat."""
        if name not in self._fragments:
            return
        if name not in self._failing:
            log.warning("Open pages show %r as it was: %s", name, error)
        self._failing.add(name)
        self._stale.add(name)

    def _ticking_names(self) -> set[str]:
        return {name for name in self._fragments if name.partition(":")[0] in self._ticking}

    def _wake(self) -> None:
        self._marked.set()
        self._marked = asyncio.Event()


def full_name(kind: str, argument: str = "") -> str:
    """Return the name under which a page follows a fragment."""
    return f"{kind}:{argument}" if argument else kind


async def _set_within(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
