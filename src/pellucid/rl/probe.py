"""What RL gained: accuracy on held-out prompts before the first and after the last update.

    probe.parquet   one row per answer

The prompts are unfiltered and the same both times; the answers are fresh, with seeds of their own.
Accuracy is the term alone, without form and length: a reward can rise without one right answer
more. Leaves out on purpose: aggregates, which the report makes from the rows.
"""

from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from pellucid.base.paths import remove_tree
from pellucid.recipe.rl import Probe
from pellucid.rl.fresh import Fresh, ask
from pellucid.rl.prompts import Entry, unique
from pellucid.rl.setting import Setting
from pellucid.store import arrow

PROBE = "probe.parquet"
CHUNKS = "probe"
BEFORE, AFTER = "before", "after"

_SCHEMA = pa.schema(
    [
        ("record", pa.string()),
        ("cluster", pa.string()),
        ("when", pa.string()),
        ("sample", pa.int32()),
        ("accuracy", pa.float64()),
        ("tokens", pa.int32()),
        ("outcome", pa.string()),
        ("finish_reason", pa.string()),
        ("mode", pa.string()),
        ("chosen", pa.string()),
        ("text", pa.string()),
    ]
)


def before(setting: Setting, entries: Sequence[Entry]) -> list[Fresh]:
    """Answers of the starting policy; call it while the model still has its starting weights."""
    if setting.options.probe is None or (setting.folder / PROBE).exists():
        return []
    return _measure(setting, setting.options.probe, entries, BEFORE)


def finish(setting: Setting, entries: Sequence[Entry], started: Sequence[Fresh]) -> None:
    """Measure the trained policy and write all rows, unless a killed run did.

    Args:
        setting: of the job.
        entries: usable records of the probe's mix; each is asked once per mode that it stands in.
        started: from `before`.
    """
    if setting.options.probe is None:
        return
    path = setting.folder / PROBE
    if not path.exists():
        ended = _measure(setting, setting.options.probe, entries, AFTER)
        rows = [
            {"when": when, **asdict(answer)}
            for when, answers in ((BEFORE, started), (AFTER, ended))
            for answer in answers
        ]
        arrow.write_table(path, pa.Table.from_pylist(rows, schema=_SCHEMA))
    remove_tree(setting.folder / CHUNKS)


def _measure(setting: Setting, options: Probe, entries: Sequence[Entry], when: str) -> list[Fresh]:
    folder = setting.folder / CHUNKS / when
    return ask(setting, unique(entries), options.samples, f"probe {when}", folder)
