"""The response headers of every page: nothing but our own files runs, nobody frames us."""

from quart import Response

from gateway.answer_headers import ON_EVERY_ANSWER

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
PAGES_OWN = ("Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cache-Control")
"""Headers that a page may set for itself."""
HSTS = "max-age=31536000"


def content_security_policy(*form_targets: str) -> str:
    """Return the policy of a page whose forms may lead to our own pages and to these sources."""
    return "; ".join((*_POLICY, " ".join(("form-action 'self'", *form_targets))))


SECURITY_HEADERS = {
    **ON_EVERY_ANSWER,
    "Content-Security-Policy": content_security_policy(),
    # With no-referrer the forms of our own pages would come from the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def add_security_headers(response: Response, *, https: bool) -> Response:
    """Set the headers; Strict-Transport-Security only where the browser speaks https."""
    own = {name: response.headers[name] for name in PAGES_OWN if name in response.headers}
    response.headers.update({**SECURITY_HEADERS, **own})
    if https:
        response.headers["Strict-Transport-Security"] = HSTS
    return response
