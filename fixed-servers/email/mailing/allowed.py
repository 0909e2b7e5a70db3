"""To whom mail may go."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from email.headerregistry import Address

from mailing.errors import MailError

EVERYBODY = "*"


def check_allowed(recipients: Iterable[Address], allowed: Sequence[str], sender: Address) -> None:
    """Refuse recipients that the owner did not name; without names only the sender is one.

    An entry is an address, a domain (`example.com` or `@example.com`, its subdomains not meant),
    or `*` for everybody.
    """
    if EVERYBODY in allowed:
        return
    entries = set(map(_entry, allowed)) or {_plain(sender)}
    refused = [each for each in recipients if not {_plain(each), each.domain} & entries]
    if refused:
        names = ", ".join(each.addr_spec for each in refused[:3])
        raise MailError(
            f"Mail may not go to {names}: the owner allows it with ./claude-runner servers grant "
            f"email --set EMAIL_ALLOWED_RECIPIENTS={refused[0].addr_spec} (addresses and domains, "
            "with commas between them)."
        )


def _entry(text: str) -> str:
    """Return an entry as addresses are compared with it; a domain has its form in DNS."""
    local, _, domain = text.lower().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}" if local else domain


def _plain(address: Address) -> str:
    return address.addr_spec.lower()
