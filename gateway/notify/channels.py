"""The channels: their addresses sealed in the store, opened only to send."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

import msgspec

from gateway.domain.ids import new_id
from gateway.domain.notice import Channel, ChannelKind, Notice, Occasion
from gateway.domain.secret import Sealed
from gateway.domain.webhook import Scheme
from gateway.notify.apprise_process import Apprise
from gateway.notify.errors import AddressRefused, NoSuchChannel, NotSent
from gateway.notify.posting import host_of, post_signed, post_slack
from gateway.secret import Secret
from gateway.store import Store
from gateway.vault import SealBroken, Vault
from gateway.webhooks.schemes import UnusableSecret, check_secret, new_secret
from supervisor.redaction import Redactor

MAX_CHANNELS = 20
TABLE = "channels"
LABEL = "address of a channel"
LONG_PART = 16
"""Characters; shorter parts of an address are words as often as keys."""


_FILES = frozenset({"attach", "keyfile", "pgpkey", "subfile", "template"})
"""Options of Apprise's addresses that may name a file of the gateway's own user."""
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]+")


class _Kept(msgspec.Struct):
    """What is sealed of a channel."""

    address: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """A channel that somebody wants."""

    name: str
    kind: ChannelKind
    address: Secret
    occasions: frozenset[Occasion]
    secret: Secret | None = None
    """What a signed webhook signs with; None: a fresh one."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be another of a channel; None: stays."""

    name: str | None = None
    address: Secret | None = None
    occasions: frozenset[Occasion] | None = None
    secret: Secret | None = None


