"""Room and money by hand arithmetic; time is handed in."""

from pellucid.endpoint import Bound, Limits, Spent
from pellucid.endpoint.budget import Budget
from pellucid.endpoint.limiter import UNHEALTHY, Limiter


def test_room_doubles_at_first_is_halved_once_and_then_grows_by_one_a_round() -> None:
    limiter = Limiter(("a",), 2, 100)
    (lane,) = limiter.lanes
    for _ in range(2):
        assert limiter.take(0.0) is lane
    assert limiter.take(0.0) is None, "two at the start"
    for _ in range(2):
        limiter.done(lane, "ok", 0.0, 1.0)
    assert lane.room == 4.0
    for _ in range(4):
        limiter.take(1.0)
    # All four were open together: they are full once.
    for _ in range(4):
        limiter.done(lane, "full", 1.0, 2.0)
    assert lane.room == 2.0
    for _ in range(2):
        limiter.take(3.0)
    for _ in range(2):
        limiter.done(lane, "ok", 3.0, 4.0)
    assert lane.room == 2.0 + 1 / 2 + 1 / 2.5
    limiter.take(5.0)
    limiter.done(lane, "full", 5.0, 6.0)
    assert lane.room == (2.0 + 1 / 2 + 1 / 2.5) / 2
    for at in range(7, 20):
        limiter.take(float(at))
        limiter.done(lane, "full", float(at), at + 0.5)
    assert lane.room == 1.0, "never less than one"


def test_room_never_passes_the_most() -> None:
    limiter = Limiter(("a",), 50, 3)
    (lane,) = limiter.lanes
    for at in range(20):
        limiter.take(float(at))
        limiter.done(lane, "ok", float(at), at + 0.5)
    assert lane.room == 3.0


def test_retry_after_rests_one_address_and_leaves_the_other() -> None:
    limiter = Limiter(("a", "b"), 2, 10)
    first = limiter.take(0.0)
    assert first
    limiter.done(first, "full", 0.0, 1.0, rest_s=30.0)
    for _ in range(2):
        other = limiter.take(1.0)
        assert other and other is not first
    assert limiter.take(1.0) is None and limiter.wait_s(1.0) == 30.0
    assert limiter.take(31.0) is first


def test_failures_that_were_open_together_are_one() -> None:
    limiter = Limiter(("a",), 64, 64, first_rest_s=1.0)
    (lane,) = limiter.lanes
    for _ in range(64):
        limiter.take(0.0)
    for number in range(64):
        limiter.done(lane, "failed", 0.0, 1.0 + number / 100)
    assert lane.failures == 1 and lane.healthy and not limiter.down(2)
    at = 10.0
    for failures in range(2, 8):
        assert limiter.take(at) is lane
        limiter.done(lane, "failed", at, at)
        assert limiter.down(failures) and not limiter.down(failures + 1)
        if failures >= UNHEALTHY:
            rest = 2.0 ** (failures - UNHEALTHY)
            assert limiter.take(at + rest * 0.99) is None, "longer each time"
            at += rest
        else:
            at += 1.0
    limiter.take(at)
    assert limiter.take(at) is None, "tried with one request"
    limiter.done(lane, "ok", at, at + 1)
    assert lane.healthy and lane.failures == 0


def test_what_is_in_flight_counts_at_its_most() -> None:
    budget = Budget(Limits(tokens=100, money=1.0), Spent(3, 40, 0.25))
    assert budget.reserve(Bound(50, 0.5)) and not budget.reserve(Bound(20, 0.1))
    budget.settle(Bound(50, 0.5), Bound(10, 0.125))
    assert budget.spent == Spent(4, 50, 0.375)
    assert budget.reserve(Bound(50, 0.5)) and not budget.reserve(Bound(0, 0.25))
