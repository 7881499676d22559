"""Small stores for mixes: rows of text, written out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pellucid import store
from pellucid.data.mix import build_mix
from pellucid.recipe.mix import Mix
from pellucid.schema.record import Answer, Record, Source, assistant, make_record, user
from pellucid.store import Store, Writer, read_mix, write_label


@dataclass(frozen=True)
class Row:
    """One record of a store."""

    question: str
    split: str = "train"
    task: str = "t"
    reasoning: str | None = None
    domain: str = "d"
    licence: str = "MIT"
    gold: str = "1"
    difficulty: float | None = None


def record(folder: Path, number: int, row: Row) -> Record:
    return make_record(
        messages=(user(row.question), assistant(row.gold, row.reasoning)),
        images=(),
        answer=Answer("number", row.gold),
        task=row.task,
        domain=row.domain,
        difficulty=row.difficulty,
        source=Source(folder.name, row.split, number, row.licence),  # type: ignore[arg-type]
    )


def build(folder: Path, rows: Sequence[Row], shards: Sequence[Sequence[int]] = ()) -> Store:
    """A store; `shards` deals the rows to files, one file without it."""
    writer = Writer(folder)
    for name, numbers in enumerate(shards or [range(len(rows))]):
        writer.shard(f"s{name}", [record(folder, at, rows[at]) for at in numbers])
    writer.finish()
    return store.open(folder)


def label(opened: Store, name: str, **columns: Sequence[object]) -> None:
    """Write a label for all records, in the order of their questions."""
    (folder,) = opened.folders
    op, _, version = name.rpartition("@")
    by_row = opened.facts().sort_by("row")["id"]
    write_label(folder, op, int(version), pa.table({"id": by_row, **columns}))


def run(folder: Path, options: Mix, seed: int = 0, **stores: Store) -> tuple[store.Mix, dict]:
    """The mix and its summary."""
    build_mix("m", options, stores, seed, folder)
    return read_mix(folder), json.loads((folder / "summary.json").read_text())
