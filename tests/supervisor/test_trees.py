"""Syntax trees from many threads."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from supervisor.folders.trees import check, tree_of

NESTED = "\n".join(f"x{n} = [{{'a': (1, [{n}, f(lambda: {n})])}}]" for n in range(100))


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Other threads get their turn whenever garbage is collected, also within the parser."""

    def pause(*_: object) -> None:
        pass

    before = gc.get_threshold()
    gc.callbacks.append(pause)
    gc.set_threshold(20)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(pause)


@pytest.mark.usefixtures("interrupted")
def test_many_threads_may_ask_at_once() -> None:
    """Ours: servers that start together must not fail by a fault of the interpreter."""

    def parse(_: int) -> int:
        tree = tree_of(NESTED, "server.py")
        check(tree, "server.py")
        return len(tree.body)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(parse, range(48))) == {100}
