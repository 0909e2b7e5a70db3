"""The request headers of MCP's stateless revision (2026-07-28, Streamable HTTP)."""

import base64
from collections.abc import Mapping
from typing import Any, cast

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"

NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Which member of params `Mcp-Name` repeats; tasks are an extension, SEP-2663."""

Json = Mapping[str, Any]


def stateless_version(message: Json) -> str | None:
    """Return the revision that a message of the stateless era names; None for any other."""
    params = message.get("params")
    meta = cast("Json", params).get("_meta") if isinstance(params, dict) else None
    version = cast("Json", meta).get(VERSION_KEY) if isinstance(meta, dict) else None
    return version if isinstance(version, str) else None


def stateless_headers(message: Json, version: str) -> dict[str, str]:
    """Return what must be repeated beside the body of a request."""
    method = str(message.get("method", ""))
    headers = {"MCP-Protocol-Version": version, "Mcp-Method": _header_text(method)}
    named_by = NAMED_BY.get(method)
    name = cast("Json", message["params"]).get(named_by) if named_by else None
    return {**headers, "Mcp-Name": _header_text(name)} if isinstance(name, str) else headers


def _header_text(text: str) -> str:
    if text.isascii() and text.isprintable() and text == text.strip():
        return text
    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")
    return f"=?base64?{encoded}?="
