"""What senders ask of an address before they use it; answered without a run. Pure."""

from typing import Any, cast

from gateway.domain.webhook import Scheme
from gateway.relay.http import Headers


def greet(scheme: Scheme, headers: Headers, payload: object) -> dict[str, Any] | None:
    """Return the answer to a sender's trial; None for a delivery of its own."""
    if scheme is Scheme.GITHUB and headers.get(b"x-github-event") == "ping":
        return {"pong": True}
    if scheme is Scheme.SLACK and isinstance(payload, dict):
        fields = cast("dict[str, object]", payload)
        if fields.get("type") == "url_verification":
            return {"challenge": fields.get("challenge")}
    return None
