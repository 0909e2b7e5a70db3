"""A FastMCP server as anybody starts it, `python server.py`: what the gateway is compared with."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVER = """
from fastmcp import FastMCP
mcp = FastMCP("adder")

@mcp.tool
def add(a: int, b: int) -> int:
    return a + b + {plus}

if __name__ == "__main__":
    mcp.run(show_banner=False)
"""
SESSION = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"capabilities":{},"clientInfo":{"name":"benchmark","version":"1"}}}\n'
    b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
    b'{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}\n'
    b'{"jsonrpc":"2.0","id":3,"method":"tools/call",'
    b'"params":{"name":"add","arguments":{"a":2,"b":3}}}\n'
)
ANSWERS = 3


@dataclass(frozen=True, slots=True)
class Started:
    """One start of a plain server."""

    took_s: float
    """From spawn to the answered call."""
    private_bytes: int


def start(script: Path) -> Started:
    """Start a server, wait for its first answered call, end it."""
    begun = time.perf_counter()
    with subprocess.Popen(
        (sys.executable, str(script)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(SESSION)
        process.stdin.flush()
        for _ in range(ANSWERS):
            assert b'"result"' in process.stdout.readline()
        took_s = time.perf_counter() - begun
        private_bytes = psutil.Process(process.pid).memory_full_info().uss
        process.stdin.close()
    return Started(took_s, private_bytes)


def start_many(script: Path, count: int) -> float:
    """Return the seconds until as many servers, started at once, have all answered."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        ended = [pool.submit(_answered_at, script) for _ in range(count)]
        return max(each.result() for each in ended) - begun


def _answered_at(script: Path) -> float:
    begun = time.perf_counter()
    return begun + start(script).took_s
