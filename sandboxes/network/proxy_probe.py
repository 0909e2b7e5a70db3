"""Whether a child reaches a granted host through its proxy, found out by starting one.

The host is a listener of ours that stands behind a made-up name, so that nothing leaves this
machine. Above: `claude-runner doctor`.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream

from sandboxes import environment, interpreter, launch, ownership
from sandboxes.errors import SandboxError
from sandboxes.launch import Launch
from sandboxes.network.egress import Proxy, serve_handed_over
from sandboxes.network.proxy_request import Refusal
from sandboxes.network.traffic import Traffic
from sandboxes.network.way_out import PORT, WayOut
from sandboxes.policy import Level, Limits, Network, NetworkMode, Policy

HOST = "probe.example.com"
PUBLIC = "93.184.216.34"
"""An address that the proxy lets pass; nothing is sent to it."""
GREETING = b"hello"
WITHIN_S = 20.0
CODE = f"""
import socket
with socket.create_connection(("127.0.0.1", {PORT}), 5) as near:
    near.sendall(b"CONNECT {HOST}:443 HTTP/1.1\\r\\n\\r\\n")
    answer = b""
    while part := near.recv(1000):
        answer += part
print(answer.decode().rpartition("\\r\\n\\r\\n")[2])
"""


class _Stage:
    """One host, which is our own listener."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        return [PUBLIC]

    async def dial(self, address: str, port: int) -> ByteStream:
        return await anyio.connect_tcp("127.0.0.1", self._port)

    async def connect(self, name: str, port: int) -> ByteStream:
        raise OSError


def problem(*, uid_base: int = ownership.UID_BASE) -> str | None:
    """Return why no child can be held to named hosts here, in words; None when one can."""
    with tempfile.TemporaryDirectory(prefix="claude-runner-probe-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            ready = _prepare(folder, uid_base)
            said = anyio.run(_try, ready)
        except (SandboxError, OSError) as error:
            return str(error).rstrip(".")
    return None if said == GREETING else f"a probe child did not reach its host ({said[-200:]!r})"


def _prepare(folder: Path, uid_base: int) -> Launch:
    uid = uid_base if os.geteuid() == 0 else None
    python = Path(sys.executable).resolve()
    data_dir, private = folder / "data", folder / "private"
    ownership.make_folders(data_dir, private, uid)
    policy = Policy(
        Level.STRONG,
        data_dir,
        read_only=interpreter.folders(python),
        read_write=(private,),
        network=Network(NetworkMode.HOSTS, (HOST,)),
        limits=Limits(processes=16),
        uid=uid,
    )
    env = environment.child_environment(data_dir=data_dir, private=private, declared={})
    command = (str(python), "-I", "-S", "-c", CODE)
    return launch.prepare(command, env=env, cwd=data_dir, policy=policy)


async def _try(ready: Launch) -> bytes:
    assert ready.egress is not None
    ours, theirs = socket.socketpair()
    with ours, theirs, anyio.move_on_after(WITHIN_S):
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, _greet)
            port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's
            proxy = Proxy(ready.egress, _Stage(port), on_refused=_ignore, traffic=Traffic())
            group.start_soon(serve_handed_over, WayOut(ready.egress, ours), proxy)
            done = await anyio.run_process(
                ready.handing_over(theirs.fileno()),
                stdin=DEVNULL,
                env=dict(ready.env),
                cwd=ready.cwd,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
                check=False,
            )
            group.cancel_scope.cancel()
            return done.stdout.strip() or done.stderr.strip()
    return b"it did not end in time"


async def _greet(stream: SocketStream) -> None:
    async with stream:
        await stream.send(GREETING)


def _ignore(_refusal: Refusal) -> None:
    """What was refused shows in the child's answer."""
