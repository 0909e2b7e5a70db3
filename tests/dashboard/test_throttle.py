"""The throttle alone, on a clock that a test moves."""

from gateway.dashboard.throttle import (
    FIRST_WAIT_S,
    FORGET_S,
    FREE_FAILURES,
    MAX_KEYS,
    MAX_WAIT_S,
    Throttle,
    wait_s,
)
from tests.dashboard.parts import Clock


def guess(throttle: Throttle, address: str, times: int = 1, *, known: bool = False) -> int:
    """Return how many of these tries were let through to a hash."""
    return sum(throttle.admit(address, known=known) == 0.0 for _ in range(times))


def test_waits_double_up_to_their_bound() -> None:
    """Ours: exponential, and never a lock for good."""
    waits = [wait_s(FREE_FAILURES + n, 0.0) for n in range(1, 13)]
    assert waits[:4] == [FIRST_WAIT_S, 2.0, 4.0, 8.0]
    assert waits[-1] == MAX_WAIT_S
    assert wait_s(10**6, 10**6) == MAX_WAIT_S


def test_a_flood_from_one_address_is_hashed_a_few_times() -> None:
    """Issue 6, Shows: an hour of 100 a second."""
    clock = Clock()
    throttle = Throttle(clock)
    let_through = 0
    for _ in range(3600):
        let_through += guess(throttle, "192.0.2.1", 100)
        clock.now_s += 1.0
    assert let_through < FREE_FAILURES + 16


def test_a_flood_from_everywhere_costs_an_address_per_guess() -> None:
    """Issue 6, Shows, by account: and a new address is never kept waiting."""
    clock = Clock()
    throttle = Throttle(clock)
    guess(throttle, "first", 5)
    for n in range(300):
        assert guess(throttle, f"address {n}", 10) <= FREE_FAILURES + 1
        clock.now_s += 0.1
    assert guess(throttle, "address 400", 10) == 1
    clock.now_s += MAX_WAIT_S - 1
    assert guess(throttle, "address 400") == 0
    assert throttle.admit("the owner's", known=False) == 0.0


def test_an_attack_is_forgotten() -> None:
    """Ours: two hours later a slip of the keyboard is one again."""
    clock = Clock()
    throttle = Throttle(clock)
    for n in range(1000):
        throttle.admit(str(n), known=False)
    clock.now_s += 2 * FORGET_S
    assert guess(throttle, "0", 20) == FREE_FAILURES + 1


def test_success_clears_its_own_failures() -> None:
    """Ours: and does not count as one."""
    throttle = Throttle(Clock())
    for _ in range(1000):
        assert throttle.admit("192.0.2.1", known=False) == 0.0
        throttle.succeeded("192.0.2.1")


def test_a_known_browser_waits_for_its_own_failures() -> None:
    """Ours: its cookie may be stolen too."""
    clock = Clock()
    throttle = Throttle(clock)
    for n in range(1000):
        throttle.admit(str(n), known=False)
    assert guess(throttle, "browser x", 100, known=True) == FREE_FAILURES + 1


def test_one_page_cannot_be_used_from_everywhere() -> None:
    """Ours: who guesses from many addresses has to load a page for every few guesses."""
    throttle = Throttle(Clock())
    tries = [throttle.admit(f"address {n}", "page", known=False) == 0.0 for n in range(100)]
    assert sum(tries) == FREE_FAILURES + 1
    assert throttle.admit("address 99", "another page", known=False) == 0.0


def test_the_table_is_bounded() -> None:
    """Ours: more addresses than that cost no more memory."""
    throttle = Throttle(Clock())
    for n in range(MAX_KEYS + 500):
        throttle.admit(str(n), known=False)
    assert len(throttle._keys) == MAX_KEYS  # pyright: ignore[reportPrivateUsage] - nobody else may know
