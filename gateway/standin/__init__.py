"""A scripted stand-in for the Messages API on loopback, for the demo and for tests.

It is no model: every text it says begins with ``[stand-in]``. The real CLI talks to it unchanged
when ANTHROPIC_BASE_URL names it.
"""

from gateway.standin.script import (
    Call,
    Hang,
    ModelRequest,
    OfferedTool,
    Refuse,
    Reply,
    Say,
    Script,
    call_then_report,
)
from gateway.standin.server import StandIn

__all__ = [
    "Call",
    "Hang",
    "ModelRequest",
    "OfferedTool",
    "Refuse",
    "Reply",
    "Say",
    "Script",
    "StandIn",
    "call_then_report",
]
