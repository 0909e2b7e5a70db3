"""What real proxies do wrong, each found by its own sentence."""

import os
from collections.abc import Callable

import anyio
import pytest

from gateway.connector.watch import ASK_AGAIN_S, ASK_EVERY_S, FIRST_AFTER_S, AddressWatch
from gateway.local import GatewayLock, LiveGateway, publish
from gateway.relay.http import Scope
from tests.connector.conftest import House
from tests.connector.proxy import Fault, Headers
from tests.oauth.parts import Inputs

LATE = "Mon, 01 Jan 2024 00:00:00 GMT"
SUFFIXED = "/.well-known/oauth-protected-resource/mcp"


def without(name: str) -> Callable[[int, Headers], tuple[int, Headers]]:
    """Drop a header of answers."""
    return lambda status, headers: (status, {n: v for n, v in headers.items() if n != name})


def answers(status: int, path: str = "/", method: str = "", **headers: str) -> Fault:
    """Answer requests below a path instead of the gateway."""

    def early(scope: Scope, _: bytes) -> tuple[int, dict[bytes, bytes], bytes] | None:
        if not scope["path"].startswith(path) or scope["method"] != (method or scope["method"]):
            return None
        fields = {name.encode(): value.encode() for name, value in headers.items()}
        return status, fields, b"<p>not the gateway</p>"

    return Fault(early=early)


def small_bodies(_: Scope, body: bytes) -> tuple[int, dict[bytes, bytes], bytes] | None:
    """Take no more than a million bytes."""
    return (413, {}, b"") if len(body) > 1_000_000 else None


async def test_behind_a_right_proxy_nothing_is_wrong(house: House) -> None:
    """Issue 6, What 3: and every step says what it saw."""
    report = await house.examine()
    found = {step["step"]: (step["grade"], step["seen"]) for step in report["steps"]}
    assert report["good"] is True
    assert report["base"] == house.public
    # localhost is this machine alone.
    assert {name for name, (grade, _) in found.items() if grade != "ok"} == {"DNS"}
    assert found["TLS"][1].startswith("a certificate of Tests until ")
    assert found["Host"][1] == f"arrives as {house.public.removeprefix('https://')}"
    assert found["bodies"][1] == "2097152 bytes arrive"
    assert {name for name in found if name not in ("address", "DNS", "TLS", "Host", "bodies")} == {
        "clock",
        "reachability",
        "callers",
        "streaming",
        "HEAD /mcp",
        "GET /mcp",
        "challenge",
        "Authorization",
        "resource at the endpoint",
        "resource at the root",
        "oauth-authorization-server",
        "openid-configuration",
        "oauth-authorization-server/mcp",
        "registration",
        "authorize",
        "callback address",
        "a wrong code",
        "an unknown client",
        "recent sign-ins",
    }


async def test_a_lost_authorization_header(house: House) -> None:
    """Issue 6, What 3: signed in and a stranger ever after, the commonest complaint there is."""

    def request(headers: Headers, _: str) -> Headers:
        return {name: value for name, value in headers.items() if name != "authorization"}

    assert await house.problems(Fault(request=request)) == {
        "Authorization": "The header Authorization is lost on the way: clients sign in and stay "
        "strangers."
    }


async def test_a_lost_challenge(house: House) -> None:
    """Issue 6, What 3."""
    wrong = "The header WWW-Authenticate is lost on the way: clients do not learn where to go."
    assert await house.problems(Fault(answer=without("www-authenticate"))) == {"challenge": wrong}


async def test_a_host_that_was_replaced(house: House) -> None:
    """Issue 6, What 3: what clients are told then leads to the gateway's own address."""

    def request(headers: Headers, upstream: str) -> Headers:
        return headers | {"host": upstream.removeprefix("http://")}

    problems = await house.problems(Fault(request=request))
    host = house.local.removeprefix("http://")
    assert problems["Host"] == f"The proxy replaces the Host header, so clients are sent to {host}."
    assert problems["challenge"].endswith(f"instead of {house.public}{SUFFIXED}.")
    assert problems["resource at the endpoint"].startswith(f"It must be {house.public}/mcp:")


