"""A browser with the owner before it, and a client that does by hand what OAuth asks of clients."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

CLAUDE_CALLBACK = "https://claude.ai/api/mcp/auth_callback"
JSON_RPC = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}


class Inputs(HTMLParser):
    """The fields of a page's form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: list[tuple[str, str]] = []
        self.ticks: dict[str, bool] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one input."""
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.hidden.append((given["name"] or "", given.get("value") or ""))
        elif tag == "input" and given.get("type") == "checkbox":
            self.ticks[given.get("value") or ""] = "checked" in given


@dataclass
class Browser:
    """Cookies, and an owner who clicks."""

    base: str
    http: httpx2.AsyncClient

    async def log_in(self, path: str) -> None:
        """Open a one-time link and press its button."""
        page = await self.open(self.base + path)
        sent = await self.http.post(
            f"{self.base}/login", data=dict(Inputs(page.text).hidden), headers={"Origin": self.base}
        )
        assert sent.status_code == 303, sent.text

    async def log_in_by_password(self, page: str, username: str, password: str) -> httpx2.Response:
        """Fill in the login form of a page."""
        fields = {**dict(Inputs(page).hidden), "username": username, "password": password}
        return await self.http.post(
            f"{self.base}/login", data=fields, headers={"Origin": self.base}
        )

    async def open(self, address: str) -> httpx2.Response:
        """Load a page."""
        return await self.http.get(address)

    async def submit(
        self,
        address: str,
        page: str,
        *,
        decision: str = "approve",
        ticks: list[str] | None = None,
        origin: str | None = None,
        change: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send the form of a page, with its own ticks unless others are given."""
        inputs = Inputs(page)
        fields = [(name, (change or {}).get(name, value)) for name, value in inputs.hidden]
        chosen = [each for each, on in inputs.ticks.items() if on] if ticks is None else ticks
        fields += [("tick", each) for each in chosen] + [("decision", decision)]
        headers = {
            "Origin": self.base if origin is None else origin,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return await self.http.post(address, content=urlencode(fields), headers=headers)

    async def consent(self, address: str, **choices: Any) -> dict[str, str]:
        """Go through the consent page; return what the client is told."""
        page = await self.open(address)
        assert page.status_code == 200, page.text
        sent = await self.submit(address, page.text, **choices)
        assert sent.status_code == 303, sent.text
        return answer_of(sent)


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """Return the parameters that a redirect carries to the client."""
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


@dataclass
class Program:
    """An OAuth client, step by step."""

    base: str
    http: httpx2.AsyncClient
    redirect: str = CLAUDE_CALLBACK
    id: str = ""
    secret: str | None = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    async def register(self, **metadata: Any) -> httpx2.Response:
        """Register; the answer's id and secret are kept."""
        asked = {
            "client_name": "Claude",
            "redirect_uris": [self.redirect],
            "token_endpoint_auth_method": "none",
        }
        answer = await self.http.post(f"{self.base}/register", json={**asked, **metadata})
        if answer.status_code == 201:
            self.id, self.secret = answer.json()["client_id"], answer.json().get("client_secret")
        return answer

    def authorize_url(self, path: str = "/authorize", /, **changes: str | None) -> str:
        """Return the address to send the owner to; None leaves a parameter out."""
        challenge = hashlib.sha256(self.verifier.encode()).digest()
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect,
            "state": "st",
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "resource": f"{self.base}/mcp",
            **changes,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return f"{self.base}{path}?{urlencode(given)}"

    async def token(self, path: str = "/token", /, **form: str) -> httpx2.Response:
        """POST to the token endpoint."""
        own = {"client_id": self.id}
        if self.secret is not None:
            own["client_secret"] = self.secret
        return await self.http.post(f"{self.base}{path}", data={**own, **form})

    async def exchange(self, value: str, /, **changes: str) -> httpx2.Response:
        """Exchange a code."""
        form = {
            "grant_type": "authorization_code",
            "code": value,
            "redirect_uri": self.redirect,
            "code_verifier": self.verifier,
            "resource": f"{self.base}/mcp",
        }
        return await self.token(**{**form, **changes})

    async def refresh(self, value: str, /, **changes: str) -> httpx2.Response:
        """Use a refresh token."""
        return await self.token(
            **{"grant_type": "refresh_token", "refresh_token": value, **changes}
        )

    async def post(
        self,
        token: str,
        path: str = "/mcp",
        body: object = None,
        further: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """POST an MCP message; `initialize` unless another is given."""
        headers = {**JSON_RPC, "Authorization": f"Bearer {token}", **(further or {})}
        return await self.http.post(f"{self.base}{path}", json=body or INITIALIZE, headers=headers)


async def signed_in(program: Program, browser: Browser, **choices: Any) -> dict[str, Any]:
    """Return the tokens of a client that the owner approved."""
    told = await browser.consent(program.authorize_url(), **choices)
    answer = await program.exchange(told["code"])
    assert answer.status_code == 200, answer.text
    return answer.json()
