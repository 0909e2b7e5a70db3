"""Which kinds of answer a client reads, as its Accept header says. Pure.

Source: RFC 9110, section 12.5.1; MCP, basic/transports, Streamable HTTP: a client names both kinds
when it posts, and events for a session's stream.
"""

from functools import lru_cache

from gateway.relay.http import EVENT_STREAM, JSON, Headers
from gateway.relay.refusal import INVALID_REQUEST, Refusal

KNOWN_HEADERS = 64
"""How many are remembered as they were read; clients have few, and choose them."""
NEEDED = {
    "POST": (JSON.decode(), EVENT_STREAM.decode()),
    "GET": (EVENT_STREAM.decode(),),
}


def check_accept(method: str, headers: Headers) -> None:
    """Refuse a client that says it cannot read the answer; one that says nothing reads all."""
    said, needed = headers.get(b"accept"), NEEDED.get(method)
    if said is None or needed is None or accepts(said, needed):
        return
    sentence = f"The header Accept must allow {' and '.join(needed)}, not {said[:100]!r} alone."
    raise Refusal(INVALID_REQUEST, sentence, 406)


@lru_cache(maxsize=KNOWN_HEADERS)
def accepts(said: str, needed: tuple[str, ...]) -> bool:
    """True when a header allows each of these media types."""
    weights = dict(_range(part) for part in said.lower().split(",") if part.strip())
    return all(_weight(weights, wanted) > 0 for wanted in needed)


def _weight(weights: dict[str, float], wanted: str) -> float:
    """Return the weight of the range that fits best, 0 when none does."""
    kind = wanted.partition("/")[0]
    fitting = (weights.get(each) for each in (wanted, f"{kind}/*", "*/*"))
    return next((weight for weight in fitting if weight is not None), 0.0)


def _range(part: str) -> tuple[str, float]:
    media, *parameters = (each.strip() for each in part.split(";"))
    for name, _, value in (each.partition("=") for each in parameters):
        if name.strip() == "q":
            return media, _number(value.strip())
    return media, 1.0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
