"""An https server of the tests, with a certificate that is its own authority.

It stands behind public addresses that `tests.outside` makes up.
"""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "pages.example.com"
CHECKER = "api.anthropic.com"
"""Where the CLI asks about a host before it fetches from there."""


class Page(BaseHTTPRequestHandler):
    """Answers every GET with the name it was asked under, and knows nothing bad of any host."""

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(200)
        host = self.headers["Host"]
        kind = "application/json" if host == CHECKER else "text/plain"
        self.send_header("content-type", kind)
        self.end_headers()
        body = '{"can_fetch": true}' if host == CHECKER else f"hello from {host}"
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def certify(folder: Path, *further: str) -> tuple[Path, Path]:
    """Write a certificate for HOST, CHECKER and further names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(n) for n in (HOST, CHECKER, *further)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "ca.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


@contextmanager
def https_origin(certificate: tuple[Path, Path]) -> Iterator[int]:
    """Serve pages; give the loopback port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Page) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
