"""Addresses of people: reading them, and refusing what could become a header of its own."""

import re
from email.headerregistry import Address
from email.utils import parseaddr

from mailing.errors import MailError

MAX_LENGTH = 320
"""64 before the @, 255 after it (RFC 5321, 4.5.3.1)."""
_LOCAL = re.compile(r"[^\x00-\x20\x7f\"(),:;<>@\[\\\]]+")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[^?]*\?[^?]*\?=")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def read_address(given: str) -> Address:
    """Return an address, its domain in the form that DNS has it.

    Raises MailError: it is none, or holds what a header must not.
    """
    given = given.strip()
    name, bare = parseaddr(check_line("address", given))
    # The name is looked at again without its quotes and comments.
    check_line("name of an address", name)
    local, _, domain = bare.rpartition("@")
    whole = given in (bare, f"<{bare}>") or (name and given.endswith(f"<{bare}>"))
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if not whole or dots or not _LOCAL.fullmatch(local) or len(bare) > MAX_LENGTH:
        raise MailError(f"{given[:100]!r} is no e-mail address; write me@example.com.")
    try:
        domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise MailError(f"The domain of {given[:100]!r} is none; write me@example.com.")
    return Address(name, local, domain)


def check_line(what: str, text: str) -> str:
    """Return text that has to stay on one line as it is. Raises MailError: it would not.

    Encoded words (RFC 2047) are refused too: Python decodes them while it writes a header, and
    so do providers and mail readers, and any line break can stand in them.
    """
    if any(not each.isprintable() for each in text):
        raise MailError(
            f"The {what} holds a line break or another control character; leave it out."
        )
    if _ENCODED_WORD.search(text):
        raise MailError(
            f"The {what} holds an encoded word (=?...?=); write the text itself, in any language."
        )
    return text


def is_plain(address: Address) -> bool:
    """Return whether every mail server can take an address."""
    return address.username.isascii()
