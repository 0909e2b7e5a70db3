"""How many runs go on at a time: altogether, and for each server. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

DEFAULT_CONCURRENCY = 3


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Most runs at a time that use a server; None: any number."""

    every: int | None = None
    """Of each server that is not named."""
    named: Mapping[str, int] = field(default_factory=dict[str, int])

    def __bool__(self) -> bool:
        return self.every is not None or bool(self.named)

    def allow(self, servers: Collection[str], live: Iterable[Collection[str]]) -> bool:
        """Tell whether one more run, of `servers`, may go on beside the live ones."""
        used = Counter(server for each in live for server in set(each))
        limits = ((server, self.named.get(server, self.every)) for server in servers)
        return all(limit is None or used[server] < limit for server, limit in limits)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What bounds the runs of a gateway besides what their jobs say."""

    total: int = DEFAULT_CONCURRENCY
    servers: ServerLimits = field(default_factory=ServerLimits)
