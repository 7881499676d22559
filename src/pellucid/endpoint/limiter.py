"""How many requests may be open at each address: additive increase, multiplicative decrease.

An address starts with a few, gets one more for each answer until it first complains, and from then
on one more for each round of answers. A complaint (429, a timeout, a server error) halves it, once
for all requests that were open at that time. Retry-After is obeyed. An address that fails several
times in a row rests, longer each time, and is then tried with one request. Requests that were open
together fail together: that is one failure. Time is handed in, so that nothing here waits.
"""

from dataclasses import dataclass
from typing import Literal, final

Signal = Literal["ok", "full", "failed"]
"""Answered; too many requests; broken, slow or not there."""

UNHEALTHY = 3
"""Failures in a row after which an address rests."""
_LONGEST_REST_S = 60.0


@dataclass(slots=True)
class Lane:
    """One address."""

    url: str
    room: float
    """Requests that may be open."""
    open: int = 0
    not_before: float = 0.0
    failures: int = 0
    """In a row."""
    failed_at: float = -1.0
    halved_at: float = -1.0
    growing: bool = True
    """Nothing was refused yet: one more for each answer."""

    @property
    def healthy(self) -> bool:
        """Whether it did not fail several times in a row."""
        return self.failures < UNHEALTHY


@final
class Limiter:
    """Chooses an address for the next request."""

    def __init__(
        self, urls: tuple[str, ...], start: int, most: int, first_rest_s: float = 0.5
    ) -> None:
        self._most, self._first_rest_s = float(most), first_rest_s
        self.lanes = tuple(Lane(url, float(min(start, most))) for url in urls)

    def take(self, now: float) -> Lane | None:
        """The address with most room, which counts as used; None when no address has any."""
        free = [lane for lane in self.lanes if lane.not_before <= now and _left(lane) >= 1]
        if not free:
            return None
        lane = max(free, key=lambda lane: (lane.healthy, _left(lane)))
        lane.open += 1
        return lane

    def wait_s(self, now: float) -> float | None:
        """Seconds until a resting address with room wakes; None when only an answer makes room."""
        rests = [lane.not_before - now for lane in self.lanes if _left(lane) >= 1]
        waits = [rest for rest in rests if rest > 0]
        return min(waits) if waits else None

    def down(self, failures: int) -> bool:
        """Whether every address has failed so often in a row."""
        return all(lane.failures >= failures for lane in self.lanes)

    def done(
        self, lane: Lane, signal: Signal, sent_at: float, now: float, rest_s: float | None = None
    ) -> None:
        """A request has ended.

        Args:
            lane: its address.
            signal: how.
            sent_at: when it was sent; one that was open at the last halving says nothing new.
            now: the time.
            rest_s: what the endpoint asked to wait, in seconds.
        """
        lane.open -= 1
        if signal == "ok":
            lane.failures = 0
            lane.room = min(self._most, lane.room + (1.0 if lane.growing else 1.0 / lane.room))
            return
        if sent_at >= lane.halved_at:
            lane.room, lane.halved_at, lane.growing = max(1.0, lane.room / 2), now, False
        if signal == "failed" and sent_at >= lane.failed_at:
            lane.failures, lane.failed_at = lane.failures + 1, now
            if not lane.healthy:
                lane.room = 1.0
                rest = self._first_rest_s * 2 ** min(lane.failures - UNHEALTHY, 10)
                rest_s = max(rest_s or 0.0, min(rest, _LONGEST_REST_S))
        if rest_s:
            lane.not_before = max(lane.not_before, now + rest_s)


def _left(lane: Lane) -> float:
    return lane.room - lane.open
