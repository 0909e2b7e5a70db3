"""A run's way out besides the model and its servers: the real CLI behind its own proxy."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.network import NONE, PUBLIC, NetworkAccess, RunNetwork
from gateway.domain.run import RunStatus
from gateway.jobs.errors import RunRefused
from gateway.jobs.run_egress import egress_of
from gateway.jobs.run_outside import OutsideButUs, own_names
from gateway.standin import Call, ModelRequest, Reply, Say
from sandboxes.network.proxy_request import Refusal
from sandboxes.network.way_out import Egress
from sandboxes.policy import Level
from tests.jobs.parts import CLI_GUARD_S, Parts, a_run
from tests.origin import CHECKER, HOST, certify, https_origin
from tests.outside import PUBLIC as ADDRESS
from tests.outside import FakeOutside
from tests.sandboxes.conftest import open_to_all, skip_unless_available

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)

TOOLS = ("WebFetch", "Bash")
INSIDE, OWN = "inside.example.com", "own.example.com"
GATEWAY, ALIAS = "gateway.example.com", "alias.example.com"
GATEWAY_ADDRESS = "93.184.216.35"
"""Of a reverse proxy or a tunnel in front of the gateway."""
FETCH = Call("WebFetch", {"url": f"https://{HOST}/", "prompt": "What does it say?"})
ASK = """
python3 - <<'CODE'
import os, socket, urllib.parse
def ask(target):
    with socket.create_connection((proxy.hostname, proxy.port), 10) as near:
        near.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())
        print(target, near.recv(200).split(b"\\r\\n")[0].decode().split(" ", 1)[1])
def connect(*place):
    try:
        socket.create_connection(place, 2).close()
        print(place[0], "connected")
    except OSError:
        print(place[0], "no way")
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
for target in TARGETS:
    ask(target)
connect("127.0.0.1", PORT)
connect("1.1.1.1", 443)
CODE
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    open_to_all(folder)
    return certify(folder)


