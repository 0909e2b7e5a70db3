"""What one session wants to be told of: resources it follows and how much of the log it reads.

Below: `supervisor.slots`, where the wishes of all sessions of a server meet.
"""

from dataclasses import dataclass, field

from supervisor.children.call import Notice
from supervisor.children.wire import decode, parse_object
from supervisor.slots.followed import Followed
from supervisor.slots.levels import Levels

MAX_URIS = 256
"""Of one session."""
MESSAGE, UPDATED = "notifications/message", "notifications/resources/updated"


@dataclass(eq=False, slots=True)
class Interests:
    """One session's wishes, and where they were made known."""

    uris: dict[tuple[str, str], Followed] = field(default_factory=dict[tuple[str, str], Followed])
    """By server and address of the resource."""
    levels: set[Levels] = field(default_factory=set[Levels])

    def follows(self, server: str, uri: object) -> bool:
        """Return whether it follows a resource, or one that this is a part of.

        Source: MCP 2025-11-25, server/resources: an update may be of a sub-resource.
        """
        return isinstance(uri, str) and any(
            owner == server and (uri == one or uri.startswith(one.rstrip("/") + "/"))
            for owner, one in self.uris
        )

    def drop(self, server: str, uri: str) -> None:
        """Follow a resource no more; nothing when it was not followed."""
        followed = self.uris.pop((server, uri), None)
        if followed is not None:
            followed.drop(uri)

    def drop_all(self) -> None:
        """Want nothing any more."""
        for server, uri in tuple(self.uris):
            self.drop(server, uri)
        for levels in self.levels:
            levels.drop(self)
        self.levels.clear()


def level_of(notice: Notice) -> object:
    """Return the level of a log message."""
    raw = parse_object(notice.params).get("level")
    return None if raw is None else decode(raw)


def uri_of(notice: Notice) -> object:
    """Return the address of the resource that was updated."""
    raw = parse_object(notice.params).get("uri")
    return None if raw is None else decode(raw)
