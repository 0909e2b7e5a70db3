"""The proxy through which a child with granted hosts reaches them, and nothing else.

One per child, served on a listener inside that child's own network namespace, so that nobody
else can use it and no token is needed. What
arrives is hostile: everything read is bounded in size and time. Below: `proxy_request`,
`addresses`.
"""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from anyio.abc import ByteStream, SocketListener

from sandboxes.network import addresses, handover, hosts
from sandboxes.network.hosts import Target
from sandboxes.network.outside import Outside
from sandboxes.network.proxy_request import END, MAX_HEAD_BYTES, Asked, Refusal, read_request
from sandboxes.network.traffic import Traffic
from sandboxes.network.way_out import Egress, WayOut

log = logging.getLogger("claude_runner.sandboxes")

MAX_LISTENERS = 8

SPARE_CONNECTIONS = 8
"""Beyond the maximum, to be told so; what comes then waits in the kernel."""
ACCEPT_PAUSE_S = 0.005
"""A child that does nothing but connect gets 200 connections a second."""
ACCEPT_TROUBLE_S = 1.0
"""The gateway is out of descriptors, most likely; they come back when others end."""
RESOLVE_S = 10.0
DIAL_S = 5.0
"""For one address; an address that does not answer must not use up the caller's patience."""
MAX_ADDRESSES = 6
MAX_LOOKUPS = 4
"""At once for one child; a lookup that hangs holds a thread."""
ANSWER_S = 2.0
"""For a refusal to be taken; long enough for any client that reads."""
CHUNK_BYTES = 64 * 1024

BAD_GATEWAY = 502
"""From here on the fault lies outside, and nothing was forbidden."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of the gateway one child may take up."""

    connections: int = 32
    """At once; each costs the gateway two descriptors."""
    head_s: float = 10.0
    """For a whole request, however slowly it drips."""
    idle_s: float = 300.0
    """A tunnel in which nothing moved for this long, either way, is closed."""


class Proxy:
    """The proxy of one child."""

    def __init__(
        self,
        egress: Egress,
        outside: Outside,
        *,
        on_refused: Callable[[Refusal], None],
        traffic: Traffic,
        bounds: Bounds = Bounds(),
    ) -> None:
        """`on_refused` hears of each host that is refused and not remembered already, so that
        a child cannot fill a log faster than it thinks of names."""
        self.traffic = traffic
        self._egress = egress
        self._outside = outside
        self._on_refused = on_refused
        self._bounds = bounds
        self._open = 0
        self._lookups = anyio.CapacityLimiter(MAX_LOOKUPS)
        self._seats = anyio.Semaphore(bounds.connections + SPARE_CONNECTIONS)

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled; closes the listener and every tunnel."""
        async with (
            await SocketListener.from_socket(listener) as accepting,
            anyio.create_task_group() as group,
        ):
            while True:
                await self._seats.acquire()
                group.start_soon(self._attend, await _accept(accepting))
                await anyio.sleep(ACCEPT_PAUSE_S)

    async def _attend(self, near: ByteStream) -> None:
        self._open += 1
        try:
            async with near:
                await self._answer(near)
        except (BrokenResourceError, ClosedResourceError, EndOfStream, OSError):
            # The child hung up: its right at any time.
            return
        except Exception:
            # One connection of a hostile child must not end its server, nor the gateway.
            log.exception("a connection of a child's proxy failed")
        finally:
            self._open -= 1
            self._seats.release()

    async def _answer(self, near: ByteStream) -> None:
        try:
            asked = await self._asked(near)
            far = await self._reach(asked.target)
        except Refusal as refusal:
            self.traffic.refused += 1
            refused = refusal.asked and refusal.status < BAD_GATEWAY
            if refused and self.traffic.remember(refusal.asked):
                self._on_refused(refusal)
            await _refuse(near, refusal)
            return
        async with far:
            self.traffic.tunnels += 1
            if asked.plain is None:
                await near.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                await far.send(asked.plain)
            await self._relay(near, far)

    async def _asked(self, near: ByteStream) -> Asked:
        """Return the request that comes in."""
        most = self._bounds.connections
        if self._open > most:
            sentence = f"This server has {most} connections open; close some first."
            raise Refusal(503, "", sentence)
        head = b""
        with anyio.move_on_after(self._bounds.head_s) as waiting:
            while END not in head and len(head) <= MAX_HEAD_BYTES:
                head += await near.receive(MAX_HEAD_BYTES)
        if waiting.cancelled_caught:
            raise Refusal(408, "", f"The request was not complete in {self._bounds.head_s:g} s.")
        return read_request(head, self._egress.listed)

    async def _reach(self, target: Target) -> ByteStream:
        """Return a connection to an address of the target that was checked."""
        if target in self._egress.listed:
            return await self._connect(target)
        if not self._egress.grants(target):
            wanted = target.name if target.port == hosts.HTTPS_PORT else str(target)
            raise Refusal(
                403,
                str(target),
                f"{target} is not granted to this {self._egress.holder}; "
                f"add '{wanted}' to its network hosts.",
            )
        found = await self._resolve(target)
        checked = [a for a in found if addresses.is_allowed(a, private=self._egress.private)]
        if not checked:
            raise Refusal(
                403,
                str(target),
                f"{target} has no public address; only the owner can grant private ones.",
            )
        for address in checked[:MAX_ADDRESSES]:
            far = await self._dial(address, target.port)
            if far is not None:
                return far
        raise _unreachable(target)

    async def _connect(self, target: Target) -> ByteStream:
        try:
            with anyio.fail_after(RESOLVE_S + DIAL_S):
                return await self._outside.connect(target.name.strip("[]"), target.port)
        except OSError:
            raise _unreachable(target) from None

    async def _resolve(self, target: Target) -> list[str]:
        try:
            with anyio.fail_after(RESOLVE_S):
                async with self._lookups:
                    return list(await self._outside.resolve(target.name, target.port))
        except (OSError, UnicodeError):
            sentence = f"{target.name} cannot be resolved; check the name, or try later."
            raise Refusal(BAD_GATEWAY, str(target), sentence) from None

    async def _dial(self, address: str, port: int) -> ByteStream | None:
        """Return a connection, or None when this address gives none in time."""
        try:
            with anyio.fail_after(DIAL_S):
                return await self._outside.dial(address, port)
        except OSError:
            return None

    async def _relay(self, near: ByteStream, far: ByteStream) -> None:
        """Pass bytes both ways until both sides have ended, one failed, or nothing moves."""
        with anyio.CancelScope() as scope:

            def moved() -> None:
                scope.deadline = anyio.current_time() + self._bounds.idle_s

            def sent(count: int) -> None:
                self.traffic.bytes_out += count
                moved()

            def received(count: int) -> None:
                self.traffic.bytes_in += count
                moved()

            moved()
            async with anyio.create_task_group() as group:
                group.start_soon(_pump, near, far, sent, scope)
                group.start_soon(_pump, far, near, received, scope)


async def serve_handed_over(way_out: WayOut, proxy: Proxy) -> None:
    """Wait for the listener of a child's launcher and serve it; returns when none comes."""
    with way_out.ours:
        await anyio.wait_readable(way_out.ours)
        listeners = receive_listeners(way_out.ours)
    if listeners:
        await proxy.serve(listeners[0])


