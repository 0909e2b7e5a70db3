"""How keys look that nobody told us of. Pure.

Every pattern takes time in proportion to the text, also on text made against it: it begins at a
fixed word, and what repeats gives nothing back.
"""

import re

from ahocorasick_rs import BytesAhoCorasick

MAX_KEY_BYTES = 16 * 1024
"""The longest private key in use has 13 KB."""

_WORD = rb"[A-Za-z0-9_-]"
KEY_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
"""What keys on one line are made of."""
_PRIVATE_KEY = (
    rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:[A-Za-z0-9+/=\\]|[\r\n][ \t]*|(?:Proc-Type|DEK-Info): [^\r\n\\]*){0,%d}+"
    rb"(?P<end>-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?" % MAX_KEY_BYTES
)
_FORMATS: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = (
    ("private key", (b"PRIVATE KEY",), _PRIVATE_KEY),
    ("Anthropic key", (b"sk-ant-",), rb"sk-ant-" + _WORD + rb"{16,}+"),
    (
        "GitHub token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}+",
    ),
    ("Slack token", (b"xox", b"xapp-"), rb"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}+"),
    ("AWS key", (b"AKIA", b"ASIA"), rb"(?<![A-Z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])"),
    ("Google key", (b"AIza",), rb"AIza" + _WORD + rb"{35}"),
    ("GitLab token", (b"glpat-",), rb"glpat-" + _WORD + rb"{20,}+"),
    ("Stripe key", (b"sk_live_", b"rk_live_"), rb"[sr]k_live_[A-Za-z0-9]{16,}+"),
    (
        "JSON web token",
        (b"eyJ",),
        rb"(?<!" + _WORD + rb")eyJ" + _WORD + rb"{8,}+\." + _WORD + rb"{2,}+\." + _WORD + rb"{8,}+",
    ),
    (
        "token of this gateway",
        (b"cra_", b"crc_", b"crf_", b"crr_", b"crs_", b"crt_"),
        rb"cr[acfrst]_" + _WORD + rb"{32,}+",
    ),
)
_NAMES = tuple(name for name, _, _ in _FORMATS)
_ANY = re.compile(b"|".join(b"(?P<f%d>%b)" % (n, form[2]) for n, form in enumerate(_FORMATS)))
_KEY = re.compile(_PRIVATE_KEY)
_BEGINNINGS = BytesAhoCorasick([word for _, words, _ in _FORMATS for word in words])
"""The words of which one is in every key; most text has none and is not looked at further."""


def hide_keys(data: bytes) -> bytes:
    """Return `data` without what looks like a key."""
    if not _BEGINNINGS.find_matches_as_indexes(data):
        return data
    return _ANY.sub(_shown, data)


def unfinished_key(data: bytes) -> int:
    """Return how many bytes at the end are the beginning of a private key, over several lines."""
    start = data.rfind(b"-----BEGIN ")
    found = _KEY.match(data, start) if start >= 0 else None
    if (
        found is None
        or found["end"]
        or found.end() < len(data)
        or len(data) - start > MAX_KEY_BYTES
    ):
        return 0
    return len(data) - start


def _shown(match: re.Match[bytes]) -> bytes:
    groups = match.groupdict()
    name = next(name for n, name in enumerate(_NAMES) if groups[f"f{n}"] is not None)
    return f"[{name} hidden]".encode()
