"""The share of thinking: which records that can be seen in either mode are switched.

Leaves out on purpose: which records are taken at all (`solve.py` leans towards those that can
think where switching alone cannot reach the share).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix.pool import PIECE
from pellucid.recipe.mix import Mix
from pellucid.store.spill import Sorted


@dataclass(frozen=True, slots=True)
class Picks:
    """What a mix holds, ingredient by ingredient, each in stable order."""

    take: np.ndarray
    """(rows,) unsigned: index of the ingredient; ascends."""
    at: np.ndarray
    """(rows,) int32: position in its pool."""
    repeat: np.ndarray
    """(rows,) int32: how often it is seen per epoch."""
    think: np.ndarray
    """(rows,) bool: whether it is seen thinking."""
    free: np.ndarray
    """(rows,) bool: whether it may be switched to the other mode."""
    weights: np.ndarray | None = None
    """(2, rows) int32: tokens that are learnt when seen without thinking, and with it."""


def span_of(picks: Picks, take: int) -> slice:
    """The rows of an ingredient."""
    first, after = np.searchsorted(picks.take, [take, take + 1])
    return slice(int(first), int(after))


def rows_of(mix: Mix, take: np.ndarray, source: str) -> np.ndarray:
    """Positions of the rows that a source gave, from the ingredient of each row."""
    named = np.array([one.source == source for one in mix.take])
    return np.flatnonzero(named[take])


class Reach(NamedTuple):
    """What switching can come to."""

    low: float
    high: float


def reach(picks: Picks) -> Reach:
    """The least and the largest share that switching can give."""
    thinks, direct = [0, 0], [0, 0]  # of those that cannot be switched, and of those that can
    for piece, weights in _weights(picks):
        free, think = picks.free[piece], picks.think[piece]
        thinks[0] += int(weights[1][~free & think].sum())
        thinks[1] += int(weights[1][free].sum())
        direct[0] += int(weights[0][~free & ~think].sum())
        direct[1] += int(weights[0][free].sum())
    low = _ratio(thinks[0], thinks[0] + direct[0] + direct[1])
    return Reach(low, _ratio(thinks[0] + thinks[1], thinks[0] + thinks[1] + direct[0]))


def reached(share: float, picks: Picks) -> bool:
    """Whether switching can meet a share; of records to the nearest whole number."""
    found = reach(picks)
    if picks.weights is not None:
        return found.low <= share <= found.high
    total = int(picks.repeat.sum())
    return round(found.low * total) <= round(share * total) <= round(found.high * total)


def switched(name: str, mix: Mix, picks: Picks, in_turn: Callable[[Picks], Sorted]) -> Picks:
    """The picks with as many of them switched as the share asks.

    With repeats above 1 a share of records is met to within half the largest repeat; one of tokens
    to within half of what the last switched record weighs.

    Args:
        name: of the mix.
        mix: the query.
        picks: what it holds.
        in_turn: gives (free rows, 2): the rows that may be switched, second, in their order.

    Raises:
        UserError: the share cannot be met; the message names the nearest that can.
    """
    assert mix.think_share is not None, "no share is asked for"
    if not reached(mix.think_share, picks):
        low, high = reach(picks)
        nearest = low if mix.think_share < low else high
        rule = f"cannot be met: these records allow {low:.4f} to {high:.4f}"
        fix = f"set {nearest:.4f}, or take other records"
        raise UserError(Problem(f"data.mixes.{name}.think_share", mix.think_share, rule, fix))
    think = picks.think.copy()
    turn = _by_records if picks.weights is None else _by_tokens
    for turned in turn(mix.think_share, picks, in_turn(picks)):
        think[turned] = ~think[turned]
    return replace(picks, think=think)


def _by_records(share: float, picks: Picks, free: Sorted) -> Iterator[np.ndarray]:
    """Rows to switch: each in turn where that brings the number of thinkers nearer."""
    target = round(share * int(picks.repeat.sum()))
    now = int(picks.repeat[picks.think].sum())
    for block in _rows(free):
        if now == target:
            break
        turned: list[int] = []
        told = zip(picks.repeat[block].tolist(), picks.think[block].tolist(), strict=True)
        for at, (repeat, thinks) in enumerate(told):
            after = now - repeat if thinks else now + repeat
            if abs(after - target) < abs(now - target):
                now = after
                turned.append(at)
        yield block[turned]


def _by_tokens(share: float, picks: Picks, free: Sorted) -> Iterator[np.ndarray]:
    """Rows to switch: the first ones that change the share in the right direction."""
    thinks, direct = _learnt(picks)
    up = _ratio(thinks, thinks + direct) < share
    sign = 1 if up else -1
    best, nearest, seen = 0, abs(thinks / max(thinks + direct, 1) - share), 0
    for able in _able(free, picks, up):
        of = picks.repeat[able].astype(np.int64)
        assert picks.weights is not None, "tokens are counted"
        more = thinks + sign * np.cumsum(picks.weights[1][able] * of)
        less = direct - sign * np.cumsum(picks.weights[0][able] * of)
        off = np.abs(more / np.maximum(more + less, 1) - share)
        at = int(off.argmin())
        if off[at] < nearest:
            best, nearest = seen + at + 1, off[at]
        seen, thinks, direct = seen + len(able), int(more[-1]), int(less[-1])
    for able in _able(free, picks, up):
        yield able[:best]
        best = max(0, best - len(able))


def _able(free: Sorted, picks: Picks, up: bool) -> Iterator[np.ndarray]:
    """Rows that change the share in one direction, in turn, some at a time."""
    for block in _rows(free):
        able = block[picks.think[block] != up]
        if len(able):
            yield able


def _rows(free: Sorted) -> Iterator[np.ndarray]:
    return (block[:, 1].astype(np.int64) for block in free.blocks())


def _learnt(picks: Picks) -> tuple[int, int]:
    """What is seen thinking and what is not."""
    thinks = direct = 0
    for piece, weights in _weights(picks):
        think = picks.think[piece]
        thinks += int(weights[1][think].sum())
        direct += int(weights[0][~think].sum())
    return thinks, direct


def _weights(picks: Picks) -> Iterator[tuple[slice, np.ndarray]]:
    """(2, some rows) int64: what a row counts without and with thinking, repeats included."""
    for start in range(0, len(picks.at), PIECE):
        piece = slice(start, start + PIECE)
        repeat = picks.repeat[piece].astype(np.int64)
        if picks.weights is None:
            yield piece, np.stack([repeat, repeat])
        else:
            yield piece, picks.weights[:, piece] * repeat


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0
