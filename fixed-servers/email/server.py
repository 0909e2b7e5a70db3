"""Sends e-mail. The provider is the one whose credentials are set; docs/servers/email.md."""

import os
from pathlib import Path
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

from mailing.attachments import Folder
from mailing.deadline import Deadline
from mailing.errors import MailError
from mailing.message import Letter
from mailing.office import Office
from mailing.settings import read_settings

mcp = FastMCP("email")
attached = Folder(Path(os.environ["DATA_DIR"]))

Addresses = Annotated[
    list[str], Field(description="me@example.com, or Me <me@example.com>", max_length=50)
]


def office() -> Office:
    """Return what sends with the present settings."""
    return Office(read_settings(os.environ), attached)


@mcp.tool(annotations={"destructiveHint": True, "openWorldHint": True})
def send_email(
    to: Addresses,
    subject: str,
    text: Annotated[str, Field(description="The message; give `text`, `html` or both")] = "",
    html: str = "",
    cc: Addresses = [],  # noqa: B006 - read only, and a schema says "[]" better than "null"
    bcc: Addresses = [],  # noqa: B006
    reply_to: Addresses = [],  # noqa: B006
    attachments: Annotated[
        list[str], Field(description="Names that list_attachments shows", max_length=20)
    ] = [],  # noqa: B006
    dry_run: Annotated[bool, Field(description="Check everything, send nothing")] = False,  # noqa: FBT002 - an argument of a tool is named
) -> dict[str, Any]:
    """Send one e-mail, once. An answer that it may have been sent is none to repeat it."""
    deadline = Deadline()
    try:
        letter = Letter.of(
            to=to, cc=cc, bcc=bcc, reply_to=reply_to, subject=subject, text=text, html=html
        )
        return office().send(letter, attachments, dry_run=dry_run, deadline=deadline)
    except MailError as error:
        raise ToolError(str(error)) from error


@mcp.tool(annotations={"readOnlyHint": True})
def email_status() -> dict[str, Any]:
    """Tell through whom mail goes, from whom, to whom it may go, and what is left for today."""
    try:
        return office().status()
    except MailError as error:
        raise ToolError(str(error)) from error


@mcp.tool(annotations={"readOnlyHint": True})
def list_attachments() -> list[dict[str, Any]]:
    """List the files that can be attached, with their sizes in bytes."""
    return attached.listed()


@mcp.tool
def save_attachment(
    name: Annotated[str, Field(description="Such as report.txt or 2026/report.pdf")],
    text: str = "",
    base64: Annotated[str, Field(description="Content that is no text, in place of `text`")] = "",
) -> dict[str, Any]:
    """Keep a file, so that send_email can attach it; one of that name is replaced."""
    try:
        return attached.save(name, text, base64)
    except MailError as error:
        raise ToolError(str(error)) from error


@mcp.tool(annotations={"destructiveHint": True})
def delete_attachment(name: str) -> str:
    """Delete a file that save_attachment or the owner put there."""
    try:
        attached.delete(name)
    except MailError as error:
        raise ToolError(str(error)) from error
    return f"{name} is deleted."
