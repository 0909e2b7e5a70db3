"""The hosts that examples ask, as an https server of the tests behind their names."""

import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    host: str
    path: str
    headers: dict[str, str]


@dataclass
class Internet:
    """Answers each host's GETs with the status and the JSON that stand here for it."""

    port: int = 0
    answers: dict[str, tuple[int, object]] = field(default_factory=dict[str, tuple[int, object]])
    asked: list[Asked] = field(default_factory=list[Asked])


@contextmanager
def internet(certificate: tuple[Path, Path]) -> Generator[Internet]:
    """Serve on loopback, until the body ends."""
    served = Internet()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer for the host that was asked."""
            host = self.headers["Host"]
            served.asked.append(Asked(host, self.path, dict(self.headers)))
            status, said = served.answers[host]
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
