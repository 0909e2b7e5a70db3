"""The steps of signing in, each judged by its answer alone.

Source: RFC 6750, 7591, 8414, 9728; MCP basic/authorization; what claude.ai was seen to do.
"""

import re
from urllib.parse import urlsplit

from gateway.connector.report import Step, fine, problem, warning
from gateway.connector.web import Answer, shown
from gateway.oauth.metadata import PROTECTED_RESOURCE

_METADATA = re.compile(r'resource_metadata="([^"]*)"')
PATHS_ADVICE = "Have the proxy pass on every path unchanged, /.well-known/ and what follows it too."


def check_unauthorized(name: str, answer: Answer) -> Step:
    """Judge a request without a token: it must be answered 401, whatever its method."""
    if answer.status == 401:
        return fine(name, answer.said())
    wrong = "Without a token the answer must be 401."
    if answer.status in (403, 405, 406, 429) or answer.status >= 500:
        wrong = "Something in front of the gateway answers this itself; the gateway says 401."
    elif answer.status == 404:
        wrong = "The proxy does not pass this path on; the gateway says 401."
    elif 300 <= answer.status < 400:
        wrong = "Something in front of the gateway sends it elsewhere; the gateway says 401."
    return problem(
        name, answer.said(), wrong, "Let the proxy pass on every method and path of this host name."
    )


def check_challenge(answer: Answer, base: str, path: str) -> Step:
    """Judge how a client without a token is told where to sign in."""
    name, challenge = "challenge", answer.headers.get("www-authenticate", "")
    if answer.status != 401:
        return check_unauthorized(name, answer)
    if not challenge:
        return problem(
            name,
            "401 without WWW-Authenticate",
            "The header WWW-Authenticate is lost on the way: clients do not learn where to go.",
            "Have the proxy pass the headers of answers on, and not replace its error pages.",
        )
    found = _METADATA.search(challenge)
    wanted = f"{base}{PROTECTED_RESOURCE}{path}"
    if found is None or found[1] != wanted:
        where = shown(found[1]) if found else "nowhere"
        return problem(
            name,
            f"leads to {where}",
            f"Clients are sent to {where} instead of {wanted}.",
            "Set PUBLIC_URL to the address that clients use, and have the proxy pass Host on.",
        )
    return fine(name, f"leads to {found[1]}")


def check_bearer(answer: Answer) -> Step:
    """Judge a request with a wrong token: the answer must be about that token."""
    name = "Authorization"
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status == 429:
        return fine(name, "arrives; this machine showed too many wrong tokens lately")
    if answer.status != 401:
        return check_unauthorized(name, answer)
    if 'error="invalid_token"' in challenge:
        return fine(name, "arrives at the gateway")
    if not challenge:
        return warning(
            name,
            answer.said(),
            "Whether it arrives cannot be told from an answer without WWW-Authenticate.",
            "Mend the step above first.",
        )
    return problem(
        name,
        "a request with a token is answered as one without",
        "The header Authorization is lost on the way: clients sign in and stay strangers.",
        "Have the proxy pass it on (Apache: CGIPassAuth On; nginx: no proxy_set_header "
        "Authorization; no login of the proxy's own).",
    )


def check_resource(name: str, answer: Answer, base: str, path: str) -> Step:
    """Judge a document about a protected resource."""
    if answer.status == 404:
        wrong = "The document at the endpoint's own path is not found; clients look there first."
        return problem(name, answer.said(), wrong, PATHS_ADVICE)
    fields = answer.fields()
    if answer.status != 200 or not fields:
        return _no_document(name, answer)
    if fields.get("resource") != base + path:
        return _other(name, "resource", fields.get("resource"), base + path)
    servers = fields.get("authorization_servers")
    if servers != [base]:
        return _other(name, "authorization_servers", servers, [base])
    return fine(name, f"resource {base}{path}")


def check_server(name: str, answer: Answer, base: str) -> Step:
    """Judge a document about the authorization server."""
    fields = answer.fields()
    if answer.status != 200 or not fields:
        return _no_document(name, answer)
    if fields.get("issuer") != base:
        return _other(name, "issuer", fields.get("issuer"), base)
    for key in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
        if not str(fields.get(key)).startswith(f"{base}/"):
            return _other(name, key, fields.get(key), f"{base}/...")
    return fine(name, f"issuer {base}")


def check_registration(answer: Answer) -> Step:
    """Judge the registration of a client."""
    name = "registration"
    if answer.status == 201 and answer.fields().get("client_id"):
        return fine(name, "a client was registered, and is removed again")
    if answer.status == 429:
        return problem(
            name,
            answer.said(),
            "Too many clients register at the moment.",
            "Wait a minute; if it goes on, somebody floods the gateway: see its log.",
        )
    return problem(
        name, answer.said(), "A client cannot register itself.", "See the gateway's log."
    )


def check_authorize(answer: Answer, base: str) -> Step:
    """Judge what the owner's browser meets: a page of ours, or the way to our login."""
    name = "authorize"
    where = answer.headers.get("location", "")
    ours = where.startswith("/") or urlsplit(where)[:2] == urlsplit(base)[:2]
    if answer.status == 200 or (300 <= answer.status < 400 and ours):
        return fine(name, "the owner is asked to log in and to consent")
    if 300 <= answer.status < 400:
        return problem(
            name,
            answer.said(),
            "Something in front of the gateway sends the owner's browser elsewhere.",
            "Let this host name pass; the gateway asks for a login itself.",
        )
    return problem(
        name, answer.said(), "The page on which the owner consents cannot be seen.", PATHS_ADVICE
    )


def check_callback(answer: Answer) -> Step:
    """Judge a request whose answer would go to an address that was not registered."""
    name = "callback address"
    if answer.status == 400:
        return fine(name, "claude.ai's is accepted, a foreign one is not")
    return problem(
        name,
        answer.said(),
        "A request with a foreign address for its answer was not refused.",
        "Something in front of the gateway answers /authorize; let the gateway do it.",
    )


def check_token(name: str, answer: Answer, *, status: int, error: str) -> Step:
    """Judge a mistake at the token endpoint: its answer steers what clients do next."""
    said = shown(answer.fields().get("error", answer.said()))
    if (answer.status, answer.fields().get("error")) == (status, error):
        return fine(name, f"{status} {error}")
    return problem(
        name,
        f"{answer.status} {said}",
        f"A mistake at /token must be answered {status} {error}, or clients never sign in again.",
        "Have the proxy pass on bodies and error answers of /token unchanged.",
    )


def _no_document(name: str, answer: Answer) -> Step:
    wrong = "There is no JSON document at this address."
    return problem(name, answer.said(), wrong, PATHS_ADVICE)


def _other(name: str, key: str, found: object, wanted: object) -> Step:
    return problem(
        name,
        f"{key} is {shown(found)}",
        f"It must be {wanted}: clients compare it with the address that they were given.",
        "Set PUBLIC_URL to that address, and have the proxy pass Host on.",
    )
