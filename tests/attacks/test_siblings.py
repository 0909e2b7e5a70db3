"""Children that came from one process have nothing of each other, nor the same numbers."""

from tests.attacks.conftest import Arena

SIBLINGS = ("first", "second", "third")


async def test_no_two_children_draw_the_same_numbers(arena: Arena) -> None:
    """Issue 3: random numbers, keys, identifiers and names of files differ between siblings."""
    for name in SIBLINGS:
        await arena.start(arena.spec(name))
    drawn = [await arena.call(name, "draw") for name in SIBLINGS for _ in range(2)]
    for name in SIBLINGS:
        await arena.supervisor.remove(name)
    for source in drawn[0]:
        assert len({each[source] for each in drawn}) == len(drawn), source
