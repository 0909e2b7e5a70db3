"""Callers of the modern era: no session, every request stands for itself.

Source: MCP 2026-07-28, basic/transports, Streamable HTTP.
"""

from gateway.relay.http import send_body
from gateway.relay.parameter_headers import ParameterHeaders
from gateway.relay.refusal import METHOD_NOT_FOUND, Refusal
from gateway.relay.request import Posted
from gateway.relay.visit import Visit
from supervisor.children.era import is_of_other_era
from supervisor.children.wire import result_message
from supervisor.spec import Era


class ModernCallers:
    """Answers the requests of callers that speak the modern era."""

    def __init__(self) -> None:
        self._parameters = ParameterHeaders()

    async def ask(self, visit: Visit, posted: Posted) -> None:
        """Answer one request.

        Raises:
            SupervisorError, Refusal: it gets no answer of the server's, and why.
        """
        if is_of_other_era(Era.MODERN, posted.method):
            raise Refusal(METHOD_NOT_FOUND, f"This revision has no method {posted.method}.", 404)
        if posted.method == "server/discover":
            child = await visit.slot.child_for_call()
            result = child.handshake.discover_result()
            await send_body(visit.send, 200, result_message(posted.id, result))
            return
        visit.check_tool(posted)
        self._parameters.check(visit.slot, posted, visit.headers)
        await visit.relay(posted, cancel_on_disconnect=True)