async def test_a_host_that_nobody_has(house: House) -> None:
    """Ours: the gateway itself refuses it."""

    def request(headers: Headers, _: str) -> Headers:
        return headers | {"host": "upstream"}

    assert await house.problems(Fault(request=request)) == {
        "reachability": "The gateway was asked for another Host than its own."
    }


async def test_streams_that_are_held_back(house: House) -> None:
    """Issue 6, What 3."""
    assert await house.problems(Fault(buffers=True)) == {
        "streaming": "Answers are held back until they are complete, so progress and long calls do "
        "not work."
    }


async def test_a_document_at_the_endpoints_path_that_is_not_found(house: House) -> None:
    """Issue 6, What 3."""
    assert await house.problems(answers(404, SUFFIXED)) == {
        "resource at the endpoint": "The document at the endpoint's own path is not found; clients "
        "look there first."
    }


async def test_large_bodies_that_are_refused(house: House) -> None:
    """Issue 6, What 3: a million bytes is what proxies take unless they are told otherwise."""
    assert await house.problems(Fault(early=small_bodies)) == {
        "bodies": "What is in front of the gateway refuses or cuts large requests."
    }


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        (
            answers(404),
            "Something else answers at the root of PUBLIC_URL: the proxy passes on other paths "
            "alone.",
        ),
        (
            answers(302, location="https://sso.example/login"),
            "Something in front of the gateway asks for a login of its own, or keeps programs out.",
        ),
        (
            answers(403),
            "Something in front of the gateway asks for a login of its own, or keeps programs out.",
        ),
        (answers(502), "The proxy does not reach the gateway."),
    ],
    ids=["another path", "single sign-on", "firewall", "gateway down"],
)
async def test_something_else_answers(house: House, fault: Fault, wrong: str) -> None:
    """Issue 6, What 3: nothing further is tried then."""
    assert await house.problems(fault) == {"reachability": wrong}


