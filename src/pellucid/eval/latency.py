"""Latency at batch 1: a few items, asked one at a time, in every mode.

The items are dealt over the tasks in turn, each task's in an order drawn by seed. One answer before
the first is thrown away, since it pays for what every later one finds ready.

Leaves out on purpose: load tests. Under load, latency is a property of the server.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path

from pellucid.base.seeds import derive
from pellucid.eval.rows import Row, write_lines
from pellucid.eval.tasks import Item
from pellucid.recipe.eval import EvalOptions
from pellucid.schema.artifact import TIMING
from pellucid.schema.ports import Generator
from pellucid.store import Store

LATENCY = f"{TIMING}/latency.jsonl"


def measure_latency(
    options: EvalOptions,
    stores: Mapping[str, Store],
    generator: Generator,
    items: Mapping[str, Sequence[Item]],
    folder: Path,
) -> None:
    """Write `timing/latency.jsonl`, unless it is there: a row per answer.

    Args:
        options: how many items, in which modes, under which budget.
        stores: by name of the source.
        generator: asked with one request at a time.
        items: by task.
        folder: of the evaluation.
    """
    path = folder / LATENCY
    if path.exists():
        return
    chosen = timed_items(items, options.latency_items, options.seed)
    rows: list[Row] = []
    for warm, (task, item) in enumerate([*chosen[:1], *chosen]):
        store = stores[options.asking[task].source]
        for mode in options.modes_of(task):
            request = item.request(store, mode, options.max_new_tokens, options.seed)
            start = time.perf_counter()
            (rollout,) = generator.generate([request])
            seconds = time.perf_counter() - start
            if warm:
                rows.append(
                    {
                        "task": task,
                        "mode": mode,
                        "item": item.id,
                        "record": item.record.id,
                        "cluster": item.cluster,
                        "outcome": rollout.outcome,
                        "tokens": len(rollout.token_ids),
                        "prompt_tokens": rollout.prompt_tokens,
                        "seconds": seconds,
                    }
                )
    write_lines(path, rows)


def timed_items(
    items: Mapping[str, Sequence[Item]], count: int, seed: int
) -> list[tuple[str, Item]]:
    """Up to `count` items, as evenly over the tasks as they go; (task, item); no blank pictures."""
    queues = [
        [(task, item) for item in sorted(found, key=lambda it: derive(seed, "latency", it.id))]
        for task, found in sorted(items.items())
        if not any(item.blank for item in found)
    ]
    dealt = (pair for round_ in zip_longest(*queues) for pair in round_ if pair is not None)
    return list(islice(dealt, count))
