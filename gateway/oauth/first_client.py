"""Shows the client that was made at the first start: on a terminal, else in a private file."""

import logging
import os
from pathlib import Path
from typing import TextIO

from gateway.oauth.clients import MadeClient, env_lines

log = logging.getLogger(__name__)

FILE_NAME = "oauth-client.env"


def show_client(made: MadeClient, home: Path, terminal: TextIO) -> None:
    """Print the two lines for `.env`; where nobody reads them there, write them into the home."""
    if terminal.isatty():
        print("\nThe OAuth client for claude.ai, as lines for .env:", file=terminal)
        print(env_lines(made), file=terminal)
        return
    path = home / FILE_NAME
    beside = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(env_lines(made))
    beside.replace(path)
    log.info("Made an OAuth client for claude.ai; its id and secret are in %s", path)
