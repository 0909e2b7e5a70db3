"""Hosts that a server's code names, found by parsing; what is built at run time is not seen."""

import ast
import re
from collections.abc import Iterator

from sandboxes.errors import InvalidHost
from sandboxes.network.hosts import EVERY, HTTPS_PORT, Target, parse_rules, parse_target
from sandboxes.policy import Network, NetworkMode

MAX_FOUND = 50

# The host must end within the text: the rest of an f-string may go on with it.
_URL = re.compile(r"(?:https?|wss?)://(?:[^/?#@\s]*@)?([^/?#@:\s'\"<>,;)\]}]+)(?::(\d+))?", re.I)
_CLIENTS = frozenset(
    {
        "create_connection", "open_connection", "connect", "connect_tcp", "open_tcp_stream",
        "HTTPSConnection", "HTTPConnection", "SMTP", "SMTP_SSL", "IMAP4", "IMAP4_SSL", "POP3",
        "POP3_SSL", "FTP", "FTP_TLS", "getaddrinfo", "gethostbyname",
    }
)  # fmt: skip
"""Calls whose first argument, or `host`, is a host name."""
_DEFAULT_PORTS = {
    "SMTP": 25, "SMTP_SSL": 465, "IMAP4": 143, "IMAP4_SSL": 993, "POP3": 110, "POP3_SSL": 995,
    "FTP": 21, "FTP_TLS": 21,
}  # fmt: skip


def undeclared_hosts(tree: ast.Module, network: Network) -> tuple[str, ...]:
    """Return the hosts that code names and a server with this network may not reach.

    As grants are written: `name`, or `name:port` where the port is not that of https.
    """
    if network.mode is NetworkMode.FULL or EVERY in network.hosts:
        return ()
    rules = parse_rules(network.hosts) if network.mode is NetworkMode.HOSTS else ()
    missing = (t for t in read_hosts(tree) if not any(rule.allows(t) for rule in rules))
    names = (target.name if target.port == HTTPS_PORT else str(target) for target in missing)
    return tuple(names)[:MAX_FOUND]


def read_hosts(tree: ast.Module) -> tuple[Target, ...]:
    """Return the hosts in URLs and in calls of well-known clients, in order of appearance."""
    found: dict[Target, None] = {}
    for name, port in _named(tree):
        try:
            found[parse_target(f"{name}:{port}")] = None
        except InvalidHost:
            continue
    return tuple(found)


def _named(tree: ast.Module) -> Iterator[tuple[str, int]]:
    skipped = _descriptions(tree)
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                for part, following in zip(values, [*values[1:], None], strict=True):
                    skipped.add(id(part))
                    yield from _in_text(_text(part), ends=following is None)
            case ast.Constant(value=str(text)) if id(node) not in skipped:
                yield from _in_text(text, ends=True)
            case ast.Call():
                yield from _in_call(node)
            case _:
                pass


def _descriptions(tree: ast.Module) -> set[int]:
    """Return the identities of texts that stand alone, which are documentation."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _in_text(text: str, *, ends: bool) -> Iterator[tuple[str, int]]:
    for match in _URL.finditer(text):
        if ends or match.end() < len(text):
            # Plain http is not carried, so what must be granted is the https port.
            port = int(match[2]) if match[2] else HTTPS_PORT
            yield match[1], port


def _in_call(call: ast.Call) -> Iterator[tuple[str, int]]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else _identifier(function)
    if name not in _CLIENTS:
        return
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    given = [*call.args, *(named[key] for key in ("host", "port") if key in named)]
    if given and isinstance(given[0], ast.Tuple):
        given = given[0].elts
    host = _text(given[0]) if given else ""
    port = given[1].value if len(given) > 1 and isinstance(given[1], ast.Constant) else None
    if "." in host:
        yield host, port if isinstance(port, int) else _DEFAULT_PORTS.get(name, HTTPS_PORT)


def _identifier(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case _:
            return ""