@pytest.fixture(scope="module")
def port(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The loopback port of the origin."""
    with https_origin(certificate) as port:
        yield port


@pytest.fixture
def fake(port: int) -> FakeOutside:
    """A network of the test's."""
    names = {
        HOST: [[ADDRESS]], CHECKER: [[ADDRESS]], INSIDE: [["10.0.0.5"]], OWN: [["127.0.0.1"]],
        GATEWAY: [[GATEWAY_ADDRESS]], ALIAS: [[GATEWAY_ADDRESS]],
    }  # fmt: skip
    return FakeOutside(names, {(ADDRESS, 443): port, (GATEWAY_ADDRESS, 443): port})


@pytest.fixture
def strong(parts: Parts, certificate: tuple[Path, Path], fake: FakeOutside) -> Parts:
    """The parts of runs at level strong, outside of which is that network."""
    skip_unless_available(Level.STRONG)
    certificate[0].chmod(0o644)
    trusted = {"NODE_EXTRA_CA_CERTS": certificate[0]}
    parts.config = replace(parts.config, level=Level.STRONG, certificates=trusted)
    parts.outside = OutsideButUs(fake, own_names(parts.store, lambda: f"https://{GATEWAY}"))
    return parts


def in_turn(*replies: Reply) -> "Plays":
    """Return a script that gives these replies and remembers the pages that WebFetch read."""
    return Plays(replies)


class Plays:
    """A scripted model; the small one, which WebFetch asks about a page, repeats the question."""

    def __init__(self, replies: tuple[Reply, ...]) -> None:
        self.pages: list[str] = []
        self._replies = replies

    def __call__(self, request: ModelRequest) -> Reply:
        """Answer one request."""
        if not request.tools:
            self.pages.append(request.prompt)
            return Say("read")
        return self._replies[min(len(request.tool_results), len(self._replies) - 1)]


async def test_a_public_run_fetches_pages_and_reaches_nothing_inside(strong: Parts) -> None:
    """Issue 3, 7: WebFetch works; private names, addresses, other ports and we do not."""
    targets = (
        f"{INSIDE}:443", f"{OWN}:443", f"{ADDRESS}:443", "127.0.0.1:80", f"{HOST}:22",
        f"{GATEWAY}:443", f"{ALIAS}:443",
    )  # fmt: skip
    api_port = strong.api.url.rpartition(":")[2]
    ask = ASK.replace("TARGETS", repr(targets)).replace("PORT", api_port)
    script = in_turn(FETCH, Call("Bash", {"command": ask}), Say("done"))
    strong.api.script = script
    run = await strong.execute(a_run(tools=TOOLS))
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    results = strong.api.requests[-1].tool_results
    assert [f"hello from {HOST}" in page for page in script.pages] == [True], results
    assert results[1].splitlines() == [
        f"{INSIDE}:443 403 {INSIDE}:443 has no public address; only the owner can grant private"
        " ones.",
        f"{OWN}:443 403 {OWN}:443 has no public address; only the owner can grant private ones.",
        f"{ADDRESS}:443 400 The host '{ADDRESS}:443' is an address; a name is needed.",
        "127.0.0.1:80 400 The host '127.0.0.1:80' is an address; a name is needed.",
        f"{HOST}:22 403 {HOST}:22 is not granted to this run; add '{HOST}:22' to its network"
        " hosts.",
        f"{GATEWAY}:443 403 {GATEWAY}:443 is the gateway that carries out this run; a run cannot"
        " call it.",
        f"{ALIAS}:443 403 {ALIAS}:443 is the gateway that carries out this run; a run cannot"
        " call it.",
        "127.0.0.1 no way",
        "1.1.1.1 no way",
    ]
    assert run.refused_hosts == (
        f"{INSIDE}:443", f"{OWN}:443", f"'{ADDRESS}:443'", "'127.0.0.1:80'", f"{HOST}:22",
        f"{GATEWAY}:443", f"{ALIAS}:443",
    )  # fmt: skip


async def test_named_hosts_narrow_a_run(strong: Parts, fake: FakeOutside) -> None:
    """Issue 3, 7: `hosts` narrows; the CLI's own question about a host is not asked then."""
    script = in_turn(
        FETCH,
        Call("WebFetch", {"url": "https://other.example.com/", "prompt": "?"}),
        Say("done"),
    )
    strong.api.script = script
    narrow = RunNetwork(NetworkAccess.HOSTS, (HOST,))
    run = await strong.execute(a_run(tools=TOOLS, network=narrow))
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert [f"hello from {HOST}" in page for page in script.pages] == [True]
    assert run.refused_hosts == ("other.example.com:443",)
    assert "other.example.com" not in fake.resolved
    assert CHECKER not in fake.resolved


async def test_a_closed_run_has_no_proxy(strong: Parts) -> None:
    """Issue 3, 7: `none` closes it."""
    command = "env | grep -ci _proxy=http; python3 -c 'import socket; print(socket.socket()"
    command += '.connect_ex(("127.0.0.1", 3128)))\''
    strong.api.script = in_turn(Call("Bash", {"command": command}), Say("done"))
    run = await strong.execute(a_run(tools=TOOLS, network=NONE))
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert strong.api.requests[-1].tool_results[0].splitlines() == ["0", "111"]


def test_other_levels_refuse_what_they_cannot_hold() -> None:
    """Ours: a run never has more network than it was given."""
    assert egress_of(PUBLIC, Level.STRONG) == Egress(public=True, holder="run")
    assert egress_of(NONE, Level.STRONG) is None
    for level in (Level.REDUCED, Level.OFF):
        assert egress_of(PUBLIC, level) is None
        for network in (NONE, RunNetwork(NetworkAccess.HOSTS, (HOST,))):
            with pytest.raises(RunRefused, match="needs SANDBOX=strong"):
                egress_of(network, level)


@pytest.mark.parametrize(
    "carrying", ["203.0.113.7", "::ffff:203.0.113.7", "64:ff9b::cb00:7107", "2002:cb00:7107::1"]
)
async def test_our_address_inside_of_another_one_is_ours(carrying: str) -> None:
    """Ours: packets to a mapped or translated address end at the one inside."""
    leads = {GATEWAY: [["203.0.113.7"]], ALIAS: [[carrying]], INSIDE: [["203.0.113.8"]]}

    async def names() -> Collection[str]:
        return {GATEWAY}

    outside = OutsideButUs(FakeOutside(leads), names)
    with pytest.raises(Refusal, match="a run cannot call it"):
        await outside.resolve(ALIAS, 443)
    assert await outside.resolve(INSIDE, 443) == ["203.0.113.8"]
    del leads[GATEWAY]
    with pytest.raises(Refusal, match="a run cannot call it"):
        await outside.resolve(ALIAS, 443)
