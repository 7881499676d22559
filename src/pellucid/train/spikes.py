"""Steps whose loss stands out: how far above what the steps before had, in robust deviations.

The loss of step t is held against the median of up to `PAST` losses before it; a deviation is
1.4826 times their median distance from it (for normal noise, one standard deviation). What is said
of a step depends on the log alone, so a run that was killed says the same. Leaves out on purpose:
doing anything about it.
"""

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import final

PAST = 50
"""Steps that a loss is held against."""
FEWEST = 20
"""Before so many there is nothing to hold it against."""
SPIKE = 6.0
"""Deviations from which on a step is called a spike."""
_NORMAL = 1.4826


@final
class Spikes:
    """Watches losses, one after the other."""

    def __init__(self, losses: Iterable[float] = ()) -> None:
        """Begin after some losses."""
        self._past = deque(losses, maxlen=PAST)

    @classmethod
    def after(cls, log: Path, size: int) -> "Spikes":
        """Begin after the lines in the first `size` bytes of a log."""
        if not size:
            return cls()
        with log.open("rb") as file:
            lines = file.read(size).splitlines()[-PAST:]
        return cls(json.loads(line)["loss"] for line in lines)

    def seen(self, loss: float) -> float | None:
        """How many deviations above the median a loss stands, if it is a spike; remember it.

        >>> spikes = Spikes([2.0, 2.1] * 15)
        >>> spikes.seen(2.2), round(spikes.seen(4.05), 2)
        (None, 13.15)
        """
        past, found = list(self._past), None
        self._past.append(loss)
        if len(past) >= FEWEST:
            middle = median(past)
            spread = _NORMAL * median(abs(one - middle) for one in past)
            if spread > 0 and loss > middle + SPIKE * spread:
                found = (loss - middle) / spread
        return found
