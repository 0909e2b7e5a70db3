"""All that the CLI of an attempt is started with, as one value that can be compared. Pure."""

from dataclasses import dataclass

from gateway.domain.network import RunNetwork
from gateway.domain.run import Run, Trigger
from gateway.domain.view import OWN_TOOLS
from gateway.jobs.access import Access
from gateway.jobs.gate import Offer
from gateway.server_entries import COMBINED_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything but what is the attempt's alone: its folders, its address and its tokens.

    The options of the CLI are made of it and of nothing else of a run, so that a CLI that was
    started ahead fits every run of an equal setup (see `standby`).
    """

    owner: str | None
    """Job or webhook whose work folder it works in; None: the run has one of its own."""
    access: Access
    offers: tuple[Offer, ...]
    """What each of its servers was and showed."""
    network: RunNetwork
    model: str
    system_prompt: str | None
    output_schema: str | None
    max_turns: int | None
    turns: int
    """Those of earlier attempts."""
    budget_micro_usd: int | None
    left_micro_usd: int | None
    """Of the budget, after earlier attempts."""
    timeout_s: float
    is_written_by_strangers: bool
    """The prompt."""
    session_id: str | None
    """Of the conversation that it goes on with."""

    @property
    def withheld(self) -> tuple[tuple[str, str], ...]:
        """Tools of the CLI's entries that it may not call there, so that it sees none of them."""
        access = self.access
        renamed = {pair for pair, _ in access.own_names}
        pairs = [(offer.server, tool) for offer in self.offers for tool in offer.tools]
        called = {pair for pair in pairs if access.allows(*pair) and pair not in renamed}
        withheld = [pair for pair in pairs if pair not in called]
        if renamed:
            full_names = (f"mcp__{server}__{tool}" for server, tool in called)
            withheld += [(COMBINED_NAME, tool) for tool in (*sorted(OWN_TOOLS), *full_names)]
        return tuple(withheld)


def setup_of(
    run: Run, access: Access, offers: tuple[Offer, ...], *, model: str, turns: int
) -> Setup:
    """Return the setup of an attempt; `model` is for runs that name none."""
    return Setup(
        owner=owner_of(run),
        access=access,
        offers=offers,
        network=run.network,
        model=run.model or model,
        system_prompt=run.system_prompt,
        output_schema=run.output_schema,
        max_turns=run.max_turns,
        turns=turns,
        budget_micro_usd=run.budget_micro_usd,
        left_micro_usd=_left(run),
        timeout_s=run.timeout_s,
        is_written_by_strangers=run.trigger is Trigger.WEBHOOK,
        session_id=run.session_id,
    )


def owner_of(run: Run) -> str | None:
    """Return the job or webhook of a run, whose work folder it uses."""
    return run.job_id or run.webhook_id


def _left(run: Run) -> int | None:
    """Return what a run may still spend after its earlier attempts; None: any amount."""
    if run.budget_micro_usd is None:
        return None
    return max(0, run.budget_micro_usd - (run.cost_micro_usd or 0))
