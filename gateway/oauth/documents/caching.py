"""How long a fetched document is good, by the headers that came with it (RFC 9111). Pure."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MIN_FRESH_S = 60
"""Whatever a host says: the consent page and its form are about the same document."""
MAX_FRESH_S = 24 * 3600
DEFAULT_FRESH_S = 3600
"""Where the host says nothing."""
_MAX_AGE = re.compile(r'(?:^|[\s,])max-age="?([0-9]{1,9})"?(?:$|[\s,;])')
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:$|[\s,;=])")


def fresh_s(headers: Mapping[str, str]) -> int:
    """Return for how many seconds an answer with these headers (lower case) is used again."""
    return max(MIN_FRESH_S, min(_stated_s(headers), MAX_FRESH_S))


def _stated_s(headers: Mapping[str, str]) -> int:
    control = headers.get("cache-control", "").lower()
    if _NOT_KEPT.search(control):
        return 0
    if (stated := _MAX_AGE.search(control)) is not None:
        age = headers.get("age", "0")
        return int(stated[1]) - (int(age) if age.isdecimal() and len(age) < 10 else 0)
    if "expires" in headers:
        return _until_s(headers["expires"], headers.get("date", ""))
    return DEFAULT_FRESH_S


def _until_s(expires: str, date: str) -> int:
    """Return the seconds between two dates; 0 when either is none (RFC 9111, section 5.3)."""
    try:
        between = parsedate_to_datetime(expires) - parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return 0
    return int(between.total_seconds())
