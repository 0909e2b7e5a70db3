"""A host of web pages on loopback; it notes what it was asked for."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

POLL_S = 0.02
"""Until it notices that its end has come."""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer."""

    body: bytes | str = b""
    kind: str | None = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after: threading.Event | None = None
    """The body comes when this is set."""


@dataclass
class WebHost:
    """What stands at each path; a path with nothing is a 404."""

    url: str = ""
    port: int = 0
    pages: dict[str, Given] = field(default_factory=dict[str, Given])
    asked: list[str] = field(default_factory=list[str])
    cookies: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    """What each request sent back, with its path."""
    agents: set[str | None] = field(default_factory=set[str | None])

    def put(self, path: str, body: bytes | str, kind: str | None = "text/html") -> str:
        """Have a page at a path; return its address."""
        self.pages[path] = Given(body, kind)
        return f"{self.url}{path}"


@contextmanager
def web_host(certificate: tuple[Path, Path] | None = None) -> Iterator[WebHost]:
    """Serve pages until the body ends; by TLS with a certificate and its key."""
    host = WebHost()

    class Answering(BaseHTTPRequestHandler):
        """Answers from `host.pages`."""

        def do_GET(self) -> None:
            """Send what stands at the path."""
            host.asked.append(self.path)
            host.cookies.append((self.path, self.headers["Cookie"]))
            host.agents.add(self.headers["User-Agent"])
            given = host.pages.get(self.path, Given(status=404))
            body = given.body.encode() if isinstance(given.body, str) else given.body
            self.send_response(given.status)
            if given.kind is not None:
                self.send_header("Content-Type", given.kind)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if given.after:
                given.after.wait()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        host.port = server.server_address[1]
        host.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()
