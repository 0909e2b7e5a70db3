"""The relay beside its peers: `python -m benchmarks.relay --peers FOLDER [--quick] [--plot FILE]`.

All ways to the same server are up at once and loaded in turn, a slice of a second each, so that
what else the machine does is in all figures; medians of the rounds, ratios within a round. Ours is
the whole gateway, with a token and at sandbox level strong. Peers are installed into FOLDER.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from benchmarks.relay.calls import LARGE, SMALL, ToolCall
from benchmarks.relay.goals import goals
from benchmarks.relay.peers import PEERS
from benchmarks.relay.pipe import Pipe
from benchmarks.relay.plot import write_plot
from benchmarks.relay.results import Results, tables
from benchmarks.relay.slices import find_wrk
from benchmarks.relay.ways import NotReady, Way, bare, ours, theirs
from gateway.variables import HttpServer

CHILDREN = ("raw", "fastmcp")
CALLERS = (1, 16, 64)
ROUNDS = {SMALL.name: 3, LARGE.name: 2}
SECONDS = {1: 1, 16: 1, 64: 2}
"""With 64 callers the slowest peers answer nobody within a second."""
PANELS = [
    ("raw", SMALL.name, "Calls per second, 16 callers, a server that costs nothing (logarithmic)"),
    ("fastmcp", SMALL.name, "Calls per second, 16 callers, a FastMCP server (logarithmic)"),
]


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="scratch folder for peers; without it, none")
    parser.add_argument("--quick", action="store_true", help="one round of small calls, 1 and 16")
    parser.add_argument("--plot", type=Path, help="where to draw the run as SVG")
    given = parser.parse_args()
    find_wrk()
    results = Results(CALLERS[:2] if given.quick else CALLERS)
    calls = (SMALL,) if given.quick else (SMALL, LARGE)
    for child in CHILDREN:
        measure(results, child, calls, given.peers and given.peers.resolve(), quick=given.quick)
    user, load = "root" if os.geteuid() == 0 else "plain user", os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, {os.uname().machine}, load {load:.1f}, as {user}")
    for line in (*tables(results), *goals(results, [peer.name for peer in PEERS])):
        print(line)
    if given.plot is not None:
        write_plot(results, PANELS, given.plot)


def measure(
    results: Results,
    child: str,
    calls: tuple[ToolCall, ...],
    peers: Path | None,
    *,
    quick: bool,
) -> None:
    """Load every way to one server, round by round."""
    server = [sys.executable, str(Path(__file__).with_name("children") / child / "server.py")]
    with tempfile.TemporaryDirectory(prefix="claude-runner-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        pipe = Pipe(server)
        stack.callback(pipe.close)
        ways: list[Way | Pipe] = [pipe]
        for title, way in starting(child, server, folder, peers):
            try:
                ways.append(stack.enter_context(way))
            except NotReady as error:
                results.missing[f"{title} ({child} server)"] = str(error)
            print(f"{child}: {title}", file=sys.stderr)
        for call in calls:
            for _ in range(1 if quick else ROUNDS[call.name]):
                one_round(results, child, call, ways)


def one_round(results: Results, child: str, call: ToolCall, ways: list[Way | Pipe]) -> None:
    """Give each way a slice with each number of callers."""
    for callers in results.callers:
        for way in ways:
            try:
                shown = way.load(call, callers, SECONDS[callers])
            except (OSError, subprocess.SubprocessError) as error:
                results.missing[f"{way.name}, {call.name}, {callers} callers"] = str(error)
                continue
            results.add((way.name, child, call.name, callers), shown)


def starting(
    child: str, server: list[str], folder: Path, peers: Path | None
) -> Iterator[tuple[str, AbstractContextManager[Way]]]:
    """Yield every way over HTTP, not started yet."""
    for kind in HttpServer:
        yield f"ours on {kind}", ours(kind, child, folder / kind.value)
        yield f"bare on {kind}", bare(kind, server, folder)
    if peers is not None:
        peers.mkdir(parents=True, exist_ok=True)
        for peer in PEERS:
            yield peer.name, theirs(peer, server, peers)


if __name__ == "__main__":
    main()
