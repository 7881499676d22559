"""Easy to hard: the window of the curriculum in which each row of a mix is learnt.

A window is a number in the mix's `rank` column; `train/order.py` goes through the windows in order
and shuffles within each. Leaves out on purpose: what is hard. That is a length, the record's own
difficulty, or a label that somebody made.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix.pool import Pool
from pellucid.data.mix.share import Picks, rows_of
from pellucid.data.mix.tokens import Tokens
from pellucid.data.mix.where import read_column
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
    column = read_column(pool, order, str(order.column)).values
    try:
        numbers = pc.fill_null(column.cast(pa.float64()), float("nan"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        rule = f"is a column of {column.type}"
        fix = "say the order of its texts with `values`"
        raise UserError(Problem(f"label {order.label}", order.column, rule, fix)) from None
    found: np.ndarray = np.asarray(numbers)[at]
    return found


def _named(name: str, mix: Mix, order: Order, picks: Picks, pools: dict[str, Pool]) -> np.ndarray:
    """The place of each row's text in the order's `values`."""
    window = np.zeros(len(picks.at), np.int32)
    told = pa.array(list(order.values), pa.string())
    for source, of in _by_source(mix, picks):
        column = read_column(pools[source], order, str(order.column)).values
        column = column.take(pa.array(picks.at[of])).cast(pa.string())
        places = pc.index_in(column, value_set=told)
        if places.null_count:
            values = pc.unique(column.filter(pc.is_null(places))).to_pylist()[:3]
            rule = f"does not name {', '.join(str(one or 'no value') for one in values)}"
            fix = "add what is missing, or leave those records out with `where`"
            at = f"data.mixes.{name}.order.values"
            raise UserError(Problem(at, list(order.values), rule, fix))
        window[of] = np.asarray(places)
    return np.unique(window, return_inverse=True)[1].astype(np.int32)
