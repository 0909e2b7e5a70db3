"""Rows that tests put into the store. Every optional field can be given."""

from dataclasses import replace
from typing import Any

from gateway.domain.delivery import Delivery, DeliveryOrigin, Outcome
from gateway.domain.ids import new_id
from gateway.domain.job import Job
from gateway.domain.oauth import Client, ClientSource, Grant
from gateway.domain.run import Run, RunMessage, RunStatus, Trigger
from gateway.domain.server_version import Origin, ServerVersion, VersionFile, VersionResult
from gateway.domain.token import Scope, Token
from gateway.domain.webhook import Webhook


def job(**changes: Any) -> Job:
    """Return an enabled job that is due at 1000."""
    example = Job(
        id=new_id("job"),
        name="morning brief",
        cron="0 9 * * *",
        timezone="Europe/Berlin",
        prompt="Say what is new.",
        tools=("Read", "mcp__email__send"),
        servers=("email",),
        enabled=True,
        created_at=10,
        updated_at=10,
        next_fire_at=1000,
    )
    return replace(example, **changes)


def run(**changes: Any) -> Run:
    """Return a queued run of no job."""
    example = Run(
        id=new_id("run"),
        trigger=Trigger.MANUAL,
        status=RunStatus.QUEUED,
        prompt="Say what is new.",
        tools=("Read",),
        servers=(),
        created_at=20,
    )
    return replace(example, **changes)


def webhook(**changes: Any) -> Webhook:
    """Return an enabled webhook."""
    example = Webhook(
        id=new_id("hook"),
        name="deploys",
        prompt_template="Look at {{payload.commit}}.",
        tools=("Read",),
        servers=(),
        enabled=True,
        created_at=30,
        updated_at=30,
    )
    return replace(example, **changes)


def delivery(**changes: Any) -> Delivery:
    """Return an accepted delivery."""
    example = Delivery(
        id=new_id("delivery"),
        webhook_id="hook_1",
        received_at=50,
        origin=DeliveryOrigin.SENDER,
        outcome=Outcome.ACCEPTED,
        status=202,
        sender="192.0.2.1",
        content_type="application/json",
        size=2,
        body=b"{}",
    )
    return replace(example, **changes)


def token(**changes: Any) -> Token:
    """Return a token that never expires."""
    example = Token(
        id=new_id("tok"),
        name="laptop",
        scopes=frozenset({Scope.READ, Scope.RUN}),
        created_at=40,
    )
    return replace(example, **changes)


def client(**changes: Any) -> Client:
    """Return a public client that registered itself."""
    example = Client(
        id=new_id("client"),
        name="Inspector",
        source=ClientSource.REGISTERED,
        redirect_uris=("http://localhost/callback",),
        created_at=50,
    )
    return replace(example, **changes)


def grant(**changes: Any) -> Grant:
    """Return a grant of a client that does not exist."""
    example = Grant(
        id=new_id("grant"),
        client_id="client_x",
        scopes=frozenset({Scope.READ}),
        resource="http://127.0.0.1:8080/mcp",
        created_at=60,
    )
    return replace(example, **changes)


def message(run: Run, seq: int = 0, body: str = "{}") -> RunMessage:
    """Return one message of the transcript of `run`."""
    return RunMessage(run_id=run.id, seq=seq, kind="assistant", body=body, at=50 + seq)


def server_version(number: int = 1, **changes: Any) -> ServerVersion:
    """Return a version of `email` with one file, whose hash is "a"."""
    example = ServerVersion(
        server="email",
        number=number,
        origin=Origin.CREATED,
        author="command line",
        made_at=60,
        digest=f"digest {number}",
        result=VersionResult.UNTRIED,
        reason="disabled",
        files=(VersionFile("server.py", "a", 3, executable=False),),
    )
    return replace(example, **changes)
