"""Hosts that code names are told to its author when they are not granted."""

import pytest

from gateway.servers.code import parse_code
from gateway.servers.hosts import undeclared_hosts
from sandboxes.policy import Network, NetworkMode
from tests.tools.conftest import Gateway
from tests.tools.servers import SEND

CODE = '''
"""See https://docs.example.com/about for more."""
import httpx2, smtplib, socket, http.client
BASE = "https://api.example.com/v1"
def a(user):
    """Calls https://comment.example.com/."""
    httpx2.get(f"https://users.example.com/{user}")
    httpx2.get(f"https://{user}.example.com/")
    httpx2.get(f"https://part.{user}.example.com/")
    httpx2.get(BASE + "/x"); httpx2.get("http://plain.example.com:8080/")
    httpx2.get("HTTPS://me:pw@Upper.Example.com?x"); httpx2.get("https://%s.example.com/" % user)
    httpx2.get("https://127.0.0.1/"); httpx2.get("https://localhost:80/"); httpx2.get("https://x")
    httpx2.get("https://api.example.com:99999/")
    smtplib.SMTP_SSL("smtp.example.com"); socket.create_connection(("raw.example.com", 5432))
    http.client.HTTPSConnection(host="kept.example.com", port=8443); connect("no-host")
'''
FOUND = {
    "api.example.com",
    "users.example.com",
    "plain.example.com:8080",
    "upper.example.com",
    "smtp.example.com:465",
    "raw.example.com:5432",
    "kept.example.com:8443",
}


def test_hosts_are_found_by_parsing() -> None:
    """Issue: literals in the code; documentation, addresses and half names are none."""
    assert set(undeclared_hosts(parse_code(CODE), Network())) == FOUND


@pytest.mark.parametrize(
    ("network", "left"),
    [
        (Network(NetworkMode.FULL), set[str]()),
        (
            Network(NetworkMode.HOSTS, ("*.example.com",)),
            {host for host in FOUND if ":" in host},
        ),
        (Network(NetworkMode.HOSTS, ("api.example.com",)), FOUND - {"api.example.com"}),
    ],
)
def test_what_is_granted_is_not_named(network: Network, left: set[str]) -> None:
    """Ours: by the rules of the proxy itself."""
    assert set(undeclared_hosts(parse_code(CODE), network)) == left


async def test_the_author_is_told_and_can_grant(gateway: Gateway) -> None:
    """Issue: named in the answer of create and update, recorded when granted."""
    code = f"{SEND}\nURL = 'https://api.example.com/'\n"
    made = await gateway.call("create_mcp_server", name="mail", code=code)
    assert made["undeclared_hosts"] == ["api.example.com"]
    assert made["message"] == (
        "Server 'mail' is created and ready. Its code names hosts that it may not reach: "
        "api.example.com; grant them with network."
    )
    assert made["server"]["network"] == "none"
    granted = await gateway.call("update_mcp_server", name="mail", network=["*.example.com"])
    assert (granted["ok"], granted["undeclared_hosts"]) == (True, [])
    assert granted["server"]["network"] == "hosts: *.example.com"
    assert granted["server"]["generation"] == 2
    again = await gateway.call("update_mcp_server", name="mail", network=[])
    assert (again["server"]["network"], again["undeclared_hosts"]) == ("none", ["api.example.com"])


@pytest.mark.parametrize(
    "host", ["*", "127.0.0.1", "https://a.example.com", "a.example.com/x", "a"]
)
async def test_a_wrong_host_is_one_sentence_and_changes_nothing(
    gateway: Gateway, host: str
) -> None:
    """Issue: strictly validated."""
    refusal = await gateway.refusal("create_mcp_server", name="mail", code=SEND, network=[host])
    assert refusal.startswith(f"metadata.json of server 'mail': The host {host!r} ")
    assert not (gateway.dynamic / "mail").exists()
