"""The query as a whole: shares, counts, caps and the share of thinking, solved together.

Ingredients take one after the other, each from what the ones before it leave. The largest total is
searched for with all of that in it: what a larger total takes holds what a smaller one takes, so
what fits is everything up to a bound.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix import allocate, share
from pellucid.data.mix.choose import Cap, Ingredient, Round, Taken
from pellucid.data.mix.pool import PIECE, Pool
from pellucid.data.mix.share import Picks, span_of
from pellucid.data.mix.tokens import Tokens
from pellucid.data.mix.where import Reasons
from pellucid.recipe.mix import Mix
from pellucid.store.spill import Sorted, Sorter


@final
class Query:
    """A mix over ingredients of which all is known but what each takes."""

    def __init__(
        self,
        name: str,
        mix: Mix,
        pools: dict[str, Pool],
        ingredients: Sequence[Ingredient],
        caps: Sequence[Cap],
        tokens: dict[str, Tokens] | None,
        seed: int,
    ) -> None:
        """A query.

        Args:
            name: of the mix.
            mix: what is asked.
            pools: its sources.
            ingredients: in the mix's order.
            caps: of the mix as a whole.
            tokens: of every record, where the query counts them.
            seed: of the switches of modes.
        """
        self.name, self.mix = name, mix
        self._pools, self._ingredients, self._caps = pools, ingredients, caps
        self._tokens, self._seed = tokens, seed

    def solve(self, reasons: Sequence[Reasons]) -> tuple[list[Taken], Picks]:
        """What each ingredient takes, and what that comes to.

        Args:
            reasons: of the ingredients, for messages.

        Raises:
            UserError: it cannot be met; the message names the nearest that can.
        """
        total = self._total()
        taken = self.run(total)
        self._refuse(total, taken, reasons)
        picks = self._picks(total, taken)
        if self.mix.think_share is None:
            return taken, picks
        if not share.reached(self.mix.think_share, picks):
            taken = self._leaning(total, taken)
            picks = self._picks(total, taken)
        return taken, share.switched(self.name, self.mix, picks, self._in_turn)

    def run(self, total: int | None, thinking: Sequence[int] = ()) -> list[Taken]:
        """Let every ingredient take what a total asks of it.

        Args:
            total: seen per epoch; None without shares.
            thinking: records of each ingredient that must be able to think, at least.
        """
        round_ = Round(self._pools, self._caps)
        wanted = self._wanted(total)
        return [
            round_.take(one, wanted[at], thinking[at] if thinking else 0)
            for at, one in enumerate(self._ingredients)
        ]

    def _wanted(self, total: int | None) -> list[int | None]:
        """Records asked of each ingredient; None for all there are."""
        seen = {} if total is None else allocate.seen_by_share(self.mix, total)
        return [
            allocate.target(take, seen[at], 2**62).records if at in seen else take.count
            for at, take in enumerate(self.mix.take)
        ]

    def _total(self) -> int | None:
        if not allocate.shares(self.mix):
            return None
        total = allocate.total_of(self.name, self.mix)
        return self._largest() if total is None else total

    def _largest(self) -> int:
        """The largest total that can be met."""
        there = {at: len(self._ingredients[at].open) for at in allocate.shares(self.mix)}
        most = allocate.most_of(self.mix, there)
        least = max(1, allocate.fixed(self.mix))
        return most if self._fits(most) else max(least, allocate.largest(self._fits, most))

    def _fits(self, total: int) -> bool:
        return total >= allocate.fixed(self.mix) and not self._short(total, self.run(total))

    def _short(self, total: int, taken: Sequence[Taken]) -> dict[int, int]:
        """Ingredients that cannot show what the total asks: index -> records there are."""
        seen = allocate.seen_by_share(self.mix, total)
        return {
            at: len(taken[at].at)
            for at in seen
            if seen[at] > allocate.room(self.mix.take[at], len(taken[at].at))
        }

    def _refuse(
        self, total: int | None, taken: Sequence[Taken], reasons: Sequence[Reasons]
    ) -> None:
        for at, seen in allocate.seen_by_share(self.mix, total).items() if total else ():
            if not seen and len(self._ingredients[at].open):
                here = f"data.mixes.{self.name}.take.{at}.share"
                rule = f"comes to no record of a total of {total}"
                fix = "raise it, or let what bounds the total repeat (max_repeat)"
                raise UserError(Problem(here, self.mix.take[at].share, rule, fix))
        for at, (take, one) in enumerate(zip(self.mix.take, taken, strict=True)):
            here = f"data.mixes.{self.name}.take.{at}"
            if not one.there:
                raise _nothing(here, take.source, one, reasons[at])
            _refuse_silent(here, self._ingredients[at], one)
            if take.count is not None and len(one.at) < take.count:
                raise allocate.too_many(here, take.count, one.there)
        if total is not None and (short := self._short(total, taken)):
            nearest = self._largest()
            raise allocate.beyond(self.name, self.mix, total, short, nearest)

    def _picks(self, total: int | None, taken: Sequence[Taken]) -> Picks:
        """What the ingredients took, as rows of the mix."""
        seen = {} if total is None else allocate.seen_by_share(self.mix, total)
        counts = [len(got.at) for got in taken]
        count = sum(counts)
        picks = Picks(
            take=np.repeat(np.arange(len(counts), dtype=np.min_scalar_type(len(counts))), counts),
            at=np.empty(count, np.int32),
            repeat=np.empty(count, np.int32),
            think=np.empty(count, bool),
            free=np.empty(count, bool),
        )
        for at, (one, got) in enumerate(self._both(taken)):
            span = span_of(picks, at)
            told = allocate.counted(one.take, counts[at]).seen
            picks.at[span] = got.at
            picks.repeat[span] = _repeats(one, got, seen.get(at, told))
            picks.think[span] = one.think[got.at]
            picks.free[span] = one.able[got.at] & (one.take.mode == "as_is")
        return self._weighed(self._once(picks))

    def _once(self, picks: Picks) -> Picks:
        """Rows whose record is in the mix in the other mode as well cannot be switched."""
        for name, pool in self._pools.items():
            spans = [span_of(picks, at) for at in self._takes_of(name)]
            both, in_mode = np.ones(len(pool), bool), np.empty(len(pool), bool)
            for mode in (False, True):
                in_mode[:] = False
                for span in spans:
                    in_mode[picks.at[span][picks.think[span] == mode]] = True
                both &= in_mode
            for span in spans:
                picks.free[span] &= ~both[picks.at[span]]
        return picks

    def _takes_of(self, source: str) -> list[int]:
        return [at for at, take in enumerate(self.mix.take) if take.source == source]

    def _in_turn(self, picks: Picks) -> Sorted:
        """Rows that may be switched, by the hash of their record: (rows, 2), hash and row."""
        sorter = Sorter(2)
        for at, one in enumerate(self._ingredients):
            span = span_of(picks, at)
            row, places = span.start, picks.at[span]
            for hashes in one.pool.hashes(self._seed).take(places):
                free = np.flatnonzero(picks.free[row : row + len(hashes)])
                sorter.add(
                    np.stack([hashes[free] << np.uint64(1), (row + free).astype(np.uint64)], axis=1)
                )
                row += len(hashes)
        return sorter.sorted()

    def ranks(self, picks: Picks) -> np.ndarray:
        """(rows,) uint64: the hash by which rows are ordered; zeros where none are switched."""
        found = np.zeros(len(picks.at), np.uint64)
        for at, one in enumerate(self._ingredients if self.mix.think_share is not None else ()):
            span = span_of(picks, at)
            row = span.start
            for hashes in one.pool.hashes(self._seed).take(picks.at[span]):
                found[row : row + len(hashes)] = hashes
                row += len(hashes)
        return found

    def _weighed(self, picks: Picks) -> Picks:
        if self._tokens is None or self.mix.think_share_of != "tokens":
            return picks
        weights = np.zeros((2, len(picks.at)), np.int32)
        for name, tokens in self._tokens.items():
            for span in (span_of(picks, at) for at in self._takes_of(name)):
                for mode in (0, 1):
                    weights[mode, span] = tokens.supervised[mode, picks.at[span]]
        return replace(picks, weights=weights)

    def _leaning(self, total: int | None, taken: Sequence[Taken]) -> list[Taken]:
        """Take as few more records that can think as the share needs; the most that is found, else.

        Without them the share of thinking is too low; it is never lowered by taking others, as
        whatever can think by choice can also answer directly. No ingredient may come short by it.
        """
        wanted = self.mix.think_share or 0
        able = [int(one.able[got.at].sum()) for one, got in self._both(taken)]
        slack = [
            max(0, min(len(got.at) - have, int(one.able[one.open].sum()) - have))
            for (one, got), have in zip(self._both(taken), able, strict=True)
        ]

        def thinking(extra: int) -> list[int]:
            dealt = allocate.deal(extra, [float(one) for one in slack])
            return [have + more for have, more in zip(able, dealt, strict=True)]

        def high(run: Sequence[Taken]) -> float:
            return share.reach(self._picks(total, run)).high

        best, low, most = list(taken), 0, sum(slack)
        while low < most:
            middle = (low + most) // 2
            run = self.run(total, thinking(middle))
            whole = all(len(a.at) == len(b.at) for a, b in zip(run, taken, strict=True))
            if whole and high(run) > high(best):
                best = run
            enough = whole and share.reached(wanted, self._picks(total, run))
            low, most = (low, middle) if enough else (middle + 1, most)
        last = self.run(total, thinking(low))
        whole = all(len(a.at) == len(b.at) for a, b in zip(last, taken, strict=True))
        met = share.reached(wanted, self._picks(total, last)) or high(last) >= high(best)
        return last if whole and met else best

    def _both(self, taken: Sequence[Taken]) -> list[tuple[Ingredient, Taken]]:
        return list(zip(self._ingredients, taken, strict=True))


def _repeats(one: Ingredient, taken: Taken, seen: int) -> np.ndarray:
    """How often each record is seen: evenly, and once more for those that come first by seed."""
    if not len(taken.at):
        return np.zeros(0, np.int32)
    each, more = divmod(seen, len(taken.at))
    repeat = np.full(len(taken.at), each, np.int32)
    ranked = one.ranked(taken.at)[:more] if more else taken.at[:0]
    for start in range(0, more, PIECE):
        repeat[np.searchsorted(taken.at, ranked[start : start + PIECE])] += 1
    return repeat


def _nothing(at: str, source: str, taken: Taken, reasons: Reasons) -> UserError:
    """An ingredient that matches no record, with what stood in the way most."""
    for reason, lost in taken.reasons.items():
        reasons.mark(lost, reason)
    counts = sorted(reasons.counts().items(), key=lambda pair: -pair[1])[:3]
    fix = "check the split and the tasks; left out: " + (str(dict(counts)) if counts else "nothing")
    return UserError(Problem(at, source, "matches no record", fix))


def _refuse_silent(at: str, one: Ingredient, taken: Taken) -> None:
    """Refuse to let records think that have no reasoning.

    Raises:
        UserError: such records match.
    """
    if one.take.mode != "think":
        return
    there = np.setdiff1d(one.open, np.concatenate([np.zeros(0, np.int64), *taken.reasons.values()]))
    silent = ~one.pool.can_think[there]
    if not silent.any():
        return
    tasks = one.pool.task
    named = {tasks.values[code] for code in np.unique(tasks.codes[there])}
    lacking = {tasks.values[code] for code in np.unique(tasks.codes[there[silent]])}
    rule = f"needs reasoning, which {int(silent.sum())} of {len(there)} records lack"
    able = sorted(named - lacking)
    fix = f"name only tasks that have it: {', '.join(able)}" if able else "use as_is"
    raise UserError(Problem(f"{at}.mode", one.take.mode, rule, fix))
