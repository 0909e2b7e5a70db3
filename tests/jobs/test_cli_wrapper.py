"""The environment that the CLI starts with, and when it ends without the gateway."""

import os
import signal
import sys
from pathlib import Path

import anyio

from gateway.jobs import cli_wrapper
from gateway.jobs.cli_wrapper import cli_environment, split_words
from gateway.jobs.options import join_words
from tests.waiting import PATIENCE_S

RESTLESS = "while :; do kill -CHLD $PPID; sleep 0.1; done"


def test_only_listed_names_are_kept():
    """Ours: built from nothing; the wrapper's own orders stay behind."""
    inherited = {
        "RUN_KEEP": "HOME,ANTHROPIC_API_KEY,NOT_SET,TZ",
        "RUN_PYTHON": "/usr/bin/python3",
        "HOME": "/run/home",
        "ANTHROPIC_API_KEY": "key",
        "OAUTH_SECRET_KEY": "secret",
        "LD_PRELOAD": "/evil.so",
        "PWD": "/work",
        "TZ": "Europe/Berlin",
    }
    assert cli_environment(inherited) == {
        "HOME": "/run/home",
        "ANTHROPIC_API_KEY": "key",
        "PWD": "/work",
        "TZ": "Europe/Berlin",
    }


def test_servers_on_loopback_are_reached_past_a_proxy():
    """Ours: a host's proxy is kept for a CLI on its network and not used for the gateway."""
    inherited = {
        "RUN_KEEP": "HTTPS_PROXY,NO_PROXY",
        "HTTPS_PROXY": "http://proxy:3128",
        "NO_PROXY": "intra.example",
    }
    assert cli_environment(inherited) == {
        "HTTPS_PROXY": "http://proxy:3128",
        "NO_PROXY": "intra.example,127.0.0.1,localhost",
        "no_proxy": "intra.example,127.0.0.1,localhost",
    }


def test_a_command_reaches_the_wrapper_as_it_is():
    """Ours: a path may have any character but the null."""
    words = ("/usr/bin/bwrap", "a b", "", "two\nlines", "\\n", "Ärger \udcff 𝄞", "tab\t")
    assert split_words(join_words(words)) == list(words)


async def test_signals_without_end_do_not_hide_that_the_lease_is_over(tmp_path: Path):
    """Ours: a run ends with its gateway's lease, however many children its CLI has."""
    lease = tmp_path / "lease"
    lease.write_text("0.0", encoding="ascii")
    orders = {
        "RUN_PARENT": str(os.getpid()),
        "RUN_GROUP_FILE": str(tmp_path / "group"),
        "RUN_KEEP": "PATH",
        "RUN_COMMAND": join_words(("/bin/sh", "-c", RESTLESS, "sh", "--parent", "0")),
        "RUN_DIRECTORY": str(tmp_path),
        "RUN_LEASE_FILE": str(lease),
        "PATH": os.defpath,
    }
    command = [sys.executable, "-IS", cli_wrapper.__file__]
    with anyio.fail_after(PATIENCE_S):
        async with await anyio.open_process(command, env=orders) as process:
            assert await process.wait() == 128 + signal.SIGKILL
