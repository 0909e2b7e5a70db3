"""`claude-runner notify`: from a job that fails to the owner's channel."""

import json

import pytest
from standardwebhooks import Webhook

from tests.cli.gateways import Place
from tests.notify.receiver import receiving

pytestmark = pytest.mark.timeout(120)


def test_a_job_that_fails_is_told_by_the_owners_channel(live_place: Place) -> None:
    """Issue 7, 8: added by standard input, tested, told of a failure, listed, removed."""
    run = live_place.run
    assert run("notify", "list").stdout.startswith("There are no channels")
    assert (empty := run("notify", "add", "mine")).returncode == 2
    assert "The address is empty" in empty.stderr
    with receiving() as receiver:
        address = f"{receiver.url}/key-of-the-owner-92Lq"
        added = run("notify", "add", "mine", "--kind", "webhook", given=f"{address}\n")
        secret = added.stdout.split("signs with ")[1].split(",")[0]
        assert run("notify", "test", "mine").stdout == 'Channel "mine" took the test.\n'
        assert Webhook(secret).verify((test := receiver.one()).body, test.headers)
        wish = {"name": "brief", "prompt": "Say hello.", "cron": "0 0 1 1 *"}
        job = live_place.json("call", "create_job", json.dumps(wish))["job"]["id"]
        live_place.json("call", "trigger_job", json.dumps({"job_id": job}))
        told = Webhook(secret).verify((got := receiver.one()).body, got.headers)
        renamed = run("notify", "edit", "mine", "--name", "ours", "--on", "paused")
        assert renamed.stdout == 'Channel "ours" is changed.\n'
        moved = run("notify", "edit", "ours", "--name", "mine", "--address", given=f"{address}\n")
        assert moved.returncode == 0
        assert "Say what to change" in run("notify", "edit", "mine").stderr
        receiver.status = 500
        refused = run("notify", "test", "mine")
    assert (told["type"], told["data"]["subject"]) == ("run_failed", job)
    assert "Job brief failed" in run("notify", "log").stdout
    exported = [json.loads(line) for line in run("runs", "export").stdout.splitlines()]
    assert [(each["job_id"], each["status"]) for each in exported] == [(job, "failed")]
    assert run("runs", "export", "--until", "1d").stdout == ""
    table = run("runs", "export", "--job", job, "--format", "csv").stdout.splitlines()
    assert (len(table), table[0].split(",")[0], exported[0]["id"] in table[1]) == (2, "id", True)
    assert (refused.returncode, "it answered 500" in refused.stderr) == (1, True)
    listed = run("notify", "list").stdout
    assert "127.0.0.1" in listed
    assert "key-of-the-owner" not in listed + added.stdout + refused.stderr
    assert run("notify", "remove", "mine").stdout == 'Channel "mine" is removed.\n'
    wrong = run("notify", "remove", "mine")
    assert (wrong.returncode, "There is no channel 'mine'" in wrong.stderr) == (1, True)
    on_argv = run("call", "add_notification_channel", json.dumps({"address": address}))
    assert (on_argv.returncode, "does not belong on a command line" in on_argv.stderr) == (2, True)
