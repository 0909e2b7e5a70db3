"""The listening socket: bound before anything starts, so that a taken port costs nothing.

A service manager may hold it and pass it to us: then callers wait in it while we are restarted.
"""

import errno
import socket
from contextlib import suppress

import psutil

BACKLOG = 512
FIRST_PASSED = 3
"""Where passed sockets begin (sd_listen_fds(3))."""


class CannotListen(Exception):
    """The address cannot be bound; the message says who holds it or what to set."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and listening; port 0 takes any free one.

    Raises:
        CannotListen.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(_sentence(host, port, error)) from error
    return sock


def take_passed(count: int, first: int = FIRST_PASSED) -> socket.socket:
    """Return the one socket that the service manager passed. Raises CannotListen."""
    if count != 1:
        raise CannotListen(f"{count} sockets were passed; keep one ListenStream in the unit.")
    sock = socket.socket(fileno=first)
    listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not listens or sock.family not in (socket.AF_INET, socket.AF_INET6):
        sock.close()
        raise CannotListen(
            "The socket that was passed is none of TCP; set ListenStream to an address and a port."
        )
    sock.set_inheritable(False)
    return sock


def url_of(sock: socket.socket) -> str:
    """Return the address at which this machine reaches the socket, without a path."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use{_holder(port)}; stop it or set PORT."
    if error.errno == errno.EACCES:
        return f"Port {port} needs privileges that this user does not have; set PORT above 1023."
    return f"HOST {host} cannot be listened on ({error.strerror}); set HOST to an address of yours."


def _holder(port: int) -> str:
    # As a plain user other users' sockets show no process.
    with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
