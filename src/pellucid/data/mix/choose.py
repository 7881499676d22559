"""Which records an ingredient takes, given what the ones before it took.

Records come in the order of a seed; what is taken first does not depend on how many are, so equal
seeds choose nested records. What bounds a mix as a whole (a picture, a question, a cluster may be
in it so many times) is kept by counters that all ingredients share.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.data.mix.disk import Numbers
from pellucid.data.mix.labels import Labelled, labelled
from pellucid.data.mix.pool import PIECE, Pool, hashed, positions
from pellucid.data.mix.where import TAKEN, Reasons
from pellucid.recipe.mix import Mix, Take, Where
from pellucid.store.spill import Sorted, Sorter

NOT_BEST = "not the one that is kept of its cluster"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One ingredient before anything is taken: what can be said of each record by itself."""

    take: Take
    pool: Pool
    open: np.ndarray
    """Positions of the records that pass, in stable order."""
    think: np.ndarray
    """(records of the pool,) bool: the mode in which the record would be seen."""
    able: np.ndarray
    """(records of the pool,) bool: whether it can be seen thinking in this mix."""
    seed: int

    def ranked(self, at: np.ndarray) -> np.ndarray:
        """Positions in the order of the seed."""
        return self.pool.ranked(at, self.seed)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an ingredient took."""

    at: np.ndarray
    """Positions of the records, in stable order."""
    reasons: dict[str, np.ndarray] = field(default_factory=dict)
    """Positions of those left out because of what others took, by reason."""
    there: int = 0
    """How many could have been taken; where a cap stood in the way, how many were."""


@dataclass(frozen=True, slots=True)
class Cap:
    """Things of which a mix may hold so many: pictures, questions, clusters."""

    reason: str
    most: int
    things: dict[str, np.ndarray]
    """Of each source: the things of all its records one after the other, as small numbers; 0 for
    those that can never be too many."""
    first: Mapping[str, Sequence[int] | np.ndarray]
    """Of each source: (records + 1,) where each record's things begin."""
    count: int
    """Different numbers."""
    best: dict[str, np.ndarray] | None = None
    """Of each source: (records,) order of preference within a cluster, the smallest is kept. Where
    it is given each record has one thing, its cluster."""


