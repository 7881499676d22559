"""Modes compared item by item: what thinking is worth, how well `auto` chooses, what both cost.

    gain         (mode think)          accuracy of thinking minus accuracy of answering directly
    auto_gain    (mode auto)           accuracy of the model's own choice minus that of the better
                                       forced mode: the one with the higher accuracy on these items
    token_ratio  (modes nothink, auto) generated tokens over those of forced thinking, summed
                                       over the items that neither side failed on

Leaves out on purpose: the better of two answers to each item. It counts luck: two guesses are right
more often than one, so even a perfect choice of mode would lose to it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pellucid.base.hashing import canonical_json
from pellucid.eval.metrics import MEASURES, Cell, measured, scorer_hashes
from pellucid.eval.pairs import METHOD, of_pairs, paired
from pellucid.eval.stats import bootstrap_ratio
from pellucid.schema.report import Metric

FORCED = ("nothink", "think")


def mode_metrics(found: Iterable[Cell]) -> Iterator[Metric]:
    """Every comparison for every task, pool and group that was asked in the modes it compares."""
    sets: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in found:
        sets.setdefault((cell.task, cell.group), {})[cell.mode] = cell
    for by_mode in sets.values():
        if "think" in by_mode:
            for mode in ("auto", "nothink"):
                if mode in by_mode:
                    yield _token_ratio(by_mode, mode)
        if set(FORCED) <= set(by_mode):
            yield _difference("gain", by_mode, "think", "nothink")
            if "auto" in by_mode:
                # Equal ones: the cheaper.
                better = max(FORCED, key=lambda mode: _accuracy(by_mode[mode]))
                yield _difference("auto_gain", by_mode, "auto", better)


def _accuracy(cell: Cell) -> float:
    kept = [value for value in measured(cell.rows, MEASURES["accuracy"]) if value is not None]
    return math.fsum(kept) / len(kept) if kept else -1.0


def _difference(name: str, by_mode: Mapping[str, Cell], new: str, old: str) -> Metric:
    """Accuracy of one mode minus that of another, item by item; stands under the first."""
    cell = by_mode[new]
    pairs = paired(cell.rows, by_mode[old].rows)
    return replace(
        of_pairs(_id(cell, name), pairs, cell.draw_seed(name)),
        seed=cell.seed,
        scorer_hash=scorer_hashes([*cell.rows, *by_mode[old].rows]),
        rows=_rows(cell, (new, old)),
    )


def _token_ratio(by_mode: Mapping[str, Cell], mode: str) -> Metric:
    """Tokens of a mode over tokens of thinking."""
    name, cell = "token_ratio", by_mode[mode]
    thought = {row["item"]: row for row in by_mode["think"].rows}
    pairs = [(row, thought[row["item"]]) for row in cell.rows if row["item"] in thought]
    assert len(pairs) == len(cell.rows) == len(thought), "both modes were asked the same items"
    kept = [pair for pair in pairs if "failed" not in (pair[0]["outcome"], pair[1]["outcome"])]
    above, below = ([float(pair[side]["tokens"]) for pair in kept] for side in (0, 1))
    clusters = [row["cluster"] for row, _ in kept]
    bounds = bootstrap_ratio(above, below, clusters, cell.draw_seed(name))
    return Metric(
        id=_id(cell, name),
        value=math.fsum(above) / math.fsum(below) if math.fsum(below) else None,
        low=None if bounds is None else bounds.low,
        high=None if bounds is None else bounds.high,
        n=len(pairs),
        scored=len(kept),
        unscored=0,
        failed=len(pairs) - len(kept),
        method=METHOD,
        seed=cell.seed,
        unit="ratio",
        rows=_rows(cell, (mode, "think")),
    )


def _id(cell: Cell, name: str) -> str:
    return f"eval.{cell.checkpoint}.{cell.task}.{cell.mode}.{cell.group}.{name}"


def _rows(cell: Cell, modes: Sequence[str]) -> str:
    return canonical_json({**cell.where, "mode": sorted(modes)}).decode()
