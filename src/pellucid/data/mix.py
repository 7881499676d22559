"""A query into a frozen mix: which records, how often, in which mode, and why not the others.

Every ingredient looks at every record of its source and writes one ledger row for each, so the
ledger adds up to the input. Leaves out on purpose: order (`train/order.py`) and sampling weights;
a weight is a repeat.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import pick
from pellucid.base.paths import write_text
from pellucid.base.seeds import derive
from pellucid.data.splits import Key, content_keys
from pellucid.recipe.data import Mix, Take
from pellucid.store import LedgerRow, MixRow, Store, write_mix
from pellucid.store.mixes import MixMode

VERSION = 1
SUMMARY = "summary.json"

OVERLAP = "same pictures, question and gold as a record of a held-out split"
BEYOND = "beyond count"

_FACTS = ["id", "split", "task", "mode", "can_think"]
_Facts = Sequence[Mapping[str, Any]]
"""Rows of a source in stable order, with the columns `_FACTS`."""


@dataclass(frozen=True, slots=True)
class _Pick:
    """A record that an ingredient took."""

    id: str
    source: str
    task: str
    repeat: int
    own: MixMode
    """The record's mode."""
    mode: MixMode
    """The mode it is seen in: think or nothink."""
    free: bool
    """Whether it may be switched: it has reasoning and its ingredient says `as_is`."""


