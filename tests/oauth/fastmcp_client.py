"""fastmcp's own client, before a screen on which no browser can be opened."""

from typing import Any

from fastmcp.client.auth import OAuth
from mcp.client.auth import AuthorizationCodeResult

from tests.oauth.parts import Browser


class ScriptedOAuth(OAuth):
    """fastmcp's own client, with the owner's browser in place of one on this screen."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        super().__init__(**options)
        self.browser = browser
        self.told: dict[str, str] = {}
        self.consents = 0

    async def redirect_handler(self, authorization_url: str) -> None:
        """Have the owner approve everything."""
        self.consents += 1
        ticks = ["read", "run", "admin"]
        self.told = await self.browser.consent(authorization_url, ticks=ticks)

    async def callback_handler(self) -> AuthorizationCodeResult:
        """Return what the owner's browser was redirected with."""
        return AuthorizationCodeResult(**self.told)
