"""The forwarder in front of the stand-in: who may pass, what is counted, what is refused."""

import anyio
import httpx2
import pytest

from gateway.budgets.book import Reached
from gateway.budgets.prices import PriceList
from gateway.domain.budget import Limit
from gateway.forwarder import Accounts, Forwarder, Upstream, upstream_client
from gateway.forwarder.forwarder import MAX_REQUEST_BYTES
from gateway.secret import Secret
from gateway.standin import Call, Refuse, Reply, Say
from tests.forwarder.conftest import MODEL, Way
from tests.waiting import PATIENCE_S

COST = 2500
"""Of one answer of the stand-in: 1000 tokens at 2 and 50 at 10 dollars for a million."""


def sentence(answer: httpx2.Response) -> str:
    """Return the words of a refusal."""
    return answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_passes_unchanged_and_is_counted(way: Way, stream: bool) -> None:
    """Issue 3, 7: streamed or whole."""
    token, account = way.accounts.open("run_1", None)
    way.api.script = lambda _: Say("Grüße")
    through = await way.ask(token, stream=stream)
    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    async with httpx2.AsyncClient() as direct:
        straight = await direct.post(f"{way.api.url}/v1/messages", json=body)
    assert through.status_code == 200
    assert through.content == straight.content.replace(b"msg_standin_2", b"msg_standin_1")
    assert through.headers["content-type"] == straight.headers["content-type"]
    assert (account.spent_micro_usd, account.input_tokens, account.output_tokens) == (
        COST, 1000, 50,
    )  # fmt: skip


async def test_only_tokens_of_live_runs_pass(way: Way) -> None:
    """Issue 3, 7: an ended run's token is worth nothing."""
    token, account = way.accounts.open("run_1", None)
    way.accounts.close(account)
    for given in (token, "crf_guess", "", "sk-ant-the-real-one"):
        assert (await way.ask(given)).status_code == 401
    assert way.api.requests == []


async def test_a_spent_budget_refuses_the_next_request(way: Way) -> None:
    """Issue 3, 7: the run is told, and whoever watches the account."""
    token, account = way.accounts.open("run_1", 2 * COST)
    assert [(await way.ask(token)).status_code for _ in range(3)] == [200, 200, 400]
    assert account.exhausted.is_set()
    assert account.cost_micro_usd == 2 * COST
    assert sentence(await way.ask(token)) == "Stopped at the budget of 0.005 US dollars."
    assert len(way.api.requests) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_run_that_has_taken_its_turns_is_refused_the_next(way: Way, stream: bool) -> None:
    """Issue 7, 4: a turn is an answer that asks for tools, whatever the CLI counts."""
    token, account = way.accounts.open("run_1", None, max_turns=2)
    replies: list[Reply] = [Call("t", {}), Say("between"), Call("t", {}), Say("never")]
    way.api.script = lambda _: replies.pop(0)
    statuses = [(await way.ask(token, stream=stream)).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 400]
    assert account.reached == Reached(Limit.RUN_TURNS, "Stopped at the limit of 2 turns.")
    assert account.exhausted.is_set()


async def test_turns_of_earlier_attempts_count(way: Way) -> None:
    """Issue 7, 4: a run that begins again goes on counting."""
    token, account = way.accounts.open("run_1", None, max_turns=3, turns=2)
    way.api.script = lambda _: Call("t", {})
    assert [(await way.ask(token)).status_code for _ in range(2)] == [200, 400]
    assert account.reached == Reached(Limit.RUN_TURNS, "Stopped at the limit of 3 turns.")


async def test_a_model_without_a_price_is_refused_under_a_budget(way: Way) -> None:
    """Issue 3, 7: a budget that cannot be kept is not pretended."""
    token, account = way.accounts.open("run_1", MAX_REQUEST_BYTES)
    answer = await way.ask(token, model="claude-secret-9")
    assert sentence(answer) == (
        "The price of model 'claude-secret-9' is not known, so a run with a money budget cannot"
        " use it; choose another model, put its price into PRICES_FILE, or remove the budget."
    )
    assert not account.exhausted.is_set()
    assert way.api.requests == []


async def test_a_model_without_a_price_is_counted_in_tokens_without_a_budget(way: Way) -> None:
    """Issue 3, 7: the run goes on; what it cost is not known."""
    token, account = way.accounts.open("run_1", None)
    assert (await way.ask(token, model="claude-secret-9")).status_code == 200
    assert (account.input_tokens, account.cost_micro_usd) == (1000, None)


async def test_a_held_request_waits_until_it_is_admitted(way: Way) -> None:
    """Issue 7, 3: nothing is asked before a run's tools are proven."""
    token, account = way.accounts.open("run_1", None)
    account.hold()
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(way.ask, token)
            await anyio.wait_all_tasks_blocked()
            assert way.api.requests == []
            account.admit()
        assert len(way.api.requests) == 1


async def test_a_refusal_of_the_api_passes_and_costs_nothing(way: Way) -> None:
    """Ours: the CLI sees the API's own words."""
    way.api.script = lambda _: Refuse(529, "overloaded_error", "busy")
    token, account = way.accounts.open("run_1", None)
    answer = await way.ask(token)
    assert (answer.status_code, sentence(answer)) == (529, "busy")
    assert account.cost_micro_usd is None


@pytest.mark.parametrize(
    ("status", "unreached"), [(529, True), (429, True), (503, True), (400, False), (401, False)]
)
async def test_what_may_pass_is_told_from_what_will_not(
    way: Way, status: int, unreached: bool
) -> None:
    """Issue 7, 1: a run is repeated for transport and overload errors alone."""
    way.api.script = lambda _: Refuse(status, "some_error", "busy")
    token, account = way.accounts.open("run_1", None)
    await way.ask(token)
    assert account.unreached is unreached
    way.api.script = lambda _: Say("here again")
    await way.ask(token)
    assert not account.unreached


@pytest.mark.parametrize("path", ["/v1/files", "/v1/messages/batches", "/v1/organizations", "/x"])
async def test_the_rest_of_the_api_is_out_of_reach(way: Way, path: str) -> None:
    """Ours: the key opens more than runs need."""
    token, _ = way.accounts.open("run_1", None)
    answer = await way.client.post(path, json={}, headers={"x-api-key": token})
    assert (answer.status_code, sentence(answer)) == (404, "Runs reach the Messages API alone.")


async def test_too_large_and_broken_requests_are_refused(way: Way) -> None:
    """Ours: what comes out of a sandbox is bounded and checked."""
    token, _ = way.accounts.open("run_1", None)
    statuses = [
        (
            await way.client.post("/v1/messages", content=body, headers={"x-api-key": token})
        ).status_code
        for body in (b" " * (MAX_REQUEST_BYTES + 1), b"{", b"[" * 100_000, b'{"model": 1}')
    ]
    assert statuses == [413, 400, 400, 400]


async def test_an_api_that_cannot_be_reached_is_said_so() -> None:
    """Ours: one sentence in the API's shape."""
    upstream = Upstream(Secret("key"), "http://127.0.0.1:9")
    accounts = Accounts(PriceList())
    token, account = accounts.open("run_1", None)
    async with upstream_client(upstream) as outside:
        transport = httpx2.ASGITransport(Forwarder(outside, upstream, accounts))  # pyright: ignore[reportArgumentType] - its own type of scope
        async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
            answer = await client.post(
                "/v1/messages", json={"model": MODEL}, headers={"x-api-key": token}
            )
    assert (answer.status_code, sentence(answer)) == (
        502,
        "The Messages API cannot be reached (ConnectError).",
    )
    assert account.unreached
