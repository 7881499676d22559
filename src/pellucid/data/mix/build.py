"""A query into a frozen mix: which records, how often, in which mode, and why not the others.

Every ingredient looks at every record of its source and writes one ledger row for each, so the
ledger adds up to the input. Leaves out on purpose: the order of training (`train/order.py`, which
keeps to the windows of a curriculum) and sampling weights; a weight is a repeat.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pellucid.base.lookup import pick
from pellucid.base.seeds import derive
from pellucid.data.mix import order, tokens, write
from pellucid.data.mix.choose import Ingredient, caps_of, leave_out
from pellucid.data.mix.pool import Pool, held_out
from pellucid.data.mix.solve import Query
from pellucid.data.mix.tokens import Tokens
from pellucid.data.mix.where import BEYOND, OVERLAP, Reasons, by_itself
from pellucid.prompt.render import Renderer
from pellucid.recipe.mix import Mix, Take
from pellucid.store import Store

VERSION = 1


def build_mix(
    name: str,
    options: Mix,
    stores: Mapping[str, Store],
    seed: int,
    folder: Path,
    renderer: Renderer | None = None,
) -> None:
    """Write `mix.parquet`, `ledger.parquet` and `summary.json`.

    Args:
        name: name of the mix in the recipe, for messages.
        options: the query.
        stores: every source of the recipe by name, not only those the mix takes from: the test
            records of all of them are kept out.
        seed: seed of the run; with `options.seed` it decides counts and switches. Equal seeds
            choose nested records: a count of 100 holds those of a count of 50.
        folder: gets the three files.
        renderer: counts tokens, where the query does; tokens are reported where it is given.

    Raises:
        UserError: an ingredient matches nothing, or too little for its count, its share or its
            mode; the share of thinking cannot be met. The message names the nearest that can.
    """
    pools = {
        take.source: Pool(
            take.source, pick(stores, take.source, f"data.mixes.{name}.take.{at}.source")
        )
        for at, take in enumerate(options.take)
    }
    counted = (
        {source: tokens.count_tokens(pool, renderer) for source, pool in pools.items()}
        if renderer
        else None
    )
    known: list[str] = []
    held = {split: held_out(list(stores.values()), split) for split in ("validation", "test")}
    chosen_by = derive(seed, "mix", options.seed)
    ingredients, reasons = [], []
    for take in options.take:
        why = _alone(options, take, pools[take.source], held, counted, known)
        reasons.append(why)
        ingredients.append(_ingredient(take, pools[take.source], why, chosen_by))
    query = Query(
        name, options, pools, ingredients, caps_of(options, pools), counted,
        derive(seed, "think", options.seed),
    )  # fmt: skip
    taken, picks = query.solve(reasons)
    for why, got, take in zip(reasons, taken, options.take, strict=True):
        leave_out(why, got, BEYOND if take.share is None else write.BEYOND_SHARE)
    rank = order.windows(name, options, picks, pools, counted, query.ranks)
    del query, ingredients, taken, held  # room for the writer
    write.write(folder, options, pools, picks, rank, reasons, known, counted)


def _alone(
    mix: Mix,
    take: Take,
    pool: Pool,
    held: Mapping[str, np.ndarray],
    counted: Mapping[str, Tokens] | None,
    known: list[str],
) -> Reasons:
    """Why records are left out whatever the others do."""
    why = by_itself(mix, take, pool, known)
    there = why.open
    overlap = pool.content.keyed(held["test"])
    if take.split == "train":
        overlap |= pool.content.keyed(held["validation"])
    why.mark(there[overlap[there]], OVERLAP)
    if mix.max_tokens is not None:
        assert counted is not None, "a cap on tokens is counted"
        longest = _longest(mix, take, pool, counted[take.source])
        why.mark(longest > mix.max_tokens, f"over {mix.max_tokens} tokens")
    return why


def _longest(mix: Mix, take: Take, pool: Pool, counted: Tokens) -> np.ndarray:
    """(records,) tokens of the longest example in every mode that a record may be seen in."""
    if mix.think_share is not None and take.mode == "as_is":
        longest: np.ndarray = counted.longest.max(axis=0)
        return longest
    seen: np.ndarray = np.where(_think(take, pool), counted.longest[1], counted.longest[0])
    return seen


def _think(take: Take, pool: Pool) -> np.ndarray:
    """(records,) bool: the mode that a record has before any is switched."""
    return pool.think if take.mode == "as_is" else np.full(len(pool), take.mode == "think")


def _ingredient(take: Take, pool: Pool, why: Reasons, seed: int) -> Ingredient:
    able = {
        "as_is": pool.can_think,
        "think": np.ones(len(pool), bool),
        "nothink": np.zeros(len(pool), bool),
    }[take.mode]
    return Ingredient(take, pool, why.open, _think(take, pool), able, seed)
