"""`claude-runner webhooks`: the owner's way without a browser or a model."""

import json
import re

import httpx2
import pytest

from tests.cli.gateways import Place

pytestmark = pytest.mark.timeout(120)


def test_webhooks_are_listed_shown_tested_and_sent_again(live_place: Place) -> None:
    """Issue 7: delivery log with replay and a test sender, on the command line."""
    assert live_place.run("webhooks", "list").stdout == "There are no webhooks.\n"
    wish = {"name": "ci", "prompt_template": "Look at {{payload.n}}.", "scheme": "github"}
    hook = live_place.json("call", "create_webhook", json.dumps(wish))["webhook"]["id"]
    assert re.search(rf"{hook}\s+ci\s+github\s+on\s+0", live_place.run("webhooks", "list").stdout)
    url = live_place.json("webhooks", "show", hook)["webhook"]["url"]
    assert httpx2.post(url, json={"n": 1}, trust_env=False).status_code == 401
    tried = live_place.run("webhooks", "test", hook, '{"n": 7}').stdout
    assert ">7</payload-" in tried
    started = live_place.run("webhooks", "test", hook, '{"n": 7}', "--run").stdout
    assert started.startswith("202 ")
    log = live_place.run("webhooks", "deliveries", hook).stdout
    (delivery,) = re.findall(r"(delivery_\w+).* 202 +accepted", log)
    assert "bad_signature" in log
    replayed = live_place.run("webhooks", "replay", delivery)
    assert re.fullmatch(r"Run run_\w+ is queued.\n", replayed.stdout)
    wrong = live_place.run("webhooks", "replay", "x")
    assert (wrong.returncode, "There is no delivery" in wrong.stderr) == (1, True)
    secret = json.dumps({**wish, "secret": "a-secret-of-this-test"})
    on_argv = live_place.run("call", "create_webhook", secret)
    assert (on_argv.returncode, "does not belong on a command line" in on_argv.stderr) == (2, True)
