"""A solved mix onto the disk: the table, the ledger, and the counts of both."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pellucid.base.paths import write_text
from pellucid.data.mix import allocate
from pellucid.data.mix.pool import PIECE, Pool
from pellucid.data.mix.share import Picks, rows_of, span_of
from pellucid.data.mix.tokens import Tokens
from pellucid.data.mix.where import Reasons
from pellucid.recipe.mix import Mix
from pellucid.store.mixes import write_tables

SUMMARY = "summary.json"
BEYOND_SHARE = "beyond share"
_MODES = ("nothink", "think")


def write(
    folder: Path,
    mix: Mix,
    pools: Mapping[str, Pool],
    picks: Picks,
    rank: np.ndarray | None,
    reasons: Sequence[Reasons],
    known: Sequence[str],
    counted: Mapping[str, Tokens] | None,
) -> None:
    """Write the three files.

    Args:
        folder: gets them.
        mix: the query.
        pools: its sources.
        picks: what it holds.
        rank: windows of the curriculum; None without one.
        reasons: of each ingredient.
        known: texts of the reasons.
        counted: tokens of every record, where they were counted.
    """
    rows, ledger = _rows(mix, pools, picks, rank), _ledger(mix, pools, reasons, known)
    write_tables(folder, rows, ledger, rank is not None)
    summary = _summary(mix, pools, picks, reasons)
    if counted is not None:
        summary |= _tokens(mix, picks, counted)
    if rank is not None:
        seen = np.bincount(rank, weights=picks.repeat).astype(int)
        summary["by_window"] = {str(at): int(count) for at, count in enumerate(seen)}
    text = json.dumps(summary, indent=1, sort_keys=True)
    write_text(folder / SUMMARY, text + "\n")


def _rows(
    mix: Mix, pools: Mapping[str, Pool], picks: Picks, rank: np.ndarray | None
) -> Iterator[pa.Table]:
    """The table piece by piece; the positions of an ingredient ascend."""
    names, start = pa.array(["as_is", *_MODES]), 0
    for at, take in enumerate(mix.take):
        pool = pools[take.source]
        for ids in pool.ids.take(picks.at[span_of(picks, at)]):
            span = slice(start, start + len(ids))
            own, think = pool.think[picks.at[span]], picks.think[span]
            modes = np.where(own == think, 0, think.astype(np.int64) + 1)
            columns = {
                "id": ids,
                "repeat": pa.array(picks.repeat[span]),
                "mode": names.take(pa.array(modes)),
            }
            yield pa.table(columns if rank is None else {**columns, "rank": pa.array(rank[span])})
            start += len(ids)


def _ledger(
    mix: Mix, pools: Mapping[str, Pool], reasons: Sequence[Reasons], known: Sequence[str]
) -> Iterator[pa.Table]:
    texts = pa.array(["", *known], pa.string())
    decisions = pa.array(["kept", "dropped"])
    for at, (take, why) in enumerate(zip(mix.take, reasons, strict=True)):
        pool = pools[take.source]
        for start, ids in pool.ids.pieces():
            codes = why.codes[start : start + len(ids)]
            yield pa.table(
                {
                    "take": pa.array(np.full(len(codes), at, np.int32)),
                    "source": pa.array([take.source]).take(pa.array(np.zeros(len(codes), int))),
                    "id": ids,
                    "decision": decisions.take(pa.array((codes > 0).astype(np.int64))),
                    "reason": texts.take(pa.array(codes)),
                }
            )


def _summary(
    mix: Mix, pools: Mapping[str, Pool], picks: Picks, reasons: Sequence[Reasons]
) -> dict[str, Any]:
    """Counts of records, and per epoch of what is seen."""
    seen, thinking = int(picks.repeat.sum()), int(picks.repeat[picks.think].sum())
    by_source: dict[str, int] = {}
    by_task: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for at, (take, why) in enumerate(zip(mix.take, reasons, strict=True)):
        places = picks.at[span_of(picks, at)]
        by_source[take.source] = by_source.get(take.source, 0) + len(places)
        task = pools[take.source].task
        for start in range(0, len(places), PIECE):
            counts = np.bincount(task.codes[places[start : start + PIECE]])
            for code in np.flatnonzero(counts):
                name = f"{take.source}/{task.values[code]}"
                by_task[name] = by_task.get(name, 0) + int(counts[code])
        for reason, count in why.counts().items():
            left_out[reason] = left_out.get(reason, 0) + count
    modes = {name: int((picks.think == (name == "think")).sum()) for name in _MODES}
    found: dict[str, Any] = {
        "records": len(picks.at),
        "seen_per_epoch": seen,
        "think_share": round(thinking / seen, 6),
        "by_source": {name: count for name, count in by_source.items() if count},
        "by_task": by_task,
        "by_mode": {name: count for name, count in modes.items() if count},
        "left_out": left_out,
    }
    if allocate.shares(mix):
        shown = [int(picks.repeat[span_of(picks, at)].sum()) for at in range(len(mix.take))]
        named = (f"{at} {take.source}" for at, take in enumerate(mix.take))
        found["shares"] = {
            name: round(count / seen, 6) for name, count in zip(named, shown, strict=True)
        }
    return found


def _tokens(mix: Mix, picks: Picks, counted: Mapping[str, Tokens]) -> dict[str, Any]:
    """What is learnt per epoch, in tokens, and how much of it with thinking."""
    learnt = np.zeros(len(picks.at), np.int64)
    for source, tokens in counted.items():
        of = rows_of(mix, picks.take, source)
        learnt[of] = tokens.supervised[picks.think[of].astype(int), picks.at[of]]
    learnt *= picks.repeat
    whole, thinking = int(learnt.sum()), int(learnt[picks.think].sum())
    share = round(thinking / whole, 6) if whole else 0.0
    return {"supervised_tokens": whole, "think_share_of_tokens": share}
