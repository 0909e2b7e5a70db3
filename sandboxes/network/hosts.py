"""Names of hosts: what a server may be granted, and what it asks the proxy for. Pure.

Only plain ASCII names are taken, so that a name means the same to us, to the resolver and to
whoever reads the grant: no addresses in any notation, no escapes, no Unicode.
"""

import re
from dataclasses import dataclass

from sandboxes.errors import InvalidHost

HTTPS_PORT = 443
EVERY = "*"
"""A grant of every name, on the ports of the web; only the owner can give it."""
MAX_HOSTS = 100
MAX_NAME_CHARACTERS = 253
"""RFC 1035, section 2.3.4, without the root's dot."""
SHOWN_CHARACTERS = 100

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Resolvers and URL parsers read a name as an address when its last label is a number
# (inet_aton(3); WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Target:
    """One host and port, as a child asks for it."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """A grant: one name, or every name below it, on one port."""

    name: str
    """Lower case, without the leading `*.`."""
    port: int = HTTPS_PORT
    below: bool = False
    """True: names below `name`, at any depth, and not `name` itself."""

    def allows(self, target: Target) -> bool:
        """Return whether the grant covers a target."""
        if target.port != self.port:
            return False
        return target.name.endswith(f".{self.name}") if self.below else target.name == self.name


def parse_rule(text: str) -> HostRule:
    """Return the grant that `name`, `*.name`, `name:port` or `*.name:port` stands for.

    Raises:
        InvalidHost: it is no such text; the message is one sentence.
    """
    below = text.startswith("*.")
    bare = text.removeprefix("*.") if below else text
    name, colon, port = bare.partition(":")
    return HostRule(_name(name, text), _port(port, text) if colon else HTTPS_PORT, below)


def parse_rules(texts: tuple[str, ...]) -> tuple[HostRule, ...]:
    """Return the grants of a server.

    Raises:
        InvalidHost: one of them is wrong, or there are too many or none.
    """
    if not 1 <= len(texts) <= MAX_HOSTS:
        raise InvalidHost(f"Name 1 to {MAX_HOSTS} hosts; {len(texts)} were given.")
    return tuple(map(parse_rule, texts))


def parse_target(text: str) -> Target:
    """Return the host and port of a CONNECT request (RFC 9110, section 9.3.6).

    Raises:
        InvalidHost: it is not `name:port` with a plain name.
    """
    name, colon, port = text.partition(":")
    if not colon:
        raise InvalidHost(f"The target {shown(text)} has no port; ask for name:port.")
    return Target(_name(name, text), _port(port, text))


def shown(text: str) -> str:
    """Return any text as a short, quoted, printable one."""
    return ascii(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")


def _name(given: str, text: str) -> str:
    name = given.lower() if given.isascii() else given
    if not name.isascii():
        raise InvalidHost(f"The host {shown(text)} is not ASCII; write its xn-- form.")
    labels = name.split(".")
    if len(name) > MAX_NAME_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidHost(
            f"The host {shown(text)} is not a plain name such as 'api.example.com', "
            f"'*.example.com' or 'example.com:8443'."
        )
    if _NUMBER.fullmatch(labels[-1]):
        raise InvalidHost(f"The host {shown(text)} is an address; a name is needed.")
    if len(labels) < 2:
        raise InvalidHost(f"The host {shown(text)} has no domain; give its full name.")
    return name


def _port(given: str, text: str) -> int:
    if not _PORT.fullmatch(given) or int(given) > MAX_PORT:
        raise InvalidHost(f"The port of {shown(text)} is not a number from 1 to {MAX_PORT}.")
    return int(given)