def build_mix(
    name: str, options: Mix, stores: Mapping[str, Store], seed: int, folder: Path
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

    Raises:
        UserError: an ingredient matches nothing, or too little for its count or its mode; the share
            of thinking cannot be met. The message names the nearest that can.
    """
    keys = {source: content_keys(store) for source, store in stores.items()}
    held = {
        split: {key for by_split in keys.values() for key in by_split[split].values()}
        for split in ("validation", "test")
    }
    facts: dict[str, list[dict[str, Any]]] = {}
    picks: list[_Pick] = []
    ledger: list[LedgerRow] = []
    for index, take in enumerate(options.take):
        at = f"data.mixes.{name}.take.{index}"
        store = pick(stores, take.source, f"{at}.source")
        if take.source not in facts:
            facts[take.source] = store.facts().select(_FACTS).to_pylist()
        rows = facts[take.source]
        taken = {(item.id, item.mode) for item in picks}
        others = held["test"] | (held["validation"] if take.split == "train" else set())
        reasons = _reasons(take, rows, keys[take.source][take.split], others, taken)
        picks += _choose(at, take, rows, reasons, derive(seed, "mix", options.seed))
        ledger += _ledger(index, take, reasons)
    if options.think_share is not None:
        picks = _share(name, options.think_share, picks, derive(seed, "think", options.seed))
    write_mix(folder, [_row(item) for item in picks], ledger)
    text = json.dumps(_summary(picks, ledger), indent=1, sort_keys=True)
    write_text(folder / SUMMARY, text + "\n")


def _reasons(
    take: Take,
    rows: _Facts,
    keys: Mapping[str, Key],
    held: set[Key],
    taken: set[tuple[str, MixMode]],
) -> dict[str, str]:
    """Record id -> why it is left out, empty for candidates; in stable order."""
    reasons = {}
    for row in rows:
        if row["split"] != take.split:
            reason = f"other split: {row['split']}"
        elif take.tasks and row["task"] not in take.tasks:
            reason = f"other task: {row['task']}"
        elif keys[row["id"]] in held:
            reason = OVERLAP
        elif (row["id"], _mode(take, row)) in taken:
            reason = "taken before in this mode"
        else:
            reason = ""
        reasons[row["id"]] = reason
    return reasons


def _choose(at: str, take: Take, facts: _Facts, reasons: dict[str, str], seed: int) -> list[_Pick]:
    """The records taken, in stable order; marks those beyond the count in `reasons`."""
    rows = [row for row in facts if not reasons[row["id"]]]
    if not rows:
        counts = dict(Counter(reasons.values()).most_common(3))
        fix = "check the split and the tasks; left out: " + (str(counts) if counts else "nothing")
        raise UserError(Problem(at, take.source, "matches no record", fix))
    silent = [row["task"] for row in rows if not row["can_think"]]
    if take.mode == "think" and silent:
        rule = f"needs reasoning, which {len(silent)} of {len(rows)} records lack"
        able = sorted({row["task"] for row in rows} - set(silent))
        fix = f"name only tasks that have it: {', '.join(able)}" if able else "use as_is"
        raise UserError(Problem(f"{at}.mode", take.mode, rule, fix))
    count = len(rows) if take.count is None else take.count
    if count > len(rows):
        rule = f"is more than the {len(rows)} records that match"
        raise UserError(Problem(f"{at}.count", count, rule, f"lower it to {len(rows)}"))
    ranked = sorted(rows, key=lambda row: (derive(seed, row["id"]), row["id"]))
    reasons.update((row["id"], BEYOND) for row in ranked[count:])
    return [_pick(take, row) for row in rows if not reasons[row["id"]]]


def _pick(take: Take, row: Mapping[str, Any]) -> _Pick:
    own: MixMode = "think" if row["mode"] == "think" else "nothink"
    free = take.mode == "as_is" and bool(row["can_think"])
    return _Pick(row["id"], take.source, row["task"], take.repeat, own, _mode(take, row), free)


def _mode(take: Take, row: Mapping[str, Any]) -> MixMode:
    """The mode a record would be seen in."""
    if take.mode != "as_is":
        return take.mode
    return "think" if row["mode"] == "think" else "nothink"


def _ledger(index: int, take: Take, reasons: Mapping[str, str]) -> Iterator[LedgerRow]:
    for id, reason in reasons.items():
        yield LedgerRow(index, take.source, id, "dropped" if reason else "kept", reason)


def _share(name: str, share: float, picks: Sequence[_Pick], seed: int) -> list[_Pick]:
    """Switch free records, in seeded order, until the share (counting repeats) is met.

    With repeats above 1 the share is met to within half the largest repeat.
    """
    there = {(item.id, item.mode) for item in picks}
    free = [item for item in picks if item.free and (item.id, _other(item.mode)) not in there]
    total = sum(item.repeat for item in picks)
    now = sum(item.repeat for item in picks if item.mode == "think")
    low = now - sum(item.repeat for item in free if item.mode == "think")
    high = now + sum(item.repeat for item in free if item.mode == "nothink")
    target = round(share * total)
    if not low <= target <= high:
        nearest = (low if target < low else high) / total
        rule = f"cannot be met: these records allow {low / total:.4f} to {high / total:.4f}"
        fix = f"set {nearest:.4f}, or take other records"
        raise UserError(Problem(f"data.mixes.{name}.think_share", share, rule, fix))
    switched = set()
    for item in sorted(free, key=lambda item: (derive(seed, item.id), item.id)):
        after = now + (item.repeat if item.mode == "nothink" else -item.repeat)
        if abs(after - target) < abs(now - target):
            now = after
            switched.add((item.id, item.mode))
    return [
        replace(item, mode=_other(item.mode)) if (item.id, item.mode) in switched else item
        for item in picks
    ]


def _other(mode: MixMode) -> MixMode:
    return "nothink" if mode == "think" else "think"


def _row(item: _Pick) -> MixRow:
    return MixRow(item.id, item.repeat, "as_is" if item.mode == item.own else item.mode)


def _summary(picks: Sequence[_Pick], ledger: Sequence[LedgerRow]) -> dict[str, Any]:
    """Counts of records, and per epoch of what is seen."""
    seen = sum(item.repeat for item in picks)
    thinking = sum(item.repeat for item in picks if item.mode == "think")
    return {
        "records": len(picks),
        "seen_per_epoch": seen,
        "think_share": round(thinking / seen, 6),
        "by_source": dict(Counter(item.source for item in picks)),
        "by_task": dict(Counter(f"{item.source}/{item.task}" for item in picks)),
        "by_mode": dict(Counter(item.mode for item in picks)),
        "left_out": dict(Counter(row.reason for row in ledger if row.reason)),
    }
