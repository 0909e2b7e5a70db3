"""A gateway that runs one run until it is killed. Its argument is a JSON object."""

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
from tests.jobs.parts import Gate, a_run, tightest_level


async def main(home: Path, run_id: str, api: str) -> None:
    """Submit the run and wait for its end."""
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
        ) as runner,
    ):
        await runner.submit(a_run(id=run_id, tools=("Bash",)))
        await runner.wait(run_id)


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    anyio.run(main, Path(order["home"]), order["run_id"], order["api"])
