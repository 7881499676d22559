"""Evaluate one checkpoint: every task, every mode, every item; then latency; then the report.

    eval.json                         what is evaluated: checkpoint, generator, options
    rows/<task>.<mode>/00000.jsonl    rows, a chunk at a time
    timing/<task>.<mode>/00000.jsonl  seconds of each row
    timing/latency.jsonl              items asked alone
    report.json, timing/report.json   metrics

A chunk is whole or absent, and which items it holds follows from the arguments; so a killed
evaluation goes on after its last chunk and ends with the same bytes.

Leaves out on purpose: retries. A rollout that failed is a row that says so.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import canonical_json
from pellucid.base.paths import sweep_temporaries, write_bytes
from pellucid.base.progress import Progress
from pellucid.eval.latency import measure_latency
from pellucid.eval.report import build_report
from pellucid.eval.rows import HEAD, make_row, part_path, write_lines
from pellucid.eval.tasks import Item, items_of
from pellucid.recipe.eval import EvalOptions
from pellucid.schema.artifact import TIMING
from pellucid.schema.ports import Generator
from pellucid.schema.record import Mode
from pellucid.schema.rollout import Request, Rollout
from pellucid.store import Store

VERSION = 2
"""Of the rows and metrics. Scorers carry hashes of their own."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Work:
    """What every chunk needs."""

    options: EvalOptions
    stores: Mapping[str, Store]
    generator: Generator
    folder: Path
    progress: Progress


def evaluate(
    options: EvalOptions,
    stores: Mapping[str, Store],
    generator: Generator,
    checkpoint: str,
    checkpoint_hash: str,
    folder: Path,
    renderer_hash: str = "",
    alone: Generator | None = None,
) -> None:
    """Fill `folder` with rows, latencies and a report; the same call completes a killed one.

    Args:
        options: tasks, modes, budgets.
        stores: by name of the source; those that the tasks read.
        generator: what is evaluated.
        checkpoint: name that metric ids carry.
        checkpoint_hash: content hash of the checkpoint.
        folder: where it goes; it may hold the finished chunks of a killed run.
        renderer_hash: of the conversation format, where it is not part of the checkpoint.
        alone: the same model set up for one request at a time, for latency; `generator` when None.

    Raises:
        UserError: a task has no items, a name cannot stand in a metric id, or the folder holds
            another evaluation.
    """
    check_names(options, checkpoint)
    items = {task: items_of(options, stores, task) for task in sorted(options.asking)}
    head = {
        "version": VERSION,
        "checkpoint": checkpoint,
        "checkpoint_hash": checkpoint_hash,
        "renderer_hash": renderer_hash,
        "generator": generator.model_id,
        "options": _told(options),
    }
    total = sum(len(asked) * len(options.modes_of(task)) for task, asked in items.items())
    work = Work(options, stores, generator, folder, Progress(f"eval {checkpoint}", total))
    with boundary("writing the evaluation"):
        sweep_temporaries(folder)
        _begin(folder, head)
        _ask_all(work, items)
        measure_latency(options, stores, alone or generator, items, folder)
        build_report(folder)


def check_names(options: EvalOptions, checkpoint: str = "final") -> None:
    """Names stand between the dots of a metric id, and in file names.

    Raises:
        UserError: one has another character than letters, digits, _ and -.
    """
    rule, fix = "may hold letters, digits, _ and - only", "rename it"
    problems = [
        Problem(field, name, rule, fix)
        for field, name in (
            *((f"eval.tasks.{task}", task) for task in options.tasks),
            ("checkpoint", checkpoint),
        )
        if not _NAME.fullmatch(name)
    ]
    if problems:
        raise UserError(problems)


def _told(options: EvalOptions) -> dict[str, Any]:
    """The options; of the paths of code only what does not depend on where it lies."""
    told = options.model_dump(mode="json")
    for task in told["tasks"].values():
        for own in (task, task.get("scorer") or {}):
            if "path" in own:
                own["path"] = Path(own["path"]).name
    return told


def _begin(folder: Path, head: Mapping[str, Any]) -> None:
    """Write the head; a folder of another evaluation is not continued."""
    path = folder / HEAD
    data = canonical_json(head) + b"\n"
    if not path.exists():
        write_bytes(path, data)
    elif path.read_bytes() != data:
        before = json.loads(path.read_bytes())
        changed = sorted(name for name in head if head[name] != before.get(name))
        rule = f"holds another evaluation (other {', '.join(changed) or 'layout'})"
        raise UserError(Problem("folder", str(folder), rule, "choose an empty folder"))


class Chunk(NamedTuple):
    """Items of one task that are asked in one mode and written at once."""

    task: str
    mode: Mode
    number: int
    items: Sequence[Item]


def _chunks(options: EvalOptions, items: Mapping[str, list[Item]]) -> Iterator[Chunk]:
    size = options.chunk_items
    for task, questions in items.items():
        for mode in options.modes_of(task):
            for number, start in enumerate(range(0, len(questions), size)):
                yield Chunk(task, mode, number, questions[start : start + size])


def _ask_all(work: Work, items: Mapping[str, list[Item]]) -> None:
    """Ask what is not on disk yet, as one stream: a slot that falls free takes the next chunk's."""
    chunks = list(_chunks(work.options, items))
    missing = [one for one in chunks if not _path(work, one).exists()]
    done = sum(len(one.items) for one in chunks) - sum(len(one.items) for one in missing)
    answers = iter(work.generator.generate(_requests(work, missing)))
    for chunk in missing:
        _write(work, chunk, list(islice(answers, len(chunk.items))))
        done += len(chunk.items)
        work.progress.at(done, f"{chunk.task} {chunk.mode}")


def _path(work: Work, chunk: Chunk) -> Path:
    return part_path(work.folder, chunk.task, chunk.mode, chunk.number)


def _requests(work: Work, chunks: Iterable[Chunk]) -> Iterator[Request]:
    """What the generator is asked; pictures are read when it takes the request."""
    options = work.options
    for chunk in chunks:
        store = work.stores[options.asking[chunk.task].source]
        for item in chunk.items:
            yield item.request(store, chunk.mode, options.max_new_tokens, options.seed)


def _write(work: Work, chunk: Chunk, rollouts: Sequence[Rollout]) -> None:
    """Score and write one chunk: its seconds first, so that rows on disk mean done."""
    told = [rollout.request_id for rollout in rollouts]
    wanted = [f"{item.id}/{chunk.mode}" for item in chunk.items]
    assert told == wanted, "the generator lost or mixed up answers"
    pairs = list(zip(chunk.items, rollouts, strict=True))
    seconds = [{"item": item.id, "seconds": rollout.latency_s} for item, rollout in pairs]
    name = f"{chunk.task}.{chunk.mode}"
    write_lines(work.folder / TIMING / name / f"{chunk.number:05d}.jsonl", seconds)
    budget = work.options.max_new_tokens
    rows = [make_row(chunk.task, item, rollout, budget) for item, rollout in pairs]
    write_lines(_path(work, chunk), rows)
