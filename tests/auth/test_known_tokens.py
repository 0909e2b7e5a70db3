"""What is known of tokens without a database: others' ends do not touch it."""

import anyio
import pytest

from gateway.auth import known_tokens
from gateway.auth.known_tokens import KnownTokens
from tests.waiting import PATIENCE_S


class Told:
    """Stands for the store: says whose each token is."""

    def __init__(self) -> None:
        self.owners = {"1": "ann", "2": "bob", "3": "ann"}
        self.asked: list[str] = []
        self.asking, self.go_on = anyio.Event(), anyio.Event()
        self.go_on.set()

    async def owner(self, hashed: str) -> str | None:
        """Return the owner of a token, as it was when the question came."""
        self.asked.append(hashed)
        owner = self.owners.get(hashed)
        self.asking.set()
        await self.go_on.wait()
        return owner


async def look_up(tokens: KnownTokens[str], told: Told, hashed: str) -> str | None:
    """Have a token looked up."""
    return await tokens.look_up(hashed, lambda: told.owner(hashed))


async def test_an_end_drops_its_owners_tokens_and_no_other() -> None:
    """Ours: else an address that showed wrong tokens would hold up everybody's right ones."""
    tokens, told = KnownTokens[str](lambda owner: owner), Told()
    assert [await look_up(tokens, told, each) for each in "1234"] == ["ann", "bob", "ann", None]
    tokens.end(("ann",))
    assert [tokens.get(each) for each in "1234"] == [None, "bob", None, None]
    tokens.forget("2")
    assert tokens.get("2") is None


async def test_a_token_that_ends_while_it_is_looked_up_is_not_known() -> None:
    """Ours: what the store said before the end does not count after it."""
    tokens, told = KnownTokens[str](lambda owner: owner), Told()
    told.go_on = anyio.Event()
    found: list[str | None] = []

    async def look() -> None:
        found.append(await look_up(tokens, told, "1"))

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(look)
            await told.asking.wait()
            del told.owners["1"]
            tokens.end(("ann",))
            told.go_on.set()
    assert (found, tokens.get("1"), told.asked) == ([None], None, ["1", "1"])


async def test_the_oldest_goes_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: memory is bounded, and the others stay known."""
    monkeypatch.setattr(known_tokens, "MAX_KNOWN", 2)
    tokens, told = KnownTokens[str](lambda owner: owner), Told()
    for each in "1223":
        await look_up(tokens, told, each)
    assert [tokens.get(each) for each in "123"] == [None, "bob", "ann"]
