"""Which URI templates a URI can come from, in time bounded by the lengths of both. Pure.

Source: RFC 6570. Only whether it can match is asked, so a variable is what it may expand to: up to
the next ``/`` for ``{name}``, anything for the operators that keep reserved characters.
"""

import re
from itertools import islice

MAX_CHARACTERS = 4096
MAX_EXPRESSIONS = 32
"""Longer URIs and templates, and those with more expressions, match nothing."""

_EXPRESSION = re.compile(r"\{([+#./;?&]?)[^{}]+\}")
_REACHES_FAR = frozenset("+#/?&")
"""Operators whose expansion may hold ``/``, or whose values may."""


def matches(template: str, uri: str) -> bool:
    """True when some values of the template's variables give this URI."""
    if max(len(template), len(uri)) > MAX_CHARACTERS:
        return False
    expressions = list(islice(_EXPRESSION.finditer(template), MAX_EXPRESSIONS + 1))
    if len(expressions) > MAX_EXPRESSIONS:
        return False
    ends = {0}
    at = 0
    for expression in expressions:
        ends = _after_text(template[at : expression.start()], uri, ends)
        ends = _after_variable(expression[1], uri, ends)
        at = expression.end()
        if not ends:
            return False
    return len(uri) in _after_text(template[at:], uri, ends)


def _after_text(text: str, uri: str, ends: set[int]) -> set[int]:
    return {end + len(text) for end in ends if uri.startswith(text, end)}


def _after_variable(operator: str, uri: str, ends: set[int]) -> set[int]:
    begun = ends
    if operator not in ("", "+"):
        # These put themselves before what they expand to, and nothing before nothing.
        begun = {end for end in ends if uri.startswith(operator, end)}
    if operator and operator in _REACHES_FAR and begun:
        return ends | set(range(min(begun), len(uri) + 1))
    reached = set[int]()
    for start in sorted(begun):
        # One that was reached before stops at the same place.
        if start not in reached:
            stop = uri.find("/", start)
            reached.update(range(start, (len(uri) if stop < 0 else stop) + 1))
    return ends | reached
