"""Easy to hard: the window of the curriculum in which each row of a mix is learnt.

A window is a number in the mix's `rank` column; `train/order.py` goes through the windows in order
and shuffles within each. Leaves out on purpose: what is hard. That is a length, the record's own
difficulty, or a label that somebody made.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix.labels import labelled
from pellucid.data.mix.pool import Pool
from pellucid.data.mix.share import Picks, rows_of
from pellucid.data.mix.tokens import Tokens
from pellucid.recipe.mix import Mix, Order


def windows(
    name: str,
    mix: Mix,
    picks: Picks,
    pools: dict[str, Pool],
    tokens: dict[str, Tokens] | None,
    ranks: Callable[[Picks], np.ndarray],
) -> np.ndarray | None:
    """(rows,) int32: the window of each row, from 0; None without an order.

    Numbers are cut into windows of nearly equal numbers of records seen; texts have a window each.
    Equal numbers may fall to two neighbouring windows, as the seed has it: by `ranks`.

    Raises:
        UserError: a record has no value, or one that the order does not speak of.
    """
    if mix.order is None:
        return None
    if mix.order.values:
        return _named(name, mix, mix.order, picks, pools)
    values = np.zeros(len(picks.at))
    for source, of in _by_source(mix, picks):
        values[of] = _numbers(mix.order, pools[source], source, picks, of, tokens)
    missing = int(np.isnan(values).sum())
    if missing:
        rule = f"is not known of {missing} of {len(values)} records"
        fix = "leave them out (where: ..., or another source), or order by length"
        raise UserError(Problem(f"data.mixes.{name}.order", mix.order.by, rule, fix))
    values = -values if mix.order.descending else values
    order = np.lexsort((picks.at, ranks(picks), values))
    before = np.cumsum(picks.repeat[order]) - picks.repeat[order]
    window = np.empty(len(order), np.int32)
    window[order] = before * mix.order.windows // int(picks.repeat.sum())
    return np.unique(window, return_inverse=True)[1].astype(np.int32)


def _by_source(mix: Mix, picks: Picks) -> list[tuple[str, np.ndarray]]:
    """Rows of each source."""
    sources = dict.fromkeys(take.source for take in mix.take)
    return [(source, rows_of(mix, picks.take, source)) for source in sources]


def _numbers(
    order: Order,
    pool: Pool,
    source: str,
    picks: Picks,
    of: np.ndarray,
    tokens: dict[str, Tokens] | None,
) -> np.ndarray:
    at = picks.at[of]
    if order.by == "difficulty":
        difficulty: np.ndarray = pool.difficulty[at]
        return difficulty
    if order.by == "length":
        assert tokens is not None, "a query by length counts tokens"
        length: np.ndarray = tokens[source].longest[picks.think[of].astype(int), at]
        return length.astype(float)
    found = np.full(len(pool), np.nan)
    for here, (values,) in _column(pool, order):
        try:
            found[here] = np.asarray(pc.fill_null(values.cast(pa.float64()), float("nan")))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            rule = f"is a column of {values.type}"
            fix = "say the order of its texts with `values`"
            raise UserError(Problem(f"label {order.label}", order.column, rule, fix)) from None
    chosen: np.ndarray = found[at]
    return chosen


def _column(pool: Pool, order: Order) -> Iterator[tuple[np.ndarray, list[pa.Array]]]:
    """Positions of the records that the order's label speaks of, and their values."""
    name = str(order.column)
    return labelled(pool, order, [name]).columns([name])


def _named(name: str, mix: Mix, order: Order, picks: Picks, pools: dict[str, Pool]) -> np.ndarray:
    """The place of each row's text in the order's `values`."""
    window = np.zeros(len(picks.at), np.int32)
    told = pa.array(list(order.values), pa.string())
    for source, of in _by_source(mix, picks):
        places, others = np.full(len(pools[source]), -1, np.int32), dict[int, str]()
        for here, (values,) in _column(pools[source], order):
            texts = values.cast(pa.string())
            found = pc.index_in(texts, value_set=told)
            places[here] = np.asarray(pc.fill_null(found, -1))
            unknown = np.flatnonzero(np.asarray(pc.and_(pc.is_null(found), pc.is_valid(texts))))
            told_ = zip(here[unknown].tolist(), texts.take(pa.array(unknown)), strict=True)
            others.update((at, text.as_py()) for at, text in told_)
        window[of] = places[picks.at[of]]
        missing = picks.at[of][window[of] < 0]
        if len(missing):
            shown = list(dict.fromkeys(others.get(at) for at in missing.tolist()))[:3]
            rule = f"does not name {', '.join(str(one or 'no value') for one in shown)}"
            fix = "add what is missing, or leave those records out with `where`"
            at = f"data.mixes.{name}.order.values"
            raise UserError(Problem(at, list(order.values), rule, fix))
    return np.unique(window, return_inverse=True)[1].astype(np.int32)
