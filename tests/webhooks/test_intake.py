"""From bytes on the wire to a run: what an address answers to."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from gateway.domain.network import NONE
from gateway.domain.run import Run, RunResult, RunStatus, Trigger
from gateway.domain.webhook import MissingPath, Scheme
from gateway.webhooks.intake import MAX_BODY_BYTES, MAX_READING
from tests.webhooks.parts import JSON, NOW, WEBHOOK, Answer, Door, open_door


async def test_delivery_queues_a_run_and_says_which(door: Door):
    """Issue 7: 202 with the run's id; the run has the webhook's limits and tools."""
    answer = await door.post(b'{"branch": "main"}')
    (run,) = await door.runs()
    path = await door.path()
    assert (answer.status, answer.body) == (
        202,
        {"run_id": run.id, "status_url": f"{path}/runs/{run.id}"},
    )
    assert run == Run(
        id=run.id,
        trigger=Trigger.WEBHOOK,
        status=RunStatus.QUEUED,
        prompt=run.prompt,
        tools=WEBHOOK.tools,
        servers=(),
        created_at=NOW,
        webhook_id=WEBHOOK.id,
        model="claude-test-model",
        max_turns=7,
        timeout_s=60.0,
        budget_micro_usd=5,
        network=NONE,
    )
    assert ">main</payload-" in run.prompt
    webhook = await door.store.webhooks.get(WEBHOOK.id)
    assert webhook == replace(WEBHOOK, deliveries=1, last_delivery_at=NOW)


async def test_json_text_and_forms_are_payloads(door: Door):
    """Ours: what senders send; GitHub and Slack put JSON into a form."""
    await door.have(prompt_template="Got {{payload}}.")
    for body, kind, inserted in (
        (b"just words", "text/plain", "just words"),
        (b"", "text/plain", ""),
        (b"a=1&b=two+words&a=3", "application/x-www-form-urlencoded", '{"a":"3","b":"two words"}'),
        (b"payload=%7B%22x%22%3A1%7D", "application/x-www-form-urlencoded", '{"x":1}'),
        (b'{"b":1,"a":2}', "application/cloudevents+json; charset=utf-8", '{"a":2,"b":1}'),
        (b'"text"', "", "text"),
    ):
        answer = await door.post(body, {"content-type": kind} if kind else {})
        assert answer.status == 202
        run = await door.store.runs.get(answer.run_id)
        assert run is not None
        assert f">{inserted}</payload-" in run.prompt


async def test_unknown_address_is_not_found(door: Door):
    """Security D 3: one answer for everything that is no webhook."""
    known = await door.path()
    for path in (
        f"/webhook/{'x' * 43}", "/webhook/", "/webhook", "/webhook/short", f"{known}/",
        "/webhook/../../etc/passwd" + "a" * 20, f"/webhook/{'x' * 5000}", f"{known}\n",
        "/webhook/\udcffaaaaaaaaaaaaaaaaaaa", f"{known}/runs/", f"{known}/runs/../x",
    ):  # fmt: skip
        for method in ("POST", "GET"):
            answer = await door.post(path=path, method=method)
            assert (answer.status, answer.body) == (404, {"error": "There is no such webhook."})
    assert await door.runs() == ()
    assert await door.log() == ()


async def test_switched_off_webhook_is_not_found(door: Door):
    """Ours: the same answer as for an unknown one."""
    await door.have(enabled=False)
    answer = await door.post()
    assert (answer.status, answer.body) == (404, {"error": "There is no such webhook."})
    assert await door.runs() == ()


async def test_an_address_is_found_by_its_hash_and_never_compared(door: Door):
    """Security D 6: the time of a 404 says nothing about the address, however near a guess is."""
    secret = (await door.path()).removeprefix("/webhook/")
    near = Guess(secret[:-1] + ("A" if secret[-1] != "A" else "B"))
    assert door.hooks.find(near) is None
    assert door.hooks.find(Guess("x" * len(secret))) is None
    found = door.hooks.find(Guess(secret))
    assert found is not None
    assert found.webhook.id == WEBHOOK.id


class Guess(str):
    """A text that can be encoded, and neither compared nor looked up."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError("An address was compared.")

    def __hash__(self) -> int:
        raise AssertionError("An address was looked up.")


