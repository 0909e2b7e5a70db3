"""Which hosts a build may ask, and how a machine behind a proxy asks them."""

from pathlib import Path

import anyio
import pytest
from anyio.abc import Listener, SocketAttribute, SocketStream

from sandboxes.errors import SandboxError
from sandboxes.network.hosts import Target
from sandboxes.network.proxy_request import Refusal, read_request
from sandboxes.network.upstream_proxy import Behind, UpstreamProxy, read_upstream
from sandboxes.packages.index_hosts import node_hosts, public_indexes, python_hosts
from tests.waiting import PATIENCE_S

PYPI = tuple(Target(name, 443) for name in next(iter(public_indexes().items())))
UV_TOML = """
extra-index-url = ["https://extra.example.com/simple"]
[[index]]
url = "https://torch.example.com/whl"
[pip]
find-links = ["https://links.example.com/all", "/srv/wheels"]
"""
CHOSEN = """
[[index]]
url = "http://[fd00::1]:3141/root/pypi"
default = true
"""


def test_a_machine_without_settings_asks_pypi_and_npm(tmp_path: Path) -> None:
    """Issue: the default index keeps its files at a host of their own."""
    assert python_hosts({}, None) == PYPI
    assert PYPI[0].name.startswith("pypi.")
    assert PYPI[1].name.startswith("files.")
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\necho "https://$3.example.com/"\n', "utf-8")
    npm.chmod(0o700)
    assert node_hosts({}, str(npm)) == (Target("registry.example.com", 443),)


def test_every_configured_index_is_listed_and_nothing_else(tmp_path: Path) -> None:
    """Issue: exactly that host and port, also private and in plain http."""
    further = tmp_path / "uv.toml"
    further.write_text(UV_TOML, "utf-8")
    variables = {"UV_INDEX": "own=https://a.example.com:8443/x https://user:pw@b.example.com/y"}
    hosts = ("torch", "extra", "links")
    assert set(python_hosts(variables, further)) == {
        *PYPI,
        Target("a.example.com", 8443),
        Target("b.example.com", 443),
        *(Target(f"{name}.example.com", 443) for name in hosts),
    }
    chosen = tmp_path / "chosen.toml"
    chosen.write_text(CHOSEN, "utf-8")
    assert python_hosts({}, chosen) == (Target("[fd00::1]", 3141),)
    assert python_hosts({"UV_DEFAULT_INDEX": "http://10.0.0.5/simple"}, None) == (
        Target("10.0.0.5", 80),
    )
    registry = {"npm_config_registry": "http://npm.lan:4873/"}
    assert node_hosts(registry, "npm") == (Target("npm.lan", 4873),)


def test_plain_http_is_carried_to_listed_hosts_alone() -> None:
    """Ours: an index without TLS cannot be asked in another way."""
    listed = (Target("10.0.0.5", 80),)
    head = b"GET http://10.0.0.5/simple/toy/ HTTP/1.1\r\nHost: 10.0.0.5\r\n"
    asked = read_request(head + b"Proxy-Connection: keep-alive\r\nAccept: */*\r\n\r\n", listed)
    assert asked.target == listed[0]
    assert asked.plain == (
        b"GET /simple/toy/ HTTP/1.1\r\nHost: 10.0.0.5\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    for line in (
        b"GET http://10.0.0.5:81/ HTTP/1.1",
        b"GET http://10.0.0.6/ HTTP/1.1",
        b"GET http://me@10.0.0.5/ HTTP/1.1",
        b"GET https://10.0.0.5/ HTTP/1.1",
        b"POST http://10.0.0.5/ HTTP/1.1",
        b"GET /simple HTTP/1.1",
    ):
        with pytest.raises(Refusal) as refused:
            read_request(line + b"\r\n\r\n", listed)
        assert refused.value.status == 405
    with pytest.raises(Refusal):
        read_request(head + b"\r\n")


def port_of(listener: Listener[SocketStream]) -> int:
    """Return the port of a listener."""
    return listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's


async def test_the_machines_own_proxy_is_asked_with_its_password() -> None:
    """Ours: builds work behind a company's proxy and never see how."""
    heard: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        async with stream:
            heard.append(await stream.receive())
            await stream.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await stream.send(await stream.receive())

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, serve)
        port = port_of(listener)
        upstream = read_upstream({"https_proxy": f"http://me:p%40ss@127.0.0.1:{port}"})
        assert upstream is not None
        with anyio.fail_after(PATIENCE_S):
            async with await Behind(upstream).connect("index.example.com", 443) as far:
                await far.send(b"hello")
                assert await far.receive() == b"hello"
        assert "bWU6" not in repr(upstream)
        group.cancel_scope.cancel()
    assert heard == [
        b"CONNECT index.example.com:443 HTTP/1.1\r\nHost: index.example.com:443\r\n"
        b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n"
    ]


async def test_no_proxy_names_what_is_reached_without_it() -> None:
    """Ours: the usual reading of NO_PROXY."""
    nowhere = UpstreamProxy("127.0.0.1", 1, past="localhost, .lan:80,127.0.0.1")
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        await Behind(nowhere).connect("127.0.0.1", port_of(listener)),
    ):
        pass
    with pytest.raises(OSError):
        await Behind(nowhere).connect("index.example.com", 443)


def test_a_proxy_that_cannot_be_asked_is_named() -> None:
    """Ours."""
    assert read_upstream({"NO_PROXY": "*"}) is None
    with pytest.raises(SandboxError, match="HTTPS_PROXY names a proxy"):
        read_upstream({"ALL_PROXY": "socks5://proxy.lan:1080"})
