"""The tool that shows the audit log."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.audit.views import MAX_SHOWN, AuditView, BadWish, view_entry
from gateway.tools.hints import READ
from gateway.tools.sentences import Refused
from gateway.tools.services import Services

Text = Annotated[str | None, Field(max_length=200)]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first."""

    entries: list[AuditView]
    older_before: int | None
    """Give it as `before` to read on; None when this is all."""


class AuditTools:
    """list_audit_entries."""

    def __init__(self, services: Services) -> None:
        self._log = services.audit_log

    @tool(title="Show who did what", annotations=READ)
    async def list_audit_entries(
        self,
        since: Annotated[
            Text, Field(description="An age such as 2h or 7d, or an ISO time.")
        ] = None,
        who: Annotated[
            Text, Field(description="cli, token, client, run, owner, webhook, or the id of one.")
        ] = None,
        server: Annotated[Text, Field(description="Only calls of this server's tools.")] = None,
        tool: Annotated[Text, Field(description="A tool's name, or an action.")] = None,
        outcome: Annotated[
            Text, Field(description="Such as ok, tool_error, refused, died.")
        ] = None,
        before: Annotated[
            int | None, Field(ge=0, description="Read on: older_before of the last page.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=MAX_SHOWN, description="Most entries.")] = 50,
    ) -> AuditPage:
        """Show who called which tool or changed what, when and how it went; newest first.

        Arguments are kept by name and kind, never by value.
        """
        asked = {"since": since, "who": who, "server": server, "tool": tool, "outcome": outcome}
        given = {name: text for name, text in asked.items() if text}
        if before is not None:
            given["before"] = str(before)
        try:
            found = await self._log.find(given, limit)
        except BadWish as error:
            raise Refused(str(error)) from error
        older = found[-1].number if len(found) == limit else None
        return AuditPage([view_entry(each) for each in found], older)
