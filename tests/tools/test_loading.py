"""What happens when the management tools cannot be loaded."""

from typing import Any, cast

import anyio
import pytest

from gateway.tools.management import CannotLoad, Management
from gateway.tools.services import Services

GUARD_S = 30.0


async def test_tools_that_cannot_be_loaded_end_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ours: servers and runs go on; each request is refused by itself, and tries again."""
    management = Management(cast(Services, object()), has_sse=False)
    nobody = cast(Any, None)
    with anyio.fail_after(GUARD_S):
        async with management.running():
            for tries in (1, 2):
                with pytest.raises(CannotLoad, match="the log says why"):
                    await management.http({"type": "http"}, nobody, nobody)
                assert len(caplog.records) == tries
            with pytest.raises(CannotLoad):
                await management.needed_scope("create_job")
    assert caplog.records[0].exc_info is not None
