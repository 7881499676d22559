"""What a stage is trained on: tokens, patches and targets of every example of its mix.

They come from the length index of the stores (`store/lengths`), which a mix may have made already.
Image sizes stand in the records, so a plan of the whole stage is made before one pixel is decoded,
and what does not fit is refused or left out, with its reason, before training starts.

    lengths.parquet   a row per example of every row of the mix that has any
    dropped.jsonl     a row per row of the mix that is not trained on
    shrunk.jsonl      with `over_budget: downscale`, a row per row whose images are scaled down

Leaves out on purpose: cutting text.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_parts
from pellucid.base.paths import write_text
from pellucid.prompt.lengths import measure
from pellucid.prompt.render import Renderer
from pellucid.recipe.train import Stage
from pellucid.store import MixRow, Store
from pellucid.store.arrow import LONG_GROUP_ROWS, batches, opened, write_tables
from pellucid.store.lengths import Index
from pellucid.store.mixes import MixMode
from pellucid.train.columns import Coded, Ids

FILE = "lengths.parquet"
DROPPED = "dropped.jsonl"
SHRUNK = "shrunk.jsonl"
SMALLEST = 16
"""Tokens under which a picture is not scaled down: its record is left out instead."""

_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("record", pa.string()),
        ("example", pa.int32()),
        ("mode", pa.string()),
        ("task", pa.string()),
        ("tokens", pa.int64()),
        ("patches", pa.int64()),
        ("supervised", pa.int64()),
        ("image_tokens", pa.int64()),
        ("kept", pa.bool_()),
    ]
)
_AT_ONCE = 65_536
"""Rows of the mix that the stores are asked for at a time, shard by shard."""
_SHOWN = 5
"""Records that an error message names."""
_BATCH_ROWS = 8192
"""Rows of the index that are Python objects at a time."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """What is trained on. *Rows* are the kept rows of the mix, in its order.

    Some 40 bytes an example are held, whole numbers of 32 bits; ids are read from the mix.
    """

    records: Sequence[str]
    """Record id, per row."""
    overrides: Sequence[MixMode]
    """Mode override of the mix, per row."""
    entries: np.ndarray
    """(entries,) The row of each entry: every row as often as the mix repeats it. In the mix's
    order, window by window where it has a curriculum."""
    row: np.ndarray
    """(examples,) The row of each example; ascending."""
    part: np.ndarray
    """(examples,) Which of its record's examples it is."""
    modes: Sequence[str]
    """Mode of the last turn, per example."""
    tasks: Sequence[str]
    """Task of its record, per example."""
    tokens: np.ndarray
    """(examples,)"""
    patches: np.ndarray
    """(examples,)"""
    supervised: np.ndarray
    """(examples,) Number of targets; at least 1, as the renderer shows no example without."""
    image_tokens: Sequence[int | None]
    """What the largest image of an example is scaled down to; None for the model's own budget."""
    windows: tuple[int, ...] = ()
    """Entries of each window of the mix's curriculum, which `entries` goes through in order; empty
    without one."""

    def examples_of(self, row: int) -> range:
        """The examples of a row."""
        wanted = np.array((row, row + 1), self.row.dtype)  # of another type, all rows were copied
        first, after = np.searchsorted(self.row, wanted)
        return range(int(first), int(after))


class Budget(NamedTuple):
    """Limits of one example."""

    max_tokens: int
    max_patches: int
    context_tokens: int

    def exceeded(self, tokens: int, patches: int) -> str:
        """Why an example cannot be trained on; empty when it can.

        >>> Budget(512, 64, 256).exceeded(300, 70)
        '70 patches > pack.max_patches 64; 300 tokens > the context of 256'
        """
        reasons = []
        if tokens > self.max_tokens:
            reasons.append(f"{tokens} tokens > pack.max_tokens {self.max_tokens}")
        if patches > self.max_patches:
            reasons.append(f"{patches} patches > pack.max_patches {self.max_patches}")
        if tokens > self.context_tokens:
            reasons.append(f"{tokens} tokens > the context of {self.context_tokens}")
        return "; ".join(reasons)