@pytest.mark.parametrize(
    ("fault", "step", "wrong"),
    [
        (
            answers(403, "/mcp", "HEAD"),
            "HEAD /mcp",
            "Something in front of the gateway answers this itself; the gateway says 401.",
        ),
        (
            answers(404, "/mcp", "GET"),
            "GET /mcp",
            "The proxy does not pass this path on; the gateway says 401.",
        ),
        (
            answers(404, "/connector-probe"),
            "the same gateway",
            "A gateway answers there, but it is not this one.",
        ),
        (
            answers(404, "/.well-known/oauth-authorization-server", "GET"),
            "oauth-authorization-server",
            "There is no JSON document at this address.",
        ),
        (answers(403, "/register"), "registration", "A client cannot register itself."),
        (
            answers(302, "/authorize", location="https://sso.example/"),
            "authorize",
            "Something in front of the gateway sends the owner's browser elsewhere.",
        ),
        (
            answers(502, "/token"),
            "a wrong code",
            "A mistake at /token must be answered 400 invalid_grant, or clients never sign in "
            "again.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
async def test_one_route_that_something_else_answers(
    house: House, fault: Fault, step: str, wrong: str
) -> None:
    """Ours: firewalls and rules by path break one step and leave the others."""
    assert (await house.problems(fault))[step] == wrong


async def test_a_clock_that_is_wrong(house: House) -> None:
    """Issue 6, What 3: a warning, for it may be the other one's."""

    def answer(status: int, headers: Headers) -> tuple[int, Headers]:
        return status, headers | {"date": LATE}

    report = await house.examine(Fault(answer=answer))
    (clock,) = (step for step in report["steps"] if step["step"] == "clock")
    assert (clock["grade"], clock["wrong"]) == ("warning", "One of both clocks is wrong.")


async def test_what_the_doctor_registers_is_removed(house: House) -> None:
    """Issue 6, What 3: also when the walk ends early; a walk costs one registration."""
    for fault in (Fault(), answers(403, "/authorize")):
        await house.examine(fault)
    assert house.clients() == ["Claude (auto)"]


async def test_the_owner_asks_on_a_page(house: House) -> None:
    """Issue 6, What 3: a page for it, for nobody but the owner and from nowhere else."""
    house.proxy.fault = Fault()
    asked, http = f"{house.local}/connector", house.http
    assert (await http.get(asked)).status_code == 401
    assert (
        await http.post(asked, data={"a": "b"}, headers={"Origin": house.local})
    ).status_code == 403
    await house.log_in()
    page = (await http.get(asked)).text
    assert "Check now" in page
    assert (await http.post(asked, data={"a": "b"})).status_code == 403
    form = dict(Inputs(page).hidden)
    shown = (await http.post(asked, data=form, headers={"Origin": house.local})).text
    assert f"claude.ai can connect: {house.public}" in shown
    assert "the first event of a stream arrives before the second is sent" in shown


async def test_the_doctor_of_the_machine_is_asked_on_a_page(house: House) -> None:
    """Issue 8, What 1: the checks of `claude-runner doctor`, with that of the public address."""
    house.proxy.fault = answers(502)
    assert (await house.http.post(f"{house.local}/doctor", data={"a": "b"})).status_code == 403
    await house.log_in()
    page = (await house.http.get(f"{house.local}/doctor")).text
    form = dict(Inputs(page).hidden)
    with GatewayLock(house.home):
        publish(house.home, LiveGateway(os.getpid(), house.local, "", ""))
        headers = {"Origin": house.local}
        answer = await house.http.post(f"{house.local}/doctor", data=form, headers=headers)
    shown = answer.text
    for subject in ("python", "level reduced", "master key", "database", "gateway"):
        assert f'<th scope="row">{subject}</th>' in shown
    assert f"{house.public} is not reached from here: The proxy does not reach" in shown
    assert 'class="badge bad">problem' in shown


async def test_the_overview_says_since_when_the_public_address_is_out_of_reach(
    house: House,
) -> None:
    """Issue 8, What 1: a warning with its reason, until it is reached; no redirect is followed."""
    watch, render = house.gateway.connector.watch, house.gateway.dashboard.live.render
    assert watch is not None
    house.proxy.fault = Fault()
    await watch.look()
    assert "is not reached" not in await render("attention")
    house.proxy.fault = answers(302, location=f"{house.local}/healthz")
    await watch.look()
    shown = await render("attention")
    assert f"{house.public} is not reached from this machine since 20" in shown
    assert "UTC: Something in front of the gateway asks for a login" in shown
    assert 'href="/connector"' in shown
    house.proxy.fault = Fault()
    await watch.look()
    assert "is not reached" not in await render("attention")


async def test_an_address_out_of_reach_is_asked_more_often() -> None:
    """Ours: nothing is asked at once; the first instant of a trouble stays."""
    waits: list[float] = []
    told: list[str] = []
    answers_of_outside = iter(["", "no answer within 10 s", "refused", ""])

    async def sleep(seconds: float) -> None:
        told.append(watch.trouble())
        waits.append(seconds)

    async def ask(_: str) -> str:
        try:
            return next(answers_of_outside)
        except StopIteration:
            raise anyio.EndOfStream from None

    clock = iter([1_800_000_000_000, 1_800_000_060_000])
    watch = AddressWatch("https://x.test", lambda: next(clock), ask, sleep)
    with pytest.raises(anyio.EndOfStream):
        await watch.run()
    assert waits == [FIRST_AFTER_S, ASK_EVERY_S, ASK_AGAIN_S, ASK_AGAIN_S, ASK_EVERY_S]
    since = "https://x.test is not reached from this machine since 2027-01-15 08:00:00 UTC"
    assert told == ["", "", f"{since}: no answer within 10 s.", f"{since}: refused.", ""]


async def test_sign_ins_that_failed_lately_are_told(house: House) -> None:
    """Issue 6, What 3: those of clients, and not the doctor's own; with their id."""
    before = {step["step"]: step for step in (await house.examine())["steps"]}
    assert before["recent sign-ins"]["grade"] == "ok"
    failed = await house.http.post(
        f"{house.local}/token",
        data={"grant_type": "refresh_token", "client_id": "gone"},
        headers={"User-Agent": "python-httpx/0.28.1"},
    )
    after = {step["step"]: step for step in (await house.examine())["steps"]}
    told = after["recent sign-ins"]
    assert told["grade"] == "warning"
    assert told["seen"] == (
        "POST /token: 401 invalid_client by python-httpx/0.28.1, "
        f"id {failed.headers['x-request-id']}"
    )
    assert told["wrong"].startswith("Requests to sign in that failed within the last hour: 1;")