async def test_only_post_delivers(door: Door):
    """Ours: a link preview starts no run."""
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = await door.post(method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert await door.runs() == ()


@pytest.mark.parametrize("declared", [True, False])
async def test_oversize_body_is_refused(door: Door, declared: bool):
    """Issue 2: one byte over 1 MB is 413, declared or chunked."""
    body = b'"' + b"x" * (MAX_BODY_BYTES - 1) + b'"'
    headers = {**JSON, "content-length": str(len(body))} if declared else JSON
    answer = await door.post(body, headers)
    assert (answer.status, answer.body) == (
        413,
        {"error": "A payload has at most 1048576 bytes."},
    )
    assert (await door.post(body[:1] + body[2:])).status == 202
    assert len(await door.runs()) == 1


async def test_what_is_compressed_or_no_text_is_refused(door: Door):
    """Security D 6: a signature is over the bytes as sent, so nothing is unpacked."""
    for headers in (
        {**JSON, "content-encoding": "gzip"},
        {**JSON, "content-encoding": "br"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/octet-stream"},
        {"content-type": "image/png"},
    ):
        answer = await door.post(b"\x1f\x8b", headers)
        assert answer.status == 415
    assert await door.runs() == ()


async def test_bad_json_is_refused_in_one_sentence(door: Door):
    """Ours: what is wrong with it; no run, no 500."""
    for body, sentence in (
        (b"{", "The body is not valid JSON: Expecting property name enclosed in double quotes:"
               " line 1 column 2."),
        (b'{"a": NaN}', "The body is not valid JSON: NaN is no JSON value."),
        (b"\xff\xfe", "The body is not UTF-8 text."),
        (b"[" * 200_000, "The body is not valid JSON: it is nested too deeply."),
    ):  # fmt: skip
        answer = await door.post(body)
        assert (answer.status, answer.body) == (400, {"error": sentence})
    assert await door.runs() == ()


async def test_a_form_of_too_many_fields_is_refused(door: Door):
    """Ours: bounded before it is taken apart."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await door.post(b"a=1&" * 1001, kind)
    assert (answer.status, answer.body) == (400, {"error": "The form has more than 1000 fields."})


async def test_a_missing_part_is_an_error_if_the_webhook_says_so(door: Door):
    """Issue 7: missing-path policy; the refused delivery stays in the log with its body."""
    await door.have(missing=MissingPath.ERROR)
    answer = await door.post(b'{"other": 1}')
    assert (answer.status, answer.body) == (
        422,
        {"error": "The delivery has no payload.branch, which this webhook needs."},
    )
    assert await door.runs() == ()
    (line,) = await door.log()
    kept = await door.store.deliveries.get(line.id)
    assert kept is not None
    assert (kept.outcome, kept.status, kept.body) == ("missing", 422, b'{"other": 1}')


async def test_status_of_a_run_is_told_to_who_holds_the_address(door: Door):
    """Issue 7: the status URL tells the status alone, and of this webhook's runs alone."""
    started = await door.post()
    answer = await door.post(path=started.body["status_url"], method="GET")
    assert (answer.status, answer.body) == (200, {"run_id": started.run_id, "status": "queued"})
    (run,) = await door.runs()
    await door.store.runs.add(replace(run, id="run_other", webhook_id="webhook_2"))
    path = f"{await door.path()}/runs/run_other"
    assert (await door.post(path=path, method="GET")).status == 404


async def test_waiting_is_off_unless_the_webhook_allows_it(door: Door):
    """Security D 4: off for each hook by default."""
    answer = await door.post(query="wait=5")
    assert (answer.status, answer.body) == (
        400,
        {"error": "This webhook does not let senders wait for the run; leave wait out."},
    )
    assert await door.runs() == ()


async def test_a_wrong_wait_is_refused(door: Door):
    """Ours: before anything starts."""
    await door.have(may_wait=True)
    for query in ("wait=", "wait=-1", "wait=abc", "wait=1&wait=2", "wait=1e3"):
        assert (await door.post(query=query)).status == 400
    assert await door.runs() == ()


async def test_a_sender_that_may_wait_gets_the_result(door: Door):
    """Security D 4: 200 with the result, or 202 when the run takes longer."""
    await door.have(may_wait=True)
    answers: list[Answer] = []

    async def wait() -> None:
        answers.append(await door.post(b'{"n":1}', query="wait=25"))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        claimed = await door.next_run()
        await door.end(claimed, RunResult(RunStatus.SUCCEEDED, output="All is well."))
    (waited,), (run,) = answers, await door.runs()
    assert waited.status == 200
    assert waited.body == {
        "run_id": run.id,
        "status_url": f"{await door.path()}/runs/{run.id}",
        "status": "succeeded",
        "output": "All is well.",
        "error": None,
    }
    late = await door.post(b'{"n":2}', query="wait=0")
    assert (late.status, "output" in late.body) == (202, False)


async def test_only_so_many_bodies_are_read_at_once(door: Door):
    """Ours: senders cannot take all the memory; the one too many comes again."""
    slow = anyio.Event()
    path = await door.path()
    async with anyio.create_task_group() as group:
        for _ in range(MAX_READING):
            group.start_soon(partial(door.post, path=path, until=slow))
        await anyio.wait_all_tasks_blocked()
        answer = await door.post(path=path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        slow.set()
    assert len(await door.runs()) == 1


async def test_webhooks_survive_a_restart_with_address_and_secret(home: Path):
    """Issue 7: kept encrypted; the owner sees the address again, the sender notices nothing."""
    async with open_door(home) as door:
        await door.have(Scheme.GITHUB)
        path, secret = await door.path(), door.secret
        headers = door.signed(Scheme.GITHUB, b"{}")
    for file in home.glob("jobs.db*"):
        stored = file.read_bytes()
        assert path.removeprefix("/webhook/").encode() not in stored
        assert secret.encode() not in stored
    async with open_door(home, fresh=False) as again:
        assert await again.hooks.url(WEBHOOK.id) == f"http://gateway.test{path}"
        assert (await again.post(b"{}", headers, path=path)).status == 202