def index_lengths(
    folder: Path,
    stage: Stage,
    mix: Sequence[MixRow],
    stores: Store,
    renderer: Renderer,
    context_tokens: int,
    keep: bool = True,
) -> Lengths:
    """Measure a mix, or read what an earlier try measured.

    Args:
        folder: the stage's folder.
        stage: gives the budgets and what over-budget records do.
        mix: the rows, in the mix's order.
        stores: holds their records.
        renderer: decides the lengths.
        context_tokens: the longest example that the model can see.
        keep: whether the stores get the label that was not there (see `store/lengths`).

    Raises:
        UserError: nothing is left to train on; nothing or everything is supervised; or records are
            over budget and `over_budget` is `refuse`.
    """
    budget = Budget(stage.pack.max_tokens, stage.pack.max_patches, context_tokens)
    shrinks = stage.pack.over_budget == "downscale"
    key = hash_parts([renderer.hash, budget, map(_key, mix), _SCHEMA.names, shrinks])
    path = folder / FILE
    if not path.exists() or _key_of(path) != key:
        rows = _measure(folder, mix, stores, renderer, budget, shrinks, keep)
        schema = _SCHEMA.with_metadata({"key": key})
        write_tables(path, rows, schema, LONG_GROUP_ROWS)
    found, sums = _select(mix, path)
    refuse_unfit(stage, sums, _read_dropped(folder))
    return found


def _key_of(path: Path) -> str | None:
    with opened(path) as file:
        told = (file.schema_arrow.metadata or {}).get(b"key")
    return told.decode() if told else None


def _read_dropped(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / DROPPED).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _measure(
    folder: Path,
    mix: Sequence[MixRow],
    stores: Store,
    renderer: Renderer,
    budget: Budget,
    shrinks: bool,
    keep: bool,
) -> Iterator[pa.Table]:
    """Look every row up; write down what is left out, and what is scaled down.

    Yields:
        Rows of the index, some at a time.
    """
    rows: list[dict[str, Any]] = []
    dropped: list[str] = []
    shrunk: list[str] = []
    known = _known(mix, stores, renderer, keep)
    for number, (item, told) in enumerate(zip(mix, known, strict=True)):
        examples = _looked_up(number, item, told) or list(_examples(number, item, stores, renderer))
        reasons = [budget.exceeded(one["tokens"], one["patches"]) for one in examples]
        over = next(filter(None, reasons), "")
        if over and shrinks and (most := _image_budget(item, stores, renderer, budget)):
            line = {"row": number, "record": item.id, "image_tokens": most, "reason": over}
            shrunk.append(_line(line))
            smaller = renderer.within(most, "pack.over_budget")
            examples = list(_examples(number, item, stores, smaller, most))
            over = ""
        rows += [{**one, "kept": not over} for one in examples]
        if over or not examples:
            why = {"over_budget": bool(over), "reason": over or "nothing is supervised"}
            dropped.append(_line({"row": number, "record": item.id, **why}))
        if len(rows) >= _BATCH_ROWS:
            yield pa.Table.from_pylist(rows, schema=_SCHEMA)
            rows.clear()
    yield pa.Table.from_pylist(rows, schema=_SCHEMA)
    # An index vouches for the files beside it, so an older one goes before they change.
    (folder / FILE).unlink(missing_ok=True)
    write_text(folder / DROPPED, "".join(dropped))
    if shrinks:
        write_text(folder / SHRUNK, "".join(shrunk))
    else:
        (folder / SHRUNK).unlink(missing_ok=True)


def _known(
    mix: Sequence[MixRow], stores: Store, renderer: Renderer, keep: bool
) -> Iterator[dict[str, Any]]:
    """What the length index says of every row."""
    items = iter(mix)
    with Index(stores, renderer.hash, lambda one: measure(one, renderer), keep) as index:
        while ids := [item.id for item in islice(items, _AT_ONCE)]:
            found = index.rows(ids)
            for start in range(0, len(ids), _BATCH_ROWS):
                yield from found.slice(start, _BATCH_ROWS).to_pylist()


