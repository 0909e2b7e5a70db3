"""Why the authorization server refuses: an error code of the RFCs, a sentence, a status."""


class OAuthError(Exception):
    """A request that is refused (RFC 6749 section 5.2, RFC 7591 section 3.2.2)."""

    def __init__(
        self, code: str, sentence: str, status: int = 400, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s


def invalid_client() -> OAuthError:
    """Return the refusal that makes a client register again."""
    return OAuthError("invalid_client", "This client is unknown or its secret is wrong.", 401)


def invalid_grant(sentence: str) -> OAuthError:
    """Return the refusal of a code or a refresh token."""
    return OAuthError("invalid_grant", sentence)


def invalid_target() -> OAuthError:
    """Return the refusal of a resource that is none of ours or not the approved one (RFC 8707)."""
    return OAuthError(
        "invalid_target", "resource must name the one MCP endpoint that is asked for."
    )
