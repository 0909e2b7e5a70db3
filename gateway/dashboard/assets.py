"""What browsers load beside the pages: read once, and kept by browsers until it changes.

Its address holds a digest of all files together, so that scripts may name each other relatively,
and an upgrade reaches every browser at once.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from quart import Blueprint, Response, make_response
from werkzeug.exceptions import NotFound

FOLDER = Path(__file__).with_name("static")
FOREVER = "public, max-age=31536000, immutable"
DIGEST_LENGTH = 12
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Everything else, such as a licence, is text."""


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    content_type: str


class Assets:
    """The files of `static/`, in memory."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = sorted(each for each in folder.rglob("*") if each.is_file())
        self._assets = {str(each.relative_to(folder)): _read(each) for each in found}
        whole = hashlib.sha256()
        for name, asset in self._assets.items():
            whole.update(f"{name} {len(asset.body)} ".encode())
            whole.update(asset.body)
        self._digest = whole.hexdigest()[:DIGEST_LENGTH]

    def path(self, name: str) -> str:
        """Return the address of a file. Raises KeyError when there is none of this name."""
        if name not in self._assets:
            raise KeyError(name)
        return f"/static/{self._digest}/{name}"

    def blueprint(self) -> Blueprint:
        """Return the route; it wants no session, for the page of the login has a style too."""
        routes = Blueprint("assets", __name__)
        routes.get("/static/<digest>/<path:name>")(self.send)
        return routes

    async def send(self, digest: str, name: str) -> Response:
        """One file."""
        asset = self._assets.get(name)
        if asset is None or digest != self._digest:
            raise NotFound("This file is of another version of the gateway; load the page again.")
        response = cast("Response", await make_response(asset.body))
        response.content_type = asset.content_type
        response.headers["Cache-Control"] = FOREVER
        return response


def _read(path: Path) -> _Asset:
    content_type = CONTENT_TYPES.get(path.suffix, "text/plain; charset=utf-8")
    return _Asset(path.read_bytes(), content_type)
