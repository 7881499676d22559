"""What thinking is worth, and what the model's own choice costs, item by item.

    gain    (mode think) accuracy of thinking minus accuracy of answering directly
    regret  (mode auto)  the better of the two forced answers to each item, minus the answer given

Regret counts luck as well: the better of two answers is right more often than either, so even a
perfect choice of mode shows some.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pellucid.base.hashing import canonical_json
from pellucid.eval.metrics import Cell, cells, scorer_hashes
from pellucid.eval.pairs import Pairs, of_pairs, paired
from pellucid.eval.rows import Row
from pellucid.schema.report import Metric


def mode_metrics(rows: Sequence[Row], checkpoint: str, seed: int) -> Iterator[Metric]:
    """Gain and regret for every task and group that was asked in the modes that they compare."""
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells(rows, checkpoint, seed):
        found.setdefault((cell.task, cell.group), {})[cell.mode] = cell
    for by_mode in found.values():
        if not {"think", "nothink"} <= set(by_mode):
            continue
        pairs = paired(by_mode["think"].rows, by_mode["nothink"].rows)
        yield _metric("gain", by_mode, ("think", "nothink"), pairs)
        if "auto" in by_mode:
            yield _metric("regret", by_mode, ("auto", "nothink", "think"), _regret(by_mode))


def _regret(by_mode: Mapping[str, Cell]) -> Pairs:
    """The better forced answer minus the chosen one; an item counts when all three answers do."""
    sides = [paired(by_mode[mode].rows, by_mode["auto"].rows) for mode in ("think", "nothink")]
    differences = tuple(
        None if think is None or direct is None else max(think, direct)
        for think, direct in zip(*(side.differences for side in sides), strict=True)
    )
    failed = {
        row["item"]
        for mode in ("auto", "nothink", "think")
        for row in by_mode[mode].rows
        if row["outcome"] == "failed"
    }
    return replace(sides[0], differences=differences, failed=len(failed))


def _metric(name: str, by_mode: Mapping[str, Cell], modes: Sequence[str], pairs: Pairs) -> Metric:
    """A metric that stands under the first of the modes that it compares."""
    cell = by_mode[modes[0]]
    id = f"eval.{cell.checkpoint}.{cell.task}.{cell.mode}.{cell.group}.{name}"
    return replace(
        of_pairs(id, pairs, cell.draw_seed(name)),
        seed=cell.seed,
        scorer_hash=scorer_hashes([row for mode in modes for row in by_mode[mode].rows]),
        rows=canonical_json({**cell.where, "mode": sorted(modes)}).decode(),
    )
