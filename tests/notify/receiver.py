"""An HTTP receiver on loopback that keeps what it got."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers every POST and PUT with `status` and `body`, and a redirect to itself with 3xx."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    got: "Queue[Got]" = field(default_factory=lambda: Queue[Got]())
    before_answer: Callable[[], object] | None = None

    def one(self) -> Got:
        """Return the next request, which has come or comes soon."""
        return self.got.get(timeout=30)

    def all(self) -> list[Got]:
        """Return what has come by now."""
        return [self.got.get_nowait() for _ in range(self.got.qsize())]


@contextmanager
def receiving() -> Generator[Receiver]:
    """Listen while the body runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.put(Got(self.path, headers, self.rfile.read(length)))
            if receiver.before_answer is not None:
                receiver.before_answer()
            self.send_response(receiver.status)
            if 300 <= receiver.status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        do_PUT = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
