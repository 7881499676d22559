"""How far a person and the signals agree on the records that both looked at.

Cohen's kappa for each fault (seen, not seen) and for any fault, with a jackknife interval, and a
table of what each of the two named first. From label files alone. Leaves out on purpose: who is
right.

Source: Cohen 1960, doi:10.1177/001316446002000104.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.interval import Z95
from pellucid.data.triage.run import Triage, read_classes
from pellucid.recipe.triage import CLASSES, SET_CLASSES

ANY = "any fault"


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement on one question: does this record have this fault?"""

    name: str
    both: int
    """Records."""
    only_person: int
    only_signals: int
    neither: int
    kappa: float | None
    """None where one of the two gave all records the same answer."""
    low: float | None
    high: float | None
    """A 95 % interval; None where leaving out one record leaves kappa undefined."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A person and the signals."""

    reviewer: str
    n: int
    rows: tuple[Kappa, ...]
    names: tuple[str, ...]
    confusion: Mapping[tuple[str, str], int]
    """(first class of the person, first class of the signals) -> records."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        table = {
            row: {column: self.confusion[row, column] for column in self.names}
            for row in self.names
        }
        faults = [asdict(row) for row in self.rows]
        return {"reviewer": self.reviewer, "n": self.n, "faults": faults, "confusion": table}


def kappa(both: int, only_a: int, only_b: int, neither: int) -> float | None:
    """Cohen's kappa of a table of two by two, or None where chance alone would always agree.

    >>> kappa(20, 5, 10, 15)
    0.4
    >>> kappa(50, 0, 0, 0) is None
    True
    """
    n = both + only_a + only_b + neither
    if not n:
        return None
    a, b = both + only_a, both + only_b
    chance = (a * b + (n - a) * (n - b)) / (n * n)
    if a in (0, n) or b in (0, n):
        return None
    return round(((both + neither) / n - chance) / (1 - chance), 12)


def interval(cells: Sequence[int]) -> tuple[float, float] | None:
    """A jackknife interval of kappa, one record left out at a time."""
    n, whole = sum(cells), kappa(*cells)
    if whole is None or n < 3:
        return None
    without = []
    for at, count in enumerate(cells):
        if count:
            left = kappa(*(one - (at == place) for place, one in enumerate(cells)))
            if left is None:
                return None
            without.append((left, count))
    mean = sum(value * count for value, count in without) / n
    variance = (n - 1) / n * sum(count * (value - mean) ** 2 for value, count in without)
    half = Z95 * math.sqrt(variance)
    return max(-1.0, whole - half), min(1.0, whole + half)


def agreement(
    reviewer: str, person: Mapping[str, Sequence[str]], signals: Mapping[str, Sequence[str]]
) -> Agreement:
    """Compare two sets of labels on the records that both have.

    Args:
        reviewer: the person's name.
        person: record id -> faults that the person saw.
        signals: record id -> faults that the signals suspect.

    Raises:
        UserError: there is no record that both looked at.
    """
    shared = sorted(set(person) & set(signals))
    if not shared:
        fix = "review and triage the same sources with the same policy and seed"
        raise UserError(Problem("--agreement", reviewer, "judged no record of the sample", fix))
    rows = [_row(ANY, [(bool(person[id]), bool(signals[id])) for id in shared])]
    rows += [
        _row(name, [(name in person[id], name in signals[id]) for id in shared]) for name in CLASSES
    ]
    pairs = [(row, column) for row in SET_CLASSES for column in SET_CLASSES]
    confusion: dict[tuple[str, str], int] = dict.fromkeys(pairs, 0)
    for id in shared:
        confusion[_first(person[id]), _first(signals[id])] += 1
    return Agreement(reviewer, len(shared), tuple(rows), SET_CLASSES, confusion)


def compare(
    folder: Path,
    found: Triage,
    reviewer: str,
    judged: Mapping[str, Sequence[str]],
) -> Agreement:
    """Agreement of a person with the signals that a triage wrote.

    Raises:
        UserError: the triage was a person's, or shares no record with this one's.
    """
    if "labels" not in found.files:
        fix = "leave --reviewer out"
        raise UserError(Problem("--agreement", reviewer, "compares with the signals", fix))
    return agreement(reviewer, judged, read_classes(folder, found.files["labels"].stem))


def _row(name: str, pairs: Sequence[tuple[bool, bool]]) -> Kappa:
    both, only_a, only_b, neither = (
        sum(pair == wanted for pair in pairs)
        for wanted in ((True, True), (True, False), (False, True), (False, False))
    )
    bounds = interval((both, only_a, only_b, neither))
    low, high = bounds if bounds else (None, None)
    found = kappa(both, only_a, only_b, neither)
    return Kappa(name, both, only_a, only_b, neither, found, low, high)


def _first(classes: Sequence[str]) -> str:
    return classes[0] if classes else "excellent"