def _looked_up(number: int, item: MixRow, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The examples of a row as the index has them; none where it has none or cannot say."""
    mode = told["own"] if item.mode == "as_is" else item.mode
    return [
        {"row": number, "record": item.id, "example": part, "task": told["task"], **one,
         "image_tokens": None}
        for part, one in enumerate((told[mode] if mode else None) or ())
    ]  # fmt: skip


def _line(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False) + "\n"


def _image_budget(item: MixRow, stores: Store, renderer: Renderer, budget: Budget) -> int:
    """Most tokens that an image may have for every example of a row to fit; 0 for none."""
    found = []
    for one in renderer.examples(stores.get(item.id), item.mode):
        sizes = [plan.tokens for plan in one.plans]
        room = min(budget.max_tokens, budget.context_tokens) - (len(one.ids) - sum(sizes))
        room = min(room, budget.max_patches // renderer.images.patches_per_token)
        fits = (
            most for most in range(max(sizes, default=0), 0, -1) if _filled(sizes, most) <= room
        )
        found.append(next(fits, 0))
    least = min(found, default=0)
    return least if least >= SMALLEST else 0


def _filled(sizes: Sequence[int], most: int) -> int:
    """Tokens of images that have no more than so many each."""
    return sum(min(size, most) for size in sizes)


def _examples(
    number: int,
    item: MixRow,
    stores: Store,
    renderer: Renderer,
    image_tokens: int | None = None,
) -> Iterator[dict[str, Any]]:
    record = stores.get(item.id)
    try:
        rendered = renderer.examples(record, item.mode)
    except ValueError as error:
        fix = "leave it out of the mix, or change the mix's mode"
        raise UserError(Problem("mix", item.id, f"cannot be rendered: {error}", fix)) from error
    for part, one in enumerate(rendered):
        yield {
            "row": number,
            "record": item.id,
            "example": part,
            "mode": one.mode,
            "task": record.task,
            "tokens": len(one.ids),
            "patches": sum(plan.patches for plan in one.plans),
            "supervised": sum(one.supervised),
            "image_tokens": image_tokens,
        }


class Sums(NamedTuple):
    """What is kept, added up."""

    examples: int
    tokens: int
    supervised: int


def refuse_unfit(stage: Stage, kept: Sums, dropped: Iterable[Mapping[str, Any]]) -> None:
    """Stop a stage that cannot do what it says.

    Args:
        stage: the stage.
        kept: what is trained on.
        dropped: rows of `dropped.jsonl`.

    Raises:
        UserError: see `index_lengths`.
    """
    first, count, over = list[str](), 0, 0
    for one in dropped:
        if count < _SHOWN:
            first.append(f"{one['record']}: {one['reason']}")
        count += 1
        over += bool(one["over_budget"])
    shown, at = "; ".join(first), f"train.{stage.name}"
    if stage.pack.over_budget == "refuse" and over:
        rule = f"is refuse, and {over} records do not fit ({shown})"
        fix = "raise the budgets, or set it to drop"
        raise UserError(Problem(f"{at}.pack.over_budget", "refuse", rule, fix))
    if kept.examples == 0:
        rule = f"leaves nothing to train on: {count} records were left out ({shown})"
        raise UserError(Problem(f"{at}.mix", stage.mix, rule, "raise the budgets, or mend the mix"))
    _, tokens, supervised = kept
    if supervised in (0, tokens):
        rule = f"is {100 * supervised // tokens} % supervised ({supervised} of {tokens} tokens)"
        fix = "mend the conversations: assistant turns are learnt from, the rest is not"
        raise UserError(Problem(f"{at}.mix", stage.mix, rule, fix))


def _select(mix: Sequence[MixRow], path: Path) -> tuple[Lengths, Sums]:
    """What of the index is trained on, and how much that is."""
    rows = _whole(path, "row")
    opens = np.diff(rows, prepend=-1) > 0
    numbers = rows[opens]
    wanted = np.zeros(len(mix), bool)
    wanted[numbers] = True
    repeat, rank = array("i"), array("i")

    def modes() -> Iterator[list[MixMode]]:
        kept = (item for item, is_kept in zip(mix, wanted, strict=True) if is_kept)
        while some := list(islice(kept, _BATCH_ROWS)):
            repeat.extend(item.repeat for item in some)
            rank.extend(item.rank for item in some)
            yield [item.mode for item in some]

    overrides = Coded(modes())
    entries = np.repeat(np.arange(len(numbers), dtype=np.int32), repeat)
    ranks = np.array(rank, np.int32)[entries]
    windows = np.unique(ranks, return_counts=True)[1]
    found = Lengths(
        records=Ids(mix, numbers),
        overrides=overrides,
        entries=entries[np.argsort(ranks, kind="stable")] if len(windows) > 1 else entries,
        row=np.cumsum(opens, dtype=np.int32) - np.int32(1),
        part=_whole(path, "example"),
        modes=Coded(_kept(path, "mode")),
        tasks=Coded(_kept(path, "task")),
        tokens=_whole(path, "tokens"),
        patches=_whole(path, "patches"),
        supervised=_whole(path, "supervised"),
        image_tokens=Coded(_kept(path, "image_tokens")),
        windows=tuple(windows.tolist()) if len(windows) > 1 else (),
    )
    sums = Sums(len(found.row), int(found.tokens.sum()), int(found.supervised.sum()))
    return found, sums


def _kept(path: Path, name: str) -> Iterator[list[Any]]:
    """A column of the examples that are kept, some at a time."""
    for batch in batches(path, _BATCH_ROWS, [name, "kept"]):
        yield batch.filter(batch["kept"])[name].to_pylist()


def _whole(path: Path, name: str) -> np.ndarray:
    """(examples,) int32: a column of numbers of those that are kept."""
    found = array("i")
    for piece in _kept(path, name):
        found.extend(piece)
    return np.frombuffer(found, np.int32)


def _key(row: MixRow) -> list[object]:
    return [row.id, row.repeat, row.mode]
