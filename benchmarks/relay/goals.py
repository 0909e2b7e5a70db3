"""What issue 5 asks of the relay's speed, and whether a run reached it."""

import statistics
from collections.abc import Iterator

from benchmarks.relay.pipe import Pipe
from benchmarks.relay.results import Results
from gateway.variables import HttpServer

OF_BARE = 0.85
OF_STDIO = {HttpServer.UVICORN: 0.92, HttpServer.HYPERCORN: 0.86}
CPU_US = 180
ADDED_MS = 0.9
BUSY = 16
FAST, USUAL, SMALL = "raw", "fastmcp", "small"


def goals(results: Results, peers: list[str]) -> Iterator[str]:
    """Yield a table of goals."""
    yield "\n| Goal | Asked | Measured | Reached |"
    yield "| --- | --- | --- | --- |"
    for kind in HttpServer:
        us, bare = f"Claude Runner on {kind}", f"bare relay on {kind}"
        yield from _ahead(results, us, peers, kind)
        for callers in (n for n in results.callers if n >= BUSY):
            share = results.share((us, FAST, SMALL, callers), bare)
            yield _line(f"{kind}, {callers} callers, of a bare relay", OF_BARE, share)
        share = results.share((us, USUAL, SMALL, BUSY), Pipe.name)
        yield _line(f"{kind}, FastMCP server, {BUSY} callers, of stdio", OF_STDIO[kind], share)
    yield from _cost(results)


def _ahead(results: Results, us: str, peers: list[str], kind: HttpServer) -> Iterator[str]:
    """Compare with the best peer in each column that the goal names."""
    for child, call in dict.fromkeys(key[1:3] for key in results.slices):
        for callers in results.callers:
            if kind is HttpServer.HYPERCORN and callers < BUSY:
                continue
            own = results.rate((us, child, call, callers))
            best = max(results.rate((peer, child, call, callers)) for peer in peers)
            if best:
                name = f"{kind}, {child} server, {call}, {callers} callers, best peer"
                yield f"| {name} | {best:.0f} | {own:.0f} | {_word(own > best)} |"


def _cost(results: Results) -> Iterator[str]:
    us = f"Claude Runner on {HttpServer.UVICORN}"
    slices = results.slices.get((us, FAST, SMALL, BUSY), [])
    if slices:
        cpu = statistics.median([s.cpu_us()[0] for s in slices])
        yield f"| CPU µs a call, uvicorn | {CPU_US} | {cpu:.0f} | {_word(cpu <= CPU_US)} |"
    alone = (us, FAST, SMALL, 1)
    if alone in results.slices:
        added = results.p50_ms(alone) - results.p50_ms((Pipe.name, *alone[1:]))
        reached = _word(added <= ADDED_MS)
        yield f"| added p50 at one caller, ms | {ADDED_MS} | {added:.2f} | {reached} |"


def _line(name: str, asked: float, measured: float) -> str:
    return f"| {name} | {asked:.0%} | {measured:.0%} | {_word(measured >= asked)} |"


def _word(reached: bool) -> str:  # noqa: FBT001 - a fact, no switch
    return "yes" if reached else "NO"
