"""How a shell sends a signed delivery: lines to paste, for each scheme. Pure.

What signs stands in the environment and never in an argument, where others on the machine would
see it.
"""

import shlex

from gateway.domain.webhook import Scheme

BODY = '{"example": true}'
_ASK = 'read -rsp "Secret: " SECRET; export SECRET'
_KEY = "os.environ['SECRET'].encode()"
_STANDARD_KEY = "base64.b64decode(os.environ['SECRET'].removeprefix('whsec_'))"
_BASE64 = "base64.b64encode({}).decode()"
_JSON = "-H 'Content-Type: application/json'"


def curl_of(scheme: Scheme, url: str | None, body: str = BODY) -> str:
    """Return the lines of a shell for `scheme`; without `url` it is asked for as ``$URL``."""
    post = f"curl -sS -X POST {'' if url is None else shlex.quote(url)}"
    if url is None:
        post = 'curl -sS -X POST "$URL"'
    known = f"BODY={shlex.quote(body)}"
    send = '-d "$BODY"'
    if scheme is Scheme.NONE:
        return "\n".join([known, f"{post} {_JSON} {send}"])
    if scheme is Scheme.BEARER:
        head = '-H @- <<<"Authorization: Bearer $SECRET"'
        return "\n".join([_ASK, known, f"{post} {_JSON} {send} {head}"])
    timed, signed, key, header = _parts(scheme)
    sign = f'SIGNATURE=$(printf %s "{signed}" | python3 -c "{_program(scheme, key)}")'
    return "\n".join([_ASK, known, *timed, sign, f"{post} {_JSON} {header} {send}"])


def _parts(scheme: Scheme) -> tuple[list[str], str, str, str]:
    """Return what comes before, what is signed, with which key, and the headers."""
    at, delivery = "AT=$(date +%s)", "ID=example_$(date +%s%N)"
    match scheme:
        case Scheme.STANDARD:
            headers = (
                '-H "webhook-id: $ID" -H "webhook-timestamp: $AT"'
                ' -H "webhook-signature: v1,$SIGNATURE"'
            )
            return [at, delivery], "$ID.$AT.$BODY", _STANDARD_KEY, headers
        case Scheme.GITHUB:
            headers = '-H "X-GitHub-Delivery: $ID" -H "X-Hub-Signature-256: sha256=$SIGNATURE"'
            return [delivery], "$BODY", _KEY, headers
        case Scheme.STRIPE:
            return [at], "$AT.$BODY", _KEY, '-H "Stripe-Signature: t=$AT,v1=$SIGNATURE"'
        case _:
            headers = '-H "X-Slack-Request-Timestamp: $AT" -H "X-Slack-Signature: v0=$SIGNATURE"'
            return [at], "v0:$AT:$BODY", _KEY, headers


def _program(scheme: Scheme, key: str) -> str:
    digest = f"hmac.digest({key}, sys.stdin.buffer.read(), 'sha256')"
    shown = _BASE64.format(digest) if scheme is Scheme.STANDARD else f"{digest}.hex()"
    return f"import base64,hmac,os,sys; print({shown})"
