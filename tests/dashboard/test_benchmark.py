"""The dashboard's benchmark, small: what it waits for comes."""

from benchmarks.dashboard import Size, crash_to_tab, open_stage
from gateway.dashboard.server_filter import PAGE_ROWS


async def test_the_benchmark_ends_with_more_servers_than_a_page_shows() -> None:
    """Ours: a server that dies is one that the open tabs show."""
    async with open_stage(Size(servers=PAGE_ROWS + 1, runs=20)) as stage:
        found = await crash_to_tab(stage, 2)
    assert 0 < found["median_ms"] <= found["worst_ms"]
