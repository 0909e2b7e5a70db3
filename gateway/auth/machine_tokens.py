"""Machine tokens from the owner's side: made by name and scope, shown once, listed, ended."""

from dataclasses import dataclass, field
from typing import Any

from gateway.auth.guard import new_token
from gateway.auth.lifetimes import InvalidLifetime, read_life_s
from gateway.auth.run_tokens import token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.token import Scope, Token, TokenWish
from gateway.domain.view import InvalidView, View, read_view
from gateway.store import TokenTable

MAX_NAME_CHARACTERS = 100


class InvalidToken(Exception):
    """A token cannot be made as asked; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token together with its value, which exists only here."""

    token: Token
    value: str = field(repr=False)


async def make_token(
    tokens: TokenTable,
    *,
    name: str,
    scope: str,
    view: View | None = None,
    expires: str | None = None,
) -> MadeToken:
    """Store a new token and return it; `expires` is like '90d'. Raises InvalidToken."""
    if not name.isprintable() or not 0 < len(name.strip()) <= MAX_NAME_CHARACTERS:
        raise InvalidToken(
            f"A token's name is 1 to {MAX_NAME_CHARACTERS} printable characters, not {name[:50]!r}."
        )
    if scope not in set(Scope):
        raise InvalidToken(f"{scope!r} is no scope; scopes are {', '.join(Scope)}.")
    if view is not None and scope == Scope.ADMIN:
        raise InvalidToken("A token for named servers or tools has scope run or read, not admin.")
    try:
        life_s = None if expires is None else read_life_s(expires)
    except InvalidLifetime as error:
        raise InvalidToken(str(error)) from error
    value, now = new_token(), utc_ms()
    token = Token(
        new_id("tok"),
        name.strip(),
        frozenset({Scope(scope)}),
        created_at=now,
        expires_at=None if life_s is None else now + life_s * 1000,
        view=view,
    )
    await tokens.add(token, token_hash(value))
    return MadeToken(token, value)


async def make_wished_token(tokens: TokenTable, wish: TokenWish) -> MadeToken:
    """Store a new token as somebody asked for it. Raises InvalidToken."""
    try:
        view = read_view(wish.servers, wish.tools, wish.renames)
    except InvalidView as error:
        raise InvalidToken(str(error)) from error
    return await make_token(
        tokens, name=wish.name, scope=wish.scope, view=view, expires=wish.expires
    )


def no_such_token(token_id: str) -> str:
    """Return the sentence for an id that names no live token."""
    return f"There is no token {token_id[:50]!r} that is still valid; `token list` shows the ids."


def view_token(token: Token) -> dict[str, Any]:
    """Return a token as the command line shows it."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "shows": None if token.view is None else sorted(token.view.tools),
        "names": {} if token.view is None else dict(token.view.names),
    }