def receive_listeners(ours: socket.socket) -> list[socket.socket]:
    """Return the listeners that a launcher handed over; none when it ended instead."""
    size = socket.CMSG_SPACE(MAX_LISTENERS * handover.NUMBER.size)
    try:
        _, extra, _, _ = ours.recvmsg(1, size, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return []
    listeners: list[socket.socket] = []
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers = handover.NUMBER.iter_unpack(data)
            listeners += [socket.socket(fileno=number) for (number,) in numbers]
    return listeners


def _unreachable(target: Target) -> Refusal:
    sentence = f"{target} does not take connections now; try later."
    return Refusal(BAD_GATEWAY, str(target), sentence)


async def _accept(accepting: SocketListener) -> ByteStream:
    while True:
        try:
            return await accepting.accept()
        except OSError:
            await anyio.sleep(ACCEPT_TROUBLE_S)


async def _refuse(near: ByteStream, refusal: Refusal) -> None:
    """Send the sentence as body and as reason, because most clients show only the latter."""
    sentence = str(refusal)
    body = f"{sentence}\n".encode("ascii")
    head = (
        f"HTTP/1.1 {refusal.status} {sentence}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with anyio.move_on_after(ANSWER_S):
        await near.send(head.encode("ascii") + body)
        await near.send_eof()
        # Closing with input unread would reset the connection and take the answer back.
        for _ in range(MAX_HEAD_BYTES):
            await near.receive(CHUNK_BYTES)


async def _pump(
    source: ByteStream,
    sink: ByteStream,
    passed: Callable[[int], None],
    scope: anyio.CancelScope,
) -> None:
    """Pass bytes one way, then the end; a failure ends both ways."""
    try:
        while True:
            try:
                data = await source.receive(CHUNK_BYTES)
            except EndOfStream:
                await sink.send_eof()
                return
            await sink.send(data)
            passed(len(data))
    except (BrokenResourceError, ClosedResourceError, OSError):
        scope.cancel()
