"""What can go wrong below the gateway. The message is one sentence for a person."""

from typing import cast

from supervisor.children.crash import CrashReport

INTERNAL_ERROR = -32603
"""JSON-RPC 2.0, section 5.1."""

SHOWN_CHARACTERS = 64
"""Of a name that somebody made up."""


class SupervisorError(Exception):
    """Base of this package's errors."""


class InvalidServer(SupervisorError):
    """A server's folder, name or metadata cannot be used."""


class NotConfigured(SupervisorError):
    """The server cannot be started until somebody sets something; the message says what."""


class UnknownServer(SupervisorError):
    """No server has this name."""

    def __init__(self, server: str, known: tuple[str, ...]) -> None:
        names = ", ".join(sorted(known)) or "none"
        shown = server if len(server) <= SHOWN_CHARACTERS else f"{server[:SHOWN_CHARACTERS]}..."
        super().__init__(f"There is no server named {shown!r}; known servers: {names}.")
        self.server = server
        self.known = known


class ServerUnavailable(SupervisorError):
    """The server exists but cannot take a call now."""

    def __init__(
        self, server: str, state: str, reason: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"Server {server!r} is {state}: {reason}.")
        self.server = server
        self.state = state
        self.reason = reason
        self.retry_after_s = retry_after_s


class TooManyInstances(ServerUnavailable):
    """Every instance that the server may have is somebody's."""

    def __init__(self, server: str, holders: tuple[str, ...]) -> None:
        reason = (
            f"all of its {len(holders)} instances are taken, by {', '.join(holders)}; end one of"
            " these, or raise max_instances in its metadata.json"
        )
        super().__init__(server, "full", reason)
        self.holders = holders


class NotMcp(SupervisorError):
    """A child answered something that the protocol does not allow; the message says what."""


class StartFailed(SupervisorError):
    """A child did not become ready."""

    def __init__(self, server: str, reason: str, stderr_tail: tuple[str, ...] = ()) -> None:
        super().__init__(f"Server {server!r} did not start: {reason}.")
        self.server = server
        self.reason = reason
        self.stderr_tail = stderr_tail


class CannotStart(StartFailed):
    """It makes no sense to try again before something is changed; the reason says what."""


class EnvironmentFailed(CannotStart):
    """A server's packages cannot be had until its declaration, or this machine, is changed."""


class InvalidCode(CannotStart):
    """The server's code is no Python; the reason has the line and what stands there."""


class ChildDied(SupervisorError):
    """The child ended while a call was in flight; the call may or may not have taken effect."""

    def __init__(
        self,
        server: str,
        reason: str,
        stderr_tail: tuple[str, ...],
        crash: CrashReport | None = None,
    ) -> None:
        """Without a `crash` it was stopped on purpose, or only takes no input any more."""
        how = f", {crash.circumstances()}" if crash else ""
        super().__init__(f"Server {server!r} ended during the call: {reason}{how}.")
        self.server = server
        self.reason = reason
        self.stderr_tail = stderr_tail
        self.crash = crash


class NotTaken(ChildDied):
    """The child had closed its input: nothing of the call was sent."""


class RequestRefused(SupervisorError):
    """The child answered with a JSON-RPC error."""

    def __init__(self, server: str, code: int, message: str, data: object = None) -> None:
        super().__init__(f"Server {server!r} refused: {message}")
        self.server = server
        self.code = code
        self.message = message
        self.data = data

    @classmethod
    def from_json(cls, server: str, error: object) -> "RequestRefused":
        """Return the error that a decoded JSON-RPC error object describes."""
        body = cast(dict[str, object], error) if isinstance(error, dict) else {}
        code = body.get("code")
        return cls(
            server,
            code if isinstance(code, int) else INTERNAL_ERROR,
            str(body.get("message", "an error without a message")),
            body.get("data"),
        )


class ToolWithheld(SupervisorError):
    """The tool is quarantined: how it describes itself was not approved. Nothing was sent."""

    def __init__(self, server: str, tool: str, why: str) -> None:
        super().__init__(
            f"Tool {tool[:SHOWN_CHARACTERS]!r} of server {server!r} is quarantined: {why}; its "
            f"owner sees both and approves with 'claude-runner approvals' or on the dashboard."
        )
        self.server = server
        self.tool = tool
        self.why = why


class NotPending(SupervisorError):
    """No such definition of a tool waits for approval; the message says which does."""


class CallTimedOut(SupervisorError):
    """The child did not answer in time; the call was cancelled."""

    def __init__(self, server: str, method: str, timeout_s: float) -> None:
        super().__init__(f"Server {server!r} did not answer {method} within {timeout_s:g} s.")
        self.server = server
        self.method = method
        self.timeout_s = timeout_s
