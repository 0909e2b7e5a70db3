"""Reads JSON as VS Code writes it: with comments, and commas behind the last member.

The libraries that do so also take what VS Code does not, such as texts in single quotes, and are
slow on files of megabytes.
"""

import json
import re

# A text is matched as a whole, so that nothing in it is taken for a comment.
TEXT = r'"(?:[^"\\]|\\.)*"'
COMMENTS = re.compile(TEXT + r"|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
LAST_COMMAS = re.compile(TEXT + r"|,(?=\s*[}\]])", re.DOTALL)
NOT_A_LINE_END = re.compile(r"[^\n]")


def read_jsonc(content: bytes) -> object:
    """Return what a file holds. Raises ValueError, whose place is that in the file."""
    text = content.decode(json.detect_encoding(content))
    for left_out in (COMMENTS, LAST_COMMAS):
        text = left_out.sub(_blanked, text)
    return json.loads(text)


def _blanked(found: re.Match[str]) -> str:
    part = found[0]
    return part if part.startswith('"') else NOT_A_LINE_END.sub(" ", part)
