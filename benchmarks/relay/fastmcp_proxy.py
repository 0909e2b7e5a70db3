"""FastMCP's own proxy: `python -m benchmarks.relay.fastmcp_proxy PORT COMMAND...`."""

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy


async def main(port: int, command: list[str]) -> None:
    """Serve until TERM, as quickly as its options allow."""
    proxy = create_proxy(StdioTransport(command[0], command[1:]))
    await proxy.run_async(
        transport="http",
        host="127.0.0.1",
        port=port,
        show_banner=False,
        log_level="ERROR",
        json_response=True,
        stateless_http=True,
        uvicorn_config={"access_log": False},
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
