"""Webhooks through their tools: signatures, the log, trials, replays, and jobs that are fired."""

from tests.tools.conftest import Gateway

HOOK = {"name": "ci", "prompt_template": "Look at {{payload.branch}}."}


async def test_a_new_webhook_says_which_tools_it_has_and_that_it_is_open(gateway: Gateway) -> None:
    """Issue 7: no tools means none; scheme none is flagged in answers and lists."""
    created = await gateway.call("create_webhook", **HOOK)
    assert created["message"] == (
        "Its runs have no tools at all: for a webhook an empty list means none."
    )
    assert created["secret"] is None
    listed = (await gateway.call("list_webhooks"))["webhooks"]
    assert [each["scheme"] for each in listed] == ["none"]
    assert "Scheme 'none'" in listed[0]["warnings"][0]
    armed = await gateway.call("create_webhook", **HOOK, scheme="github", tools=["Bash"])
    assert armed["message"] == "Its runs have these tools and no others: Bash."
    warnings = armed["webhook"]["warnings"]
    assert any("Bash" in each for each in warnings)
    assert not any("Scheme" in each for each in warnings)


async def test_a_secret_is_shown_once_and_replaced_with_overlap(gateway: Gateway) -> None:
    """Issue 7: made or brought; a later answer never has it."""
    created = await gateway.call("create_webhook", **HOOK, scheme="standard")
    hook = created["webhook"]["id"]
    assert created["secret"].startswith("whsec_")
    assert (await gateway.call("get_webhook", webhook_id=hook))["secret"] is None
    brought = await gateway.call(
        "set_webhook_scheme", webhook_id=hook, scheme="stripe", secret="whsec_of_my_own_stripe"
    )
    assert (brought["webhook"]["scheme"], brought["secret"]) == ("stripe", None)
    again = await gateway.call("set_webhook_scheme", webhook_id=hook, scheme="stripe")
    assert len(again["secret"]) >= 40
    assert len(await gateway.services.store.webhooks.secrets(hook)) == 2
    for arguments, sentence in (
        (
            {"scheme": "none", "secret": "x"},
            "Scheme 'none' has no secret; leave it out, or name another scheme.",
        ),
        (
            {"scheme": "github", "secret": "short"},
            "The secret is no secret of scheme 'github', which takes 16 to 512 ASCII characters "
            "without spaces.",
        ),
    ):
        refusal = await gateway.refusal("set_webhook_scheme", webhook_id=hook, **arguments)
        assert refusal == sentence
    too_long = await gateway.refusal(
        "set_webhook_scheme", webhook_id=hook, scheme="github", secret="secret " * 100
    )
    assert "secret secret" not in too_long


async def test_a_webhook_is_tried_out_without_and_with_a_run(gateway: Gateway) -> None:
    """Issue 7: a test sender, signed like the real one, for every scheme."""
    for scheme in ("none", "bearer", "standard", "github", "stripe", "slack"):
        created = await gateway.call("create_webhook", **HOOK, scheme=scheme, missing="error")
        hook = {"webhook_id": created["webhook"]["id"]}
        tried = await gateway.call("test_webhook", **hook, payload={"branch": "main"})
        assert tried["status"] == 202
        assert tried["prompt"].startswith("Look at <payload-")
        refused = await gateway.call("test_webhook", **hook)
        assert (refused["status"], refused["prompt"]) == (422, None)
        started = await gateway.call(
            "test_webhook", **hook, payload={"branch": "main"}, start_run=True
        )
        assert started["status"] == 202
        (line,) = (await gateway.call("list_webhook_deliveries", **hook))["deliveries"]
        assert (line["origin"], line["run_id"]) == ("test", started["answer"]["run_id"])
    assert len(await gateway.services.store.runs.list()) == 6


async def test_a_delivery_is_sent_again_by_the_webhook_as_it_is_now(gateway: Gateway) -> None:
    """Issue 7: replay; a refused one without a body cannot be."""
    created = await gateway.call("create_webhook", **HOOK)
    hook = {"webhook_id": created["webhook"]["id"]}
    await gateway.call("test_webhook", **hook, payload={"branch": "main"}, start_run=True)
    await gateway.call("update_webhook", **hook, prompt_template="Again {{payload.branch}}.")
    (line,) = (await gateway.call("list_webhook_deliveries", **hook))["deliveries"]
    replayed = await gateway.call("replay_webhook_delivery", delivery_id=line["id"])
    run = await gateway.services.store.runs.get(replayed["run_id"])
    assert run is not None
    assert run.prompt.startswith("Again <payload-")
    lines = (await gateway.call("list_webhook_deliveries", **hook))["deliveries"]
    assert sorted(each["origin"] for each in lines) == ["replay", "test"]
    unknown = await gateway.refusal("replay_webhook_delivery", delivery_id="x")
    assert unknown == "There is no delivery 'x'; list_webhook_deliveries shows the ids."
    await gateway.services.store.deliveries.prune(0, kept=9, kept_bytes=0, kept_since=0)
    gone = await gateway.refusal("replay_webhook_delivery", delivery_id=line["id"])
    assert gone.startswith(f"The body of delivery {line['id']!r} is not kept")


async def test_a_job_gets_a_fire_token_if_it_names_its_tools(gateway: Gateway) -> None:
    """Issue 7: who fires a job writes to its model, so all tools are too many."""
    job = (await gateway.call("create_job", name="j", prompt="p", cron="0 8 * * *"))["job"]["id"]
    refusal = await gateway.refusal("create_job_fire_token", job_id=job)
    assert refusal == (
        "Job 'j' names no tools, so whoever fires it would write to a model with all of them; "
        "name its tools by update_job first."
    )
    await gateway.call("update_job", job_id=job, tools=["Read"])
    made = await gateway.call("create_job_fire_token", job_id=job)
    assert made["url"] == f"http://127.0.0.1:8080/jobs/{job}/fire"
    assert made["token"].startswith("crf_")
    ended = await gateway.call("delete_job_fire_token", job_id=job)
    assert ended == {"deleted": job, "message": "Nobody outside can start the job any more."}
    again = await gateway.refusal("delete_job_fire_token", job_id=job)
    assert again == f'Job "{job}" has no fire token; list_jobs shows the jobs.'
    unknown = await gateway.refusal("create_job_fire_token", job_id="x")
    assert unknown == 'There is no job "x"; list_jobs shows the ids.'
