"""What systemd says to us, and what we tell it."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from gateway.listening import CannotListen, take_passed
from gateway.service.manager import ServiceManager, read_service_manager
from gateway.service.telling import Telling
from gateway.setting_origins import Origin, settings_now
from gateway.settings import SettingsError, load
from gateway.variables import VARIABLES

NOWHERE = Path("/nowhere")
UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"


@contextmanager
def manager(address: str) -> Generator[socket.socket]:
    """Listen where a service manager does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        sock.settimeout(10)
        yield sock


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_ready_and_stopping_are_told_where_systemd_listens(tmp_path: Path, kind: str) -> None:
    """sd_notify(3): a datagram of lines, to a file or to an abstract name."""
    address = str(tmp_path / "notify") if kind == "file" else f"@claude-runner-{os.getpid()}"
    with manager(address) as sock:
        telling = Telling(ServiceManager(notify_socket=address))
        telling.ready("Serving.")
        telling.stopping()
        assert sock.recv(1000) == b"READY=1\nSTATUS=Serving."
        assert sock.recv(1000).startswith(b"STOPPING=1\n")


async def test_signs_of_life_come_three_times_within_the_watchdogs_time(tmp_path: Path) -> None:
    """sd_watchdog_enabled(3) advises half of the time; a third lets one get lost."""
    address = str(tmp_path / "notify")
    with manager(address) as sock:
        telling = Telling(ServiceManager(notify_socket=address, watchdog_s=0.03))
        async with anyio.create_task_group() as group:
            group.start_soon(telling.keep_alive)
            for _ in range(3):
                assert await anyio.to_thread.run_sync(sock.recv, 1000) == b"WATCHDOG=1"
            group.cancel_scope.cancel()


async def test_without_a_manager_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Ours: also where nobody listens at the address, the gateway goes on."""
    Telling(ServiceManager()).ready("Serving.")
    await Telling(ServiceManager()).keep_alive()
    assert caplog.messages == []
    Telling(ServiceManager(notify_socket="/nowhere/notify")).ready("Serving.")
    assert caplog.messages == [
        "The service manager cannot be told how we are: No such file or directory"
    ]


def test_what_is_said_to_another_process_is_not_ours() -> None:
    """sd_listen_fds(3), sd_watchdog_enabled(3): both name the process that is meant."""
    own, other = str(os.getpid()), "1"
    said = {"WATCHDOG_USEC": "30000000", "LISTEN_FDS": "1", "NOTIFY_SOCKET": "/run/notify"}
    ours = said | {"WATCHDOG_PID": own, "LISTEN_PID": own}
    assert read_service_manager(ours) == ServiceManager("/run/notify", 30.0, 1)
    theirs = said | {"WATCHDOG_PID": other, "LISTEN_PID": other}
    assert read_service_manager(theirs) == ServiceManager("/run/notify")
    assert read_service_manager({}) == ServiceManager()


def test_only_one_socket_of_tcp_is_taken_over() -> None:
    """Ours: the sentence says what to set in the unit."""
    with pytest.raises(CannotListen, match=r"^2 sockets were passed; keep one"):
        take_passed(2)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as silent,
        pytest.raises(CannotListen, match="is none of TCP; set ListenStream to an address"),
    ):
        take_passed(1, silent.detach())
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with take_passed(1, sock.detach()) as taken:
            assert taken.getsockname() == ("127.0.0.1", port)
            assert not taken.get_inheritable()


def test_secrets_come_from_the_folder_of_credentials(tmp_path: Path) -> None:
    """Issue 9, What 4: LoadCredential; a secret that is set twice is refused."""
    (tmp_path / "ANTHROPIC_API_KEY").write_text("sk-ant-1\n", "utf-8")
    (tmp_path / "CLAUDE_MODEL").write_text("opus\n", "utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = load(dict(environ), None)
    assert settings.anthropic_api_key is not None
    assert settings.anthropic_api_key.reveal() == "sk-ant-1"
    assert settings.claude_model == "sonnet"
    standing = next(
        each for each in settings_now(environ, NOWHERE) if each.variable.name == "ANTHROPIC_API_KEY"
    )
    assert (standing.origin, standing.value) == (Origin.CREDENTIAL, None)
    with pytest.raises(SettingsError) as refused:
        load({**environ, "ANTHROPIC_API_KEY": "sk-ant-2"}, None)
    assert str(refused.value) == (
        f"ANTHROPIC_API_KEY is set, and so is the credential {tmp_path}/ANTHROPIC_API_KEY; "
        "keep one."
    )


@pytest.mark.parametrize("unit", ["claude-runner", "claude-runner-backup"])
def test_a_unit_loads_every_secret_of_the_settings(unit: str) -> None:
    """Ours: a new secret must not be forgotten there."""
    lines = (UNITS / f"{unit}.service").read_text("utf-8").splitlines()
    loaded = {line for line in lines if line.startswith("LoadCredential=")}
    names = ["master.key"] + [
        variable.name
        for variable in VARIABLES
        if variable.secret and not variable.file_is_a_setting
    ]
    assert loaded == {f"LoadCredential={name}:claude-runner.{name}" for name in names}