class Channels:
    """Every channel of a gateway."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        redactor: Redactor,
        apprise: Apprise,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._vault = vault
        self._redactor = redactor
        self._apprise = apprise
        self._now_ms = now_ms

    async def load(self) -> None:
        """Have every address hidden from now on. Raises StoreError."""
        for each in await self._store.channels.sealed():
            try:
                self._hide(self._opened(each.channel.id, each.sealed))
            except SealBroken:
                # Sending says so, to whoever looks.
                continue

    async def all(self) -> tuple[Channel, ...]:
        """Return every channel, oldest first. Raises StoreError."""
        return await self._store.channels.all()

    async def find(self, named: str) -> Channel:
        """Return the channel of an id or a name. Raises NoSuchChannel and StoreError."""
        for channel in await self.all():
            if named in (channel.id, channel.name):
                return channel
        raise NoSuchChannel(named)

    async def add(self, wish: Wish) -> tuple[Channel, Secret | None]:
        """Store a channel; return it, and the secret if a fresh one was made.

        Raises AddressRefused, NotSent when Apprise cannot be asked, and StoreError.
        """
        if len(await self.all()) >= MAX_CHANNELS:
            raise AddressRefused(f"There are {MAX_CHANNELS} channels; remove one first.")
        kept, fresh = _kept(wish)
        place = await self._place(wish.kind, wish.address)
        channel = Channel(
            new_id("channel"), wish.name, wish.kind, place, wish.occasions, self._now_ms()
        )
        async with self._vault.storing():
            sealed = self._sealed(channel.id, kept)
            # Not before it is known for an address: any word would be hidden everywhere.
            self._hide(kept)
            if not await self._store.channels.add(channel, sealed):
                self._show(kept)
                raise AddressRefused(f"There is a channel {wish.name!r}; choose another name.")
        return channel, fresh

    async def change(self, named: str, change: Change) -> Channel:
        """Change what is given of a channel; return it as it is then.

        A new address keeps the secret that it signs with. Raises NoSuchChannel, AddressRefused,
        NotSent when Apprise cannot be asked, SealBroken and StoreError.
        """
        channel = await self.find(named)
        wanted = replace(
            channel,
            name=change.name or channel.name,
            occasions=channel.occasions if change.occasions is None else change.occasions,
        )
        if change.address is None and change.secret is None:
            await self._update(wanted, None)
            return wanted
        (sealed,) = [
            each.sealed
            for each in await self._store.channels.sealed()
            if each.channel.id == channel.id
        ]
        old = self._opened(channel.id, sealed)
        address = change.address or Secret(old.address)
        secret = change.secret or (None if old.secret is None else Secret(old.secret))
        kept, _ = _kept(Wish(wanted.name, channel.kind, address, wanted.occasions, secret))
        if change.address is not None:
            place = await self._place(channel.kind, address)
            wanted = replace(wanted, place=place, failed_at=None, error=None)
        async with self._vault.storing():
            self._hide(kept)
            try:
                await self._update(wanted, self._sealed(channel.id, kept))
            except AddressRefused:
                self._show(kept)
                raise
        self._show(old)
        return wanted

    async def remove(self, named: str) -> Channel:
        """Delete a channel, with what waits for it. Raises NoSuchChannel and StoreError."""
        channel = await self.find(named)
        sealed = [each for each in await self._store.channels.sealed() if each.channel == channel]
        if not await self._store.channels.delete(channel.id):
            raise NoSuchChannel(named)
        for each in sealed:
            with suppress(SealBroken):
                self._show(self._opened(channel.id, each.sealed))
        return channel

    async def send(self, channel_id: str, notice: Notice) -> None:
        """Send a notice now. Raises NotSent, NoSuchChannel, StoreError."""
        found = [
            each for each in await self._store.channels.sealed() if each.channel.id == channel_id
        ]
        if not found:
            raise NoSuchChannel(channel_id)
        (one,) = found
        try:
            kept = self._opened(channel_id, one.sealed)
        except SealBroken:
            raise NotSent("its address cannot be opened; remove the channel and add it") from None
        address = Secret(kept.address)
        match one.channel.kind:
            case ChannelKind.APPRISE:
                await self._apprise.send(address, notice.title, notice.text)
            case ChannelKind.SLACK:
                await post_slack(address, notice)
            case ChannelKind.WEBHOOK:
                secret = Secret(kept.secret or "")
                await post_signed(address, secret, notice, self._now_ms() // 1000)

    async def _place(self, kind: ChannelKind, address: Secret) -> str:
        """Return what may be shown of an address. Raises AddressRefused and NotSent."""
        if kind is not ChannelKind.APPRISE:
            return host_of(address.reveal())
        _check_options(address.reveal())
        return await self._apprise.check(address)

    async def _update(self, channel: Channel, sealed: Sealed | None) -> None:
        if not await self._store.channels.update(channel, sealed):
            raise AddressRefused(f"There is a channel {channel.name!r}; choose another name.")

    def _sealed(self, channel_id: str, kept: _Kept) -> Sealed:
        text = msgspec.json.encode(kept).decode()
        return self._vault.seal(channel_id, "address", text, table=TABLE)

    def _opened(self, channel_id: str, sealed: Sealed) -> _Kept:
        text = self._vault.unseal(channel_id, "address", sealed, table=TABLE)
        return msgspec.json.decode(text, type=_Kept)

    def _hide(self, kept: _Kept) -> None:
        for part in _secrets_of(kept):
            self._redactor.know(LABEL, part)

    def _show(self, kept: _Kept) -> None:
        for part in _secrets_of(kept):
            self._redactor.forget(LABEL, part)


def _kept(wish: Wish) -> tuple[_Kept, Secret | None]:
    """Return what is sealed of a wish, and the secret if it is fresh. Raises AddressRefused."""
    address = wish.address.reveal()
    if wish.kind is not ChannelKind.WEBHOOK:
        if wish.secret is not None:
            raise AddressRefused("Only a channel of kind 'webhook' has a secret; leave it out.")
        return _Kept(address, None), None
    if wish.secret is None:
        fresh = Secret(new_secret(Scheme.STANDARD))
        return _Kept(address, fresh.reveal()), fresh
    try:
        check_secret(Scheme.STANDARD, wish.secret.reveal())
    except UnusableSecret as error:
        raise AddressRefused(f"The secret must be {error}.") from None
    return _Kept(address, wish.secret.reveal()), None


def _check_options(address: str) -> None:
    """Refuse what would have a file of this machine read or sent. Raises AddressRefused."""
    for option in re.split("[?&;]", unquote(address))[1:]:
        name, _, value = option.partition("=")
        key = name.strip("+-: ").lower()
        # Services have templates with an id of their own, too.
        if key in _FILES and not (key == "template" and _PLAIN_ID.fullmatch(value)):
            raise AddressRefused(
                f"The option {key!r} of the address names a file of this machine; leave it out."
            )


def _secrets_of(kept: _Kept) -> set[str]:
    parts = {kept.address, kept.secret, *_long_parts(kept.address)}
    return {part for part in parts if part}


def _long_parts(address: str) -> set[str]:
    """Return what of an address is likely to be a key: its password and its long parts."""
    try:
        parts = urlsplit(address)
        named = {unquote(parts.password)} if parts.password else set[str]()
    except ValueError:
        return set()
    pieces = re.split(r"[/?&=#:@]+", address.removeprefix(f"{parts.scheme}://"))
    # Many services of Apprise have their key where others have a host.
    hosts = {each for each in (parts.hostname, parts.netloc) if each and set(each) & set(".:")}
    long = {piece for piece in pieces if len(piece) >= LONG_PART and piece not in hosts}
    return named | long | {unquote(piece) for piece in long}