@final
class Caps:
    """Counters of what the ingredients have taken so far."""

    def __init__(self, caps: Sequence[Cap]) -> None:
        self.caps = caps
        self._held = [np.zeros(cap.count, np.int32) for cap in caps]
        self._owner = [
            np.full(cap.count, -1, np.int64) if cap.best is not None else None for cap in caps
        ]

    def walk(
        self, source: str, offset: int, ranked: np.ndarray, most: Sequence[int], kind: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Take records in order while caps and quotas allow it.

        Args:
            source: whose positions these are.
            offset: that makes a position unique over sources.
            ranked: positions in the order in which they are offered.
            most: quota of each kind.
            kind: (records of the source,) kind of each, an index of `most`.

        Returns:
            Positions that were taken in the order offered, and those that a cap left out by reason.
        """
        left, taken = list(most), array("i")
        refused = {cap.reason: array("i") for cap in self.caps}
        for start in range(0, len(ranked), PIECE):
            if not any(left):
                break
            block = ranked[start : start + PIECE]
            for at, of in zip(block.tolist(), kind[block].tolist(), strict=True):
                reason = self._full(source, at, offset)
                if reason:
                    refused[reason].append(at)
                elif left[of]:
                    left[of] -= 1
                    taken.append(at)
                    self._count(source, at, offset)
                    if not any(left):
                        break
        found = {reason: np.frombuffer(at, np.int32) for reason, at in refused.items() if at}
        return np.frombuffer(taken, np.int32), found

    def _full(self, source: str, at: int, offset: int) -> str:
        for cap, held, owner in zip(self.caps, self._held, self._owner, strict=True):
            first = cap.first[source]
            for thing in cap.things[source][first[at] : first[at + 1]]:
                if (
                    thing
                    and held[thing] >= cap.most
                    and (owner is None or owner[thing] != offset + at)
                ):
                    return cap.reason
        return ""

    def _count(self, source: str, at: int, offset: int) -> None:
        for cap, held, owner in zip(self.caps, self._held, self._owner, strict=True):
            first = cap.first[source]
            for thing in set(cap.things[source][first[at] : first[at + 1]].tolist()) - {0}:
                held[thing] += 1
                if owner is not None:
                    owner[thing] = offset + at


@final
class Round:
    """One pass over the ingredients: what each takes, and what that leaves for the next."""

    def __init__(self, pools: dict[str, Pool], caps: Sequence[Cap]) -> None:
        self._caps = Caps(caps)
        self._offsets: dict[str, int] = {}
        for name, pool in pools.items():
            self._offsets[name] = sum(len(pools[one]) for one in self._offsets)
            assert pool.name == name, "a pool goes by its source's name"
        self._seen = {
            (name, mode): np.zeros(len(pool), bool)
            for name, pool in pools.items()
            for mode in (False, True)
        }

    def take(self, one: Ingredient, records: int | None, thinking: int = 0) -> Taken:
        """Let an ingredient take records.

        Args:
            one: the ingredient.
            records: how many; all there are when None. Fewer are taken where there are fewer.
            thinking: how many of them must be able to think, at least.
        """
        name = one.take.source
        seen = np.where(one.think, self._seen[name, True], self._seen[name, False])
        before = one.open[seen[one.open]]
        there = one.open[~seen[one.open]]
        reasons = {TAKEN: before} if len(before) else {}
        if self._caps.caps:
            taken = self._capped(one, there, records, thinking, reasons)
        else:
            taken = _first(one, there, records, thinking, reasons)
        for mode in (False, True):
            chosen = taken.at[one.think[taken.at] == mode]
            self._seen[name, mode][chosen] = True
        return taken

    def _capped(
        self,
        one: Ingredient,
        there: np.ndarray,
        records: int | None,
        thinking: int,
        reasons: dict[str, np.ndarray],
    ) -> Taken:
        name, ranked = one.take.source, one.ranked(there)
        for cap in self._caps.caps:
            if cap.best is not None:
                kept = best_of(cap.things[name], cap.best[name], ranked, cap.count)
                lost = ranked[~kept]
                reasons |= {f"{cap.reason}: {NOT_BEST}": lost} if len(lost) else {}
                ranked = ranked[kept]
        most = len(ranked) if records is None else records
        kind = np.zeros(len(one.pool), np.int8)
        quotas = [most]
        if thinking:
            kind, quotas = one.able.astype(np.int8), _quotas(one, ranked[:most], most, thinking)
        at, refused = self._caps.walk(name, self._offsets[name], ranked, quotas, kind)
        return Taken(np.sort(at), {**reasons, **refused}, len(at))


def _first(
    one: Ingredient,
    there: np.ndarray,
    records: int | None,
    thinking: int,
    reasons: dict[str, np.ndarray],
) -> Taken:
    """The first records in the order of the seed, so many of them able to think."""
    if records is None or records >= len(there):
        return Taken(there, reasons, len(there))
    ranked = one.ranked(there)
    at = ranked[:records]
    if thinking:
        able = one.able[ranked]
        others, thinkers = (max(0, most) for most in _quotas(one, at, records, thinking))
        first = positions(able)[:thinkers], positions(~able)[:others]
        at = ranked[np.concatenate(first)]
    return Taken(np.sort(at), reasons, len(there))


def _quotas(one: Ingredient, first: np.ndarray, records: int, thinking: int) -> list[int]:
    """Records that cannot and that can think: as they come, but so many thinkers at least."""
    thinkers = max(int(one.able[first].sum()), thinking)
    return [records - thinkers, thinkers]


def best_of(
    clusters: np.ndarray, preference: np.ndarray, offered: np.ndarray, count: int
) -> np.ndarray:
    """Which of the offered records are the best offered one of their cluster.

    Args:
        clusters: (records,) cluster of each record, under `count`; 0 for none.
        preference: (records,) int32, different within a cluster; the smallest is kept.
        offered: positions.
        count: of clusters.

    Returns:
        (offered,) bool.
    """
    best, kept = np.full(count, np.iinfo(np.int32).max, np.int32), np.empty(len(offered), bool)
    pieces = [slice(start, start + PIECE) for start in range(0, len(offered), PIECE)]
    for piece in pieces:
        at = offered[piece]
        np.minimum.at(best, clusters[at], preference[at])
    for piece in pieces:
        at = offered[piece]
        own = clusters[at]
        kept[piece] = (own == 0) | (preference[at] == best[own])
    return kept


def caps_of(mix: Mix, pools: dict[str, Pool]) -> list[Cap]:
    """Everything of which the mix as a whole may hold only so many.

    Raises:
        UserError: a label or column is not there.
    """
    found = []
    found += [_clusters(where, pools) for where in mix.where or () if where.keep]
    if mix.per_image is not None:
        things = {name: pool.content.images for name, pool in pools.items()}
        shown = {name: pool.content.first for name, pool in pools.items()}
        found.append(_cap(f"beyond {mix.per_image} of a picture", mix.per_image, things, shown))
    if mix.per_question is not None:
        things = {name: pool.content.questions for name, pool in pools.items()}
        first = {name: range(len(pool) + 1) for name, pool in pools.items()}
        text = f"beyond {mix.per_question} of a question"
        found.append(_cap(text, mix.per_question, things, first))
    return found


def _cap(
    reason: str,
    most: int,
    things: Mapping[str, Numbers],
    first: Mapping[str, Sequence[int] | np.ndarray],
) -> Cap:
    """A cap on things that go by hashes. All that are too few to be ever full are number 0."""
    sorter, spans, count = Sorter(2), dict[str, slice](), 0
    for name, one in things.items():
        for start, hashes in one.pieces():
            at = np.arange(count + start, count + start + len(hashes), dtype=np.uint64)
            sorter.add(np.stack([hashes, at], axis=1))
        spans[name] = slice(count, count + len(one))
        count += len(one)
    # One record may be there in both modes.
    codes, different = _codes(sorter.sorted(), count, most // 2)
    return Cap(reason, most, {name: codes[span] for name, span in spans.items()}, first, different)


def _codes(found: Sorted, count: int, few: int) -> tuple[np.ndarray, int]:
    """Things that go by hashes as small numbers, and how many of those there are.

    Args:
        found: (things, 2): hash and place of each.
        count: of places; what is not in `found` is number 0.
        few: a hash that no more things than these have is number 0 as well.
    """
    many = _more_than(few, found)
    different = int(np.count_nonzero(many)) + 1
    codes = np.zeros(count, np.min_scalar_type(different))
    group, last = 0, None
    for rows in found.blocks():
        hashes, which = np.unique(rows[:, 0], return_inverse=True)
        group -= int(hashes[0] == last)
        own = many[group : group + len(hashes)]
        numbers = np.where(own, np.count_nonzero(many[:group]) + np.cumsum(own), 0)
        codes[rows[:, 1].astype(np.int64)] = numbers[which]
        group, last = group + len(hashes), hashes[-1]
    return codes, different


def _more_than(most: int, found: Sorted) -> np.ndarray:
    """(different first words,) bool: whether more rows than `most` have it."""
    many, last, held = bytearray(), None, 0
    for rows in found.blocks():
        words, counts = np.unique(rows[:, 0], return_counts=True)
        if words[0] == last:
            counts[0] += held
            many.pop()
        many += (counts > most).tobytes()
        last, held = words[-1], counts[-1]
    return np.frombuffer(many, bool)


def _clusters(where: Where, pools: dict[str, Pool]) -> Cap:
    """One record of each value of a label column. A value that one record has is number 0."""
    sorter, spans, told, count = Sorter(2), dict[str, slice](), dict[str, Labelled](), 0
    names = [where.column, *([where.best] if where.best else [])]
    for name, pool in pools.items():
        told[name] = labelled(pool, where, names)
        for at, (values,) in told[name].columns([where.column]):
            has = np.flatnonzero(np.asarray(pc.is_valid(values)))
            texts = values.cast(pa.string()).take(pa.array(has)).to_pylist()
            hashes = np.frombuffer(b"".join(hashed(one, 8) for one in texts), np.uint64)
            sorter.add(np.stack([hashes, (at[has] + count).astype(np.uint64)], axis=1))
        spans[name] = slice(count, count + len(pool))
        count += len(pool)
    codes, different = _codes(sorter.sorted(), count, 1)
    things = {name: codes[span] for name, span in spans.items()}
    best = {name: pool.ids.ranks() for name, pool in pools.items()}
    if where.best is not None:
        for name, own in told.items():
            best[name] = _largest(own, where.best, things[name] > 0, best[name])
    reason = f"label {where.label}: another of its {where.column}"
    first = {name: range(len(pool) + 1) for name, pool in pools.items()}
    return Cap(reason, 1, things, first, different, best)


def _largest(label: Labelled, name: str, asked: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """(records,) int32: places by a column's value, the largest first and nulls last, ties by
    another place. Only of the records that are asked for.
    """
    at, place = positions(asked), np.zeros(len(asked), np.int32)
    rows, found = [np.zeros(0, np.int64)], []
    for here, (values,) in label.columns([name]):
        some = np.flatnonzero(asked[here])
        rows.append(at.searchsorted(here[some]))
        found.append(values.take(pa.array(some)))
    if not found:
        place[at] = ties[at]
        return place
    of = np.full(len(at), -1, np.int64)
    of[np.concatenate(rows)] = np.arange(sum(map(len, found)))
    values = pa.chunked_array(found).take(pa.array(of, mask=of < 0))
    keys: Any = [("value", "descending"), ("tie", "ascending")]
    order = np.asarray(pc.sort_indices(pa.table({"value": values, "tie": ties[at]}), keys))
    place[at[order]] = np.arange(len(order))
    return place


def leave_out(reasons: Reasons, taken: Taken, beyond: str) -> None:
    """Write down why the others were not taken."""
    for reason, at in taken.reasons.items():
        reasons.mark(at, reason)
    rest = np.ones(len(reasons.codes), bool)
    rest[taken.at] = False
    reasons.mark(rest, beyond)
