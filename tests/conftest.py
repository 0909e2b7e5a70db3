"""What every test may use: one event loop, counts for long demonstrations, the test toolchain."""

import inspect
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import sniffio
from playwright.async_api import Browser

from tests.browsers import launched
from tests.demonstrations import Counts, Demonstrations
from tests.templates import keep_compiled
from tests.toolchain import Toolchain, find

LONG_ROOMS = ("bootstrap", "e2e", "conformance", "attacks", "cli", "jobs")
"""Their files take longest: begun last, one worker would end alone with them."""

_DEMONSTRATIONS = pytest.StashKey[Demonstrations]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that turns samples into the full counts."""
    parser.addoption(
        "--full", action="store_true", help="run long demonstrations with their stated counts"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start collecting what demonstrations report."""
    keep_compiled()
    config.stash[_DEMONSTRATIONS] = Demonstrations(full=bool(config.getoption("--full")))
    config.addinivalue_line("markers", "full: runs only with --full, for it takes minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long rooms first; leave out the tests of the full suite unless it was asked for."""
    items.sort(key=_place_in_line)
    if not config.getoption("--full"):
        chosen = [item for item in items if item.get_closest_marker("full") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def _place_in_line(item: pytest.Item) -> int:
    room = item.path.relative_to(Path(__file__).parent).parts[0]
    return LONG_ROOMS.index(room) if room in LONG_ROOMS else len(LONG_ROOMS)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Let a test that is no coroutine run an event loop, as in any program's main thread.

    AnyIO's plugin says "asyncio" there for as long as one asynchronous fixture lives, and
    `chromium` lives until the worker ends; `anyio.run` then refuses.
    """
    if inspect.iscoroutinefunction(pyfuncitem.function):
        return (yield)
    token = sniffio.current_async_library_cvar.set(None)
    try:
        return (yield)
    finally:
        sniffio.current_async_library_cvar.reset(token)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table of a full run."""
    session.config.stash[_DEMONSTRATIONS].write()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the product does."""
    return "asyncio"


@pytest.fixture(scope="session")
def demonstrations(pytestconfig: pytest.Config) -> Demonstrations:
    """Call `demonstrations.record(shows, count, result)` to put a row into the table."""
    return pytestconfig.stash[_DEMONSTRATIONS]


@pytest.fixture(scope="session")
def counts(demonstrations: Demonstrations) -> Counts:
    """Call `counts(sample, full)` for how often a long demonstration repeats in this run."""
    return demonstrations.count


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """Node 22, Chromium, PostgreSQL and the third-party MCP servers."""
    return find()


@pytest.fixture(scope="session")
async def chromium(toolchain: Toolchain) -> AsyncGenerator[Browser]:
    """The browser of all tests of this worker; `browser(chromium)` opens an empty profile."""
    async with launched(toolchain) as running:
        yield running
