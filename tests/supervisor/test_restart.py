"""When a dead child comes back: arithmetic."""

import pytest

from supervisor.slots.restart import DeathRecord, Life, RestartPolicy, after_death

POLICY = RestartPolicy(jitter=0.2)


def delays(*lives: tuple[float, float], policy: RestartPolicy = POLICY) -> list[float]:
    """Return the delay after each death, given (instant, seconds it had been ready)."""
    record, found = DeathRecord(), []
    for now, ready_for_s in lives:
        verdict = after_death(policy, record, now=now, life=Life(ready_for_s), luck=0)
        record = verdict.record
        found.append(verdict.delay_s)
    return found


def test_the_first_death_restarts_at_once_and_later_ones_wait_longer_and_longer() -> None:
    """Design 3.6."""
    assert delays((0, 5), (1, 1), (2, 1), (3, 1)) == [0.0, 0.5, 1.0, 2.0]


def test_a_child_that_never_was_ready_is_not_restarted_at_once() -> None:
    """Ours: a server that cannot start must not be started in a hot loop."""
    assert delays((0, 0), (1, 0)) == [0.5, 0.5]


def test_a_child_that_served_is_restarted_at_once_and_its_deaths_still_count() -> None:
    """Ours: calls need not wait for a server that worked; a loop of deaths ends in quarantine."""
    record, found = DeathRecord(), []
    for now in range(6):
        life = Life(ready_for_s=0.5, answered=POLICY.proving_calls)
        verdict = after_death(POLICY, record, now=now, life=life, luck=0)
        record = verdict.record
        found.append((verdict.delay_s, verdict.quarantined))
    assert found == [(0.0, False)] * 5 + [(300.0, True)]


def test_sustained_uptime_clears_the_record() -> None:
    """Design 3.6: reset after sustained uptime."""
    assert delays((0, 1), (1, 1), (200, 60), (201, 1)) == [0.0, 0.5, 0.0, 0.5]


def test_delays_are_capped() -> None:
    """Ours."""
    policy = RestartPolicy(window_s=0.1)
    lives = [(float(n), 0.5) for n in range(40)]
    assert max(delays(*lives, policy=policy)) == 60.0


def test_more_deaths_than_allowed_within_the_window_mean_quarantine() -> None:
    """Design 3.6: a slow retry, never a final death."""
    record = DeathRecord()
    verdicts = []
    for n in range(7):
        verdict = after_death(POLICY, record, now=float(n), life=Life(0.5), luck=0)
        record = verdict.record
        verdicts.append((verdict.quarantined, verdict.delay_s))
    assert [quarantined for quarantined, _ in verdicts] == [False] * 5 + [True] * 2
    assert verdicts[-1][1] == 300.0


def test_quarantine_lasts_until_a_child_lives_again() -> None:
    """Design 3.6: deaths after slow retries are far apart and no new beginning."""
    record = DeathRecord(consecutive=9, recent=(0.0,), quarantined=True)
    verdict = after_death(POLICY, record, now=1000, life=Life(0.5), luck=0)
    assert (verdict.quarantined, verdict.delay_s) == (True, 300.0)
    verdict = after_death(POLICY, verdict.record, now=2000, life=Life(60), luck=0)
    assert (verdict.quarantined, verdict.delay_s) == (False, 0.0)


def test_deaths_that_are_spread_out_never_quarantine() -> None:
    """Ours: only deaths within the window count."""
    record = DeathRecord()
    for n in range(50):
        verdict = after_death(POLICY, record, now=n * 30.0, life=Life(20), luck=0)
        record = verdict.record
        assert not verdict.quarantined


@pytest.mark.parametrize(("luck", "delay"), [(-1, 0.4), (0, 0.5), (1, 0.6)])
def test_jitter_spreads_the_delay(luck: float, delay: float) -> None:
    """Ours."""
    record = DeathRecord(consecutive=1, recent=(0.0,))
    verdict = after_death(POLICY, record, now=1, life=Life(1), luck=luck)
    assert verdict.delay_s == pytest.approx(delay)
