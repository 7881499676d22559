"""Prompts that the starting policy finds neither hopeless nor easy.

    pass_rates.parquet   one row per prompt: share of right answers, and what was decided

Only such prompts give groups with a signal: where all rollouts are right, or all wrong, nothing can
be learnt. Rates are measured once, with the policy that RL starts from, on RL's own mix. Leaves out
on purpose: measuring again while the policy gets better.
"""

from collections import Counter
from collections.abc import Sequence
from math import fsum
from typing import Any

import pyarrow as pa

from pellucid.base.errors import Problem, UserError
from pellucid.base.paths import remove_tree
from pellucid.base.seeds import derive
from pellucid.recipe.rl import PassRate
from pellucid.rl.fresh import Fresh, ask
from pellucid.rl.prompts import Entry, Left, unique
from pellucid.rl.setting import Setting
from pellucid.store import arrow

PASS_RATES = "pass_rates.parquet"
CHUNKS = "pass_rates"
KEPT = "kept"
REASONS = {
    "not_sampled": "not sampled: beyond rl.pass_rate.prompts",
    "unscored": "no answer could be scored",
    "hard": "pass rate under rl.pass_rate.low",
    "easy": "pass rate over rl.pass_rate.high",
}
"""Decision -> why a prompt is left out."""

_SCHEMA = pa.schema(
    [
        ("record", pa.string()),
        ("mode", pa.string()),
        ("samples", pa.int32()),
        ("scored", pa.int32()),
        ("right", pa.float64()),
        ("pass_rate", pa.float64()),
        ("truncated", pa.int32()),
        ("tokens", pa.float64()),
        ("decision", pa.string()),
    ]
)
"""`right` is the sum of scores, `pass_rate` is right / scored, `tokens` a mean per answer."""


def choose(setting: Setting, entries: Sequence[Entry]) -> tuple[list[Entry], list[Left]]:
    """Keep the prompts whose pass rate lies in the recipe's range; all without such an option.

    Call it while the model still has its starting weights.

    Raises:
        UserError: fewer prompts remain than a rollout batch needs.
    """
    options = setting.options.pass_rate
    if options is None:
        return list(entries), []
    path = setting.folder / PASS_RATES
    if not path.exists():
        rows = _measure(setting, options, unique(entries))
        arrow.write_table(path, pa.Table.from_pylist(rows, schema=_SCHEMA))
    remove_tree(setting.folder / CHUNKS)
    rows = arrow.read_table(path).to_pylist()
    by_key = {(row["record"], row["mode"]): row["decision"] for row in rows}
    kept = [entry for entry in entries if by_key[entry.record, entry.mode] == KEPT]
    different = len(unique(kept))
    if different < setting.options.prompts_per_batch:
        raise UserError(_too_few(setting, options, rows, different))
    lost = [row for row in rows if row["decision"] != KEPT]
    return kept, [Left(row["record"], REASONS[row["decision"]]) for row in lost]


def _measure(setting: Setting, options: PassRate, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """A row for every prompt, in the mix's order."""
    chosen = _sampled(entries, options.prompts, derive(setting.seed, "pass rate prompts"))
    answers = ask(setting, chosen, options.samples, "pass rates", setting.folder / CHUNKS)
    groups: dict[tuple[str, str], list[Fresh]] = {}
    for answer in answers:
        groups.setdefault((answer.record, answer.mode), []).append(answer)
    return [_row(entry, groups.get((entry.record, entry.mode), []), options) for entry in entries]


def _sampled(entries: Sequence[Entry], count: int, seed: int) -> list[Entry]:
    """Some of the entries, in their order; a smaller count chooses a part of a larger one's."""
    ranked = sorted(entries, key=lambda entry: (derive(seed, entry.record, entry.mode), entry))
    chosen = set(ranked[:count])
    return [entry for entry in entries if entry in chosen]


def _row(entry: Entry, group: Sequence[Fresh], options: PassRate) -> dict[str, Any]:
    """What was measured of one prompt."""
    scores = [answer.accuracy for answer in group if answer.accuracy is not None]
    rate = fsum(scores) / len(scores) if scores else None
    return {
        "record": entry.record,
        "mode": entry.mode,
        "samples": len(group),
        "scored": len(scores),
        "right": fsum(scores),
        "pass_rate": rate,
        "truncated": sum(answer.outcome == "truncated" for answer in group),
        "tokens": fsum(answer.tokens for answer in group) / len(group) if group else None,
        "decision": _decision(rate, options) if group else "not_sampled",
    }


def _decision(rate: float | None, options: PassRate) -> str:
    """Whether a sampled prompt is kept, else which of `REASONS` leaves it out.

    >>> options = PassRate(prompts=9, low=0.25, high=0.75)
    >>> [_decision(rate, options) for rate in (0.0, 0.25, 0.75, 1.0, None)]
    ['hard', 'kept', 'kept', 'easy', 'unscored']
    """
    if rate is None:
        return "unscored"
    if rate < options.low:
        return "hard"
    return "easy" if rate > options.high else KEPT


def _too_few(
    setting: Setting, options: PassRate, rows: Sequence[dict[str, Any]], kept: int
) -> Problem:
    rates = Counter(row["pass_rate"] for row in rows if row["pass_rate"] is not None)
    shown = ", ".join(f"{rate:.2f}: {rates[rate]}" for rate in sorted(rates))
    sampled = sum(row["samples"] > 0 for row in rows)
    return Problem(
        "rl.pass_rate",
        {"low": options.low, "high": options.high},
        f"keeps {kept} of {sampled} sampled prompts, and rl.prompts_per_batch is "
        f"{setting.options.prompts_per_batch} (prompts by pass rate: {shown or 'none scored'})",
        "sample more prompts (rl.pass_rate.prompts), widen low and high, lower "
        "rl.prompts_per_batch, or start from a checkpoint that answers some of them rightly",
    )
