"""What sessions ask to be told of, from the message to where their server hears of it.

Below: `interests`, one session's wishes; `supervisor.slots`, where those of all sessions meet.
Source: MCP 2025-11-25, server/utilities/logging, server/resources.
"""

from collections.abc import Iterable

from gateway.relay.interests import MAX_URIS
from gateway.relay.refusal import INVALID_PARAMS, METHOD_NOT_FOUND, SERVER_ERROR, Refusal
from gateway.relay.request import Posted
from gateway.relay.sessions import Session
from supervisor.children.wire import decode, parse_object
from supervisor.errors import RequestRefused
from supervisor.slots.instances import Instance
from supervisor.slots.levels import LEVELS
from supervisor.slots.slot import Slot

SET_LEVEL, SUBSCRIBE = "logging/setLevel", "resources/subscribe"
UNSUBSCRIBE = "resources/unsubscribe"
WISHES = frozenset({SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE})


async def wish(server: str, place: Slot | Instance, posted: Posted, session: Session) -> None:
    """Note a wish of a session about one server, and ask the child for what all want together.

    Raises:
        SupervisorError, Refusal: the server does not do that, or was not asked.
    """
    child = await place.child_for_call()
    if posted.method == SET_LEVEL:
        if "logging" not in child.handshake.capabilities:
            raise Refusal(METHOD_NOT_FOUND, f"Server {server!r} does not log.", 200)
        session.log_level = asked_level(posted)
        read_log(session, (place,))
        return
    uri = asked_uri(posted)
    if posted.method == UNSUBSCRIBE:
        session.interests.drop(server, uri)
    elif (server, uri) not in session.interests.uris:
        await _follow(server, session, place, uri)


def read_log(session: Session, places: Iterable[Slot | Instance]) -> None:
    """Have the children of places log what a session wants to read; nothing is started."""
    assert session.log_level is not None, "it said what it wants to read"
    for place in places:
        session.interests.levels.add(place.levels)
        place.levels.want(session.interests, session.log_level)


def asked_level(posted: Posted) -> str:
    """Return the level that a message asks for. Raises Refusal for one that is none."""
    raw = parse_object(posted.envelope.params).get("level")
    level: object = None if raw is None else decode(raw)
    if level not in LEVELS:
        raise Refusal(INVALID_PARAMS, f"The level must be one of {', '.join(LEVELS)}.", 200)
    return str(level)


def asked_uri(posted: Posted) -> str:
    """Return the resource that a message names. Raises Refusal when it names none."""
    if posted.fields.uri is None:
        raise Refusal(INVALID_PARAMS, "The member uri must be a string.", 200)
    return posted.fields.uri


async def _follow(server: str, session: Session, place: Slot | Instance, uri: str) -> None:
    if len(session.interests.uris) >= MAX_URIS:
        sentence = f"A session follows at most {MAX_URIS} resources; unsubscribe from one first."
        raise Refusal(SERVER_ERROR, sentence, 200)
    try:
        await place.followed.add(uri)
    except RequestRefused as error:
        raise Refusal(error.code, error.message, 200, error.data) from error
    if (server, uri) in session.interests.uris or session.ended:
        place.followed.drop(uri)
    else:
        session.interests.uris[(server, uri)] = place.followed
