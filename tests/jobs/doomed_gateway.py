"""A gateway that executes the queue of a home until it is killed. Its argument is a JSON object."""

import json
import sys
from pathlib import Path

import anyio

from gateway.auth.run_tokens import RunTokens
from gateway.jobs.clock import SystemClock
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.secret import Secret
from gateway.store import Store
from tests.jobs.parts import Gate, tightest_level


async def main(home: Path, api: str) -> None:
    """Execute what is queued."""
    config = AgentConfig(
        Secret("sk-ant-of-this-test"), "claude-test-model", base_url=api, level=tightest_level()
    )
    async with (
        Store.open(None, path=home / "jobs.db") as store,
        Runner(
            store=store,
            home=home,
            clock=SystemClock(),
            agent=config,
            gate=Gate(),
            run_tokens=RunTokens(),
        ),
    ):
        await anyio.sleep_forever()


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    anyio.run(main, Path(order["home"]), order["api"])
