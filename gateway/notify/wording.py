"""What notices say. Pure; a sentence of a run's end comes in without secrets."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.budget import DayBudget, Limit
from gateway.domain.job import Job
from gateway.domain.notice import Notice, Occasion, new_notice
from gateway.domain.run import Run, RunResult, RunStatus
from gateway.domain.units import instant
from gateway.domain.webhook import Webhook

OF_A_DAY = (Limit.JOB_DAY, Limit.WEBHOOK_DAY, Limit.ALL_DAY)
MAX_TITLE = 200
MAX_TEXT = 2_000
"""Characters; services cut or refuse what is longer than some thousands."""
PLURALS = {
    Occasion.RUN_FAILED: "jobs or webhooks failed",
    Occasion.RUN_RECOVERED: "jobs or webhooks are well again",
    Occasion.BUDGET_REACHED: "budgets were reached",
    Occasion.PAUSED: "jobs or webhooks were paused",
    Occasion.SERVER_QUARANTINED: "servers were quarantined",
    Occasion.SERVER_RESTORED: "quarantined servers serve again",
    Occasion.TOOL_WITHHELD: "tools are withheld",
    Occasion.MESSAGE: "messages came",
    Occasion.RUN_MISSED: "due times did not run",
}


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The end of a job's or webhook's run, and after how many failures in a row that is told."""

    of: Job | Webhook
    run: Run
    result: RunResult
    now: int
    usual_after: int
    """For a job that does not say, and for webhooks; 0: never."""

    def notice(self, before: int) -> Notice | None:
        """Return the notice of it, given how many runs had failed in a row; None: none is due."""
        own = self.of.notify_after if isinstance(self.of, Job) else None
        after = self.usual_after if own is None else own
        if not after:
            return None
        if self.result.status is RunStatus.BUDGET:
            # A day's budget has a notice of its own, once for all the runs that it ends.
            return None if self.result.limit_reached in OF_A_DAY else self._over_budget()
        if self.result.status.failure and before + 1 == after:
            return self._failed(after)
        if self.result.status is RunStatus.SUCCEEDED and before >= after:
            return self._recovered(before)
        return None

    def _failed(self, after: int) -> Notice:
        times = "failed" if after == 1 else f"failed {after} times in a row"
        why = self.result.error or "It did not say why."
        return make(
            Occasion.RUN_FAILED,
            self.of.id,
            f"{self._kind.capitalize()} {self.of.name} {times}",
            f"Run {self.run.id} of {self._whose} ended as {self.result.status}: {why}",
            self.now,
        )

    def _over_budget(self) -> Notice:
        why = self.result.error or "It has no money or turns left."
        return make(
            Occasion.BUDGET_REACHED,
            self.of.id,
            f"{self._kind.capitalize()} {self.of.name} reached the budget of a run",
            f"Run {self.run.id} of {self._whose} was ended: {why}",
            self.now,
        )

    def _recovered(self, before: int) -> Notice:
        failed = "1 run" if before == 1 else f"{before} runs"
        return make(
            Occasion.RUN_RECOVERED,
            self.of.id,
            f"{self._kind.capitalize()} {self.of.name} is well again",
            f"Run {self.run.id} of {self._whose} succeeded after {failed} that failed.",
            self.now,
        )

    @property
    def _kind(self) -> str:
        return kind_of(self.of)

    @property
    def _whose(self) -> str:
        return f"{self._kind} {self.of.id}"


def kind_of(owner: Job | Webhook) -> str:
    """Return what runs belong to, in a word."""
    return "job" if isinstance(owner, Job) else "webhook"


def missed(name: str, row: Run, now: int) -> Notice:
    """Return the notice of a due time that did not run; `name` is its job's."""
    due = "" if row.scheduled_for is None else f" at {instant(row.scheduled_for)}"
    text = f"Job {row.job_id} was due{due}. {row.error or ''}"
    return make(Occasion.RUN_MISSED, row.job_id or "", f"Job {name} did not run", text, now)


def expired(run: Run, now: int) -> Notice:
    """Return the notice of a run that waited in the queue for too long."""
    whose = run.job_id or run.id
    text = f"Run {run.id} of {whose} expired. {run.error or ''}"
    return make(Occasion.RUN_MISSED, whose, f"A run of {whose} expired in the queue", text, now)


def job_unscheduled(job: Job, why: str, now: int) -> Notice:
    """Return the notice of a job that cannot be scheduled any more."""
    title = f"Job {job.name} is not scheduled any more"
    return make(Occasion.PAUSED, job.id, title, f"Job {job.id}: {why}", now)


def day_budget_reached(
    budget: DayBudget, owner: Job | Webhook | None, spent: str, now: int
) -> Notice:
    """Return the notice of a day's budget that is spent, as the sentence `spent` says."""
    until = instant(budget.day.ends_at)
    if owner is None:
        title = "The day's budget of all runs is spent"
        text = f"No run starts until {until}: {spent}."
        return make(Occasion.BUDGET_REACHED, "", title, text, now)
    kind = kind_of(owner)
    title = f"The day's budget of {kind} {owner.name} is spent"
    text = f"{kind.capitalize()} {owner.id} is paused until {until}: {spent}."
    return make(Occasion.BUDGET_REACHED, owner.id, title, text, now)


def webhook_paused(webhook: Webhook, bad: int, now: int) -> Notice:
    """Return the notice of a webhook that too many bad signatures closed."""
    text = (
        f"There were {bad} deliveries in a row to {webhook.id} whose signature was wrong. It takes"
        " nothing until somebody enables it again."
    )
    return make(Occasion.PAUSED, webhook.id, f"Webhook {webhook.name} is paused", text, now)


def summary(occasion: Occasion, titles: Sequence[str], count: int, now: int) -> Notice:
    """Return the notice that stands for `count` of one occasion, with the titles of some."""
    more = count - len(titles)
    lines = [f"- {title}" for title in titles] + ([f"and {more} more"] if more else [])
    title = f"{count} more times within an hour: {PLURALS[occasion]}"
    return make(occasion, "", title, "\n".join(lines), now)


def make(occasion: Occasion, subject: str, title: str, text: str, at: int) -> Notice:
    """Return a notice that no service finds too long."""
    return new_notice(occasion, subject, _cut(title, MAX_TITLE), _cut(text, MAX_TEXT), at)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
