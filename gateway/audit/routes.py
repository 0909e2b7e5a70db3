"""``/local/audit``: what the owner's command line asks of the audit log."""

from dataclasses import asdict
from typing import Any

from quart import Blueprint, request
from werkzeug.exceptions import BadRequest

from gateway.audit.reading import AuditLog
from gateway.audit.views import BadWish, view_entry


def build_audit_routes(log: AuditLog) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("audit_log", __name__)

    @routes.get("/local/audit")
    async def find() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction] - a route
        try:
            found = await log.find(request.args.to_dict())
        except BadWish as error:
            raise BadRequest(str(error)) from error
        return {"entries": [asdict(view_entry(each)) for each in found]}

    return routes
