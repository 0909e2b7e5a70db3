"""What a run showed: slices by way, child, call and callers, and the tables made of them."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.relay.pipe import Pipe
from benchmarks.relay.slices import Slice

Key = tuple[str, str, str, int]
"""Way, child, call, callers."""


@dataclass
class Results:
    """The slices of one run."""

    callers: tuple[int, ...]
    slices: dict[Key, list[Slice]] = field(default_factory=dict[Key, list[Slice]])
    missing: dict[str, str] = field(default_factory=dict[str, str])
    """Why a way could not be measured."""

    def add(self, key: Key, shown: Slice) -> None:
        """Keep one slice."""
        self.slices.setdefault(key, []).append(shown)

    def ways(self, child: str, call: str) -> list[str]:
        """Return who was measured with this child and call, in the order of the run."""
        return list(dict.fromkeys(k[0] for k in self.slices if k[1:3] == (child, call)))

    def rate(self, key: Key) -> float:
        """Return the median of good calls per second; 0 when there is none."""
        return statistics.median([s.rate for s in self.slices.get(key, ())] or [0.0])

    def share(self, key: Key, of: str) -> float:
        """Return the median ratio to another way's slice of the same round."""
        pairs = zip(self.slices.get(key, ()), self.slices.get((of, *key[1:]), ()), strict=False)
        return statistics.median([a.rate / b.rate for a, b in pairs if b.rate] or [0.0])

    def p50_ms(self, key: Key) -> float:
        """Return the median of the rounds' medians."""
        return statistics.median([s.p50_ms for s in self.slices[key]])


def tables(results: Results) -> Iterator[str]:
    """Yield the lines of one table for each child and call, and then who is missing."""
    for child, call in dict.fromkeys(key[1:3] for key in results.slices):
        yield f"\n{child} server, {call} results\n"
        heads = [f"{n} calls/s | p50 / p99 ms | of stdio" for n in results.callers]
        yield f"| Way | {' | '.join(heads)} | CPU µs a call, gateway / all | wrong |"
        yield f"| --- |{' --- |' * (3 * len(heads) + 2)}"
        for way in results.ways(child, call):
            yield _row(results, way, child, call)
    for way, reason in results.missing.items():
        yield f"\n{way} was not measured: {reason}"


def _row(results: Results, way: str, child: str, call: str) -> str:
    cells = [way]
    for callers in results.callers:
        key = (way, child, call, callers)
        if key not in results.slices:
            cells += ["-", "-", "-"]
            continue
        p99_ms = statistics.median([s.p99_ms for s in results.slices[key]])
        cells += [
            f"{results.rate(key):.0f}",
            f"{results.p50_ms(key):.2f} / {p99_ms:.1f}",
            f"{results.share(key, Pipe.name):.1%}",
        ]
    cells.append(_cpu(results, way, child, call))
    wrong = [
        s.bad for key, each in results.slices.items() if key[:3] == (way, child, call) for s in each
    ]
    return f"| {' | '.join([*cells, str(sum(wrong))])} |"


def _cpu(results: Results, way: str, child: str, call: str) -> str:
    """Return the cost where most callers are, for there the least is idle waking."""
    slices = results.slices.get((way, child, call, results.callers[-1]), [])
    costs = [s.cpu_us() for s in slices if s.cpu is not None]
    if not costs:
        return ""
    return " / ".join(f"{statistics.median(column):.0f}" for column in zip(*costs, strict=True))
