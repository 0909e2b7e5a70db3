"""Listeners that are opened inside a child's own network and served by its parent outside.

The launcher opens them on the loopback interface of the child's network namespace and sends
them over an inherited socket, which it closes before any code of the child runs. Nobody else
has a way to that interface: who connects is that child. The bare socket module, because this is
on the path of every start; whoever started the child has the other end.
"""

import _socket
import os
import struct

HANDOVER_FD = 3
"""Where the launcher inside finds the socket to its parent."""
LOOPBACK = "127.0.0.1"
BACKLOG = 64
NUMBER = struct.Struct("i")
"""How a descriptor travels: unix(7), SCM_RIGHTS."""


def place(number: int) -> None:
    """Put the inherited socket where the launcher inside looks for it."""
    os.dup2(number, HANDOVER_FD)


def offer(ports: list[int], through: int = HANDOVER_FD) -> None:
    """Open a listener for each port, hand all over through this socket and close everything.

    Raises:
        OSError: a port cannot be had, or nobody takes the listeners.
    """
    listeners = [_listen(port) for port in ports]
    numbers = b"".join(NUMBER.pack(each.fileno()) for each in listeners)
    parent = _socket.socket(fileno=through)
    parent.sendmsg([b"\0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)])
    for each in (*listeners, parent):
        each.close()


def _listen(port: int) -> _socket.socket:
    made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    made.bind((LOOPBACK, port))
    made.listen(BACKLOG)
    return made
