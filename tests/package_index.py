"""A package index on loopback, with packages that tests make; it counts what is asked of it."""

import base64
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Index:
    """The files of an index by name, and a gate that holds its answers back."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    holds: str = ""
    """Requests that contain this wait for `open`."""
    passes: int = 0
    """How many of them do not wait."""

    def add_wheel(self, name: str, version: str, modules: Mapping[str, str]) -> None:
        """Publish a wheel with these files."""
        info = f"{name}-{version}.dist-info"
        files = {
            **modules,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        self.files[f"{name}-{version}-py3-none-any.whl"] = content.getvalue()

    def add_npm(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """Publish an archive of npm with these files; `package.json` is one of them."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for path, text in files.items():
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        self.files[f"{name}-{version}.tgz"] = content.getvalue()

    @property
    def registry(self) -> str:
        """The address that npm is told."""
        return self.url.replace("/index", "/npm")

    def add_source(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """Publish a source archive with these files."""
        content = io.BytesIO()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for path, text in {**files, "PKG-INFO": metadata}.items():
                entry = tarfile.TarInfo(f"{name}-{version}/{path}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        self.files[f"{name}-{version}.tar.gz"] = content.getvalue()

    def answer(self, request: str) -> bytes | None:
        """Return what stands at the path of a request."""
        self.asked.append(request)
        if self.holds in request:
            self.passes -= 1
            if self.passes < 0:
                self.open.wait()
        path = request.partition(" ")[2]
        *_, folder, name = ("", *path.strip("/").split("/"))
        if folder == "files":
            return self.files.get(name)
        if folder == "npm":
            return self._packument(name)
        found = [file for file in self.files if file.startswith(f"{name}-")]
        links = "".join(
            f'<a href="/files/{file}#sha256={hashlib.sha256(self.files[file]).hexdigest()}">'
            f"{file}</a>"
            for file in found
        )
        return links.encode() if found else None

    def _packument(self, name: str) -> bytes | None:
        versions: dict[str, object] = {}
        for file, content in self.files.items():
            if file.startswith(f"{name}-") and file.endswith(".tgz"):
                version = file.removeprefix(f"{name}-").removesuffix(".tgz")
                digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
                tarball = self.url.replace("/index", f"/files/{file}")
                dist = {"tarball": tarball, "integrity": f"sha512-{digest}"}
                versions[version] = {"name": name, "version": version, "dist": dist}
        if not versions:
            return None
        newest = max(versions)
        return json.dumps(
            {"name": name, "dist-tags": {"latest": newest}, "versions": versions}
        ).encode()


@contextmanager
def serve_index() -> Generator[Index]:
    """Serve an index on loopback until the body ends."""
    index = Index()
    index.open.set()

    class Pages(BaseHTTPRequestHandler):
        """Answers from the index."""

        def do_HEAD(self) -> None:
            """Send what a page or a file is."""
            self._send()

        def do_GET(self) -> None:
            """Send a page, a file or 404."""
            self.wfile.write(self._send())

        def _send(self) -> bytes:
            body = index.answer(f"{self.command} {self.path}")
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            return body or b""

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        index.url = f"http://127.0.0.1:{server.server_address[1]}/index"
        try:
            yield index
        finally:
            index.open.set()
            server.shutdown()
            thread.join()
