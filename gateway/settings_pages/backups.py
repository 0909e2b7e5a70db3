"""A back-up to download: a file of the home that is gone once it is sent."""

import os
import tempfile
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import anyio
from anyio import to_thread
from quart import Blueprint, Response, make_response
from werkzeug.exceptions import Conflict, ServiceUnavailable

from gateway.backup.emptying import WORK
from gateway.backup.errors import BackupError
from gateway.backup.writing import write_archive
from gateway.setting_origins import standings_of
from gateway.settings import Settings
from gateway.store import StoreError

CHUNK = 256 * 1024


class BackupPages:
    """The handler, with what it needs."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._one_at_a_time = anyio.Semaphore(1)

    def add_to(self, pages: Blueprint) -> None:
        """Add the route."""
        pages.post("/backup")(self.download)

    async def download(self) -> Response:
        """One archive of the home and its servers, without a secret in clear."""
        try:
            self._one_at_a_time.acquire_nowait()
        except anyio.WouldBlock:
            raise ServiceUnavailable("A back-up is being made; wait for it.") from None
        try:
            archive = await to_thread.run_sync(self._written)
        except (BackupError, StoreError) as error:
            raise Conflict(str(error)) from error
        except OSError as error:
            raise Conflict(f"The back-up cannot be written ({error.strerror}).") from error
        finally:
            self._one_at_a_time.release()
        answer = cast("Response", await make_response(_sent(archive)))
        made = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
        name = f"claude-runner-{made:%Y%m%d-%H%M%S}.tar.gz"
        answer.content_type = "application/gzip"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["Content-Length"] = str(os.fstat(archive.fileno()).st_size)
        answer.timeout = None  # a slow line takes as long as it takes
        return answer

    def _written(self) -> BinaryIO:
        """Return the archive, which has no name any more: it goes when it is closed. Blocking."""
        read, home = self._settings.read_from, self._settings.home
        with tempfile.TemporaryDirectory(prefix=WORK, dir=home) as folder:
            target = Path(folder) / "claude-runner.tar.gz"
            write_archive(self._settings, standings_of(read.environ, read.file), target)
            return target.open("rb")


async def _sent(archive: BinaryIO) -> AsyncGenerator[bytes]:
    with archive:
        while chunk := await to_thread.run_sync(archive.read, CHUNK):
            yield chunk
