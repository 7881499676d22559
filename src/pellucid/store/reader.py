"""Read one or several record stores as one.

Where every record lies is found out when a store is opened (`places.py`); facts and conversations
are read when they are asked for, conversations a row group at a time. Nothing is held for each row.
Leaves out on purpose: writing, and any order that trains something (`train/order.py`).
"""

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.schema.record import Record, Split
from pellucid.store import arrow, layout
from pellucid.store.facts import FACTS, SORTED, STABLE_ORDER, read_facts
from pellucid.store.places import Images, Records
from pellucid.store.verify import faults_of_store

_KEPT_BYTES = 256 * 2**20
"""Row groups that `Store.get` keeps, those last asked for; some 250,000 records of scenes."""
_PASSING_BYTES = 8 * 2**20
"""Row groups that `Store.each` keeps."""
_ASKED_ROWS = 512
"""Records that are Python objects at a time."""

_ASKED = [
    "id", "source.split", "images.list.element.sha256", "answer.gold",
    "messages.list.element.role", "messages.list.element.content",
]  # fmt: skip


class Asked(NamedTuple):
    """A record without its origin and thinking."""

    id: str
    split: Split
    images: tuple[str, ...]
    """SHA-256 of the encoded bytes, in order."""
    question: str
    """All that the user says."""
    gold: str
    """The gold answer; the last reply when there is none."""


@final
class Store:
    """Records and images of one or several folders. Safe to share with forked workers."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._files = [path for folder in self.folders for path in _record_files(folder)]
        self._records = Records(self._files)
        if self._records.repeated() is not None:
            names = [str(folder) for folder in self.folders]
            fix = "open each store once; two sources of one file need different dataset names"
            raise UserError(Problem("stores", names, "hold a record twice", fix))
        self._groups = _Groups(self._files, _KEPT_BYTES)
        self._images = Images(self.folders)

    def __len__(self) -> int:
        return len(self._records)

    def facts(self, names: Sequence[str] = FACTS) -> pa.Table:
        """One light row per record, in stable order; columns as in `facts.FACTS`, or some of them.

        Read anew by every call: whoever has many records asks for `fact_blocks`.
        """
        blocks = [read_facts(self._files[0], 0, names).slice(0, 0), *self._facts(names)]
        return pa.concat_tables(blocks).select(list(names)).combine_chunks()

    def fact_blocks(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of `facts`, some thousands at a time."""
        for block in self._facts(names):
            yield block.select(list(names))

    def _facts(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Facts of every block of files, with the file and the row in it of each record."""
        wanted = list(dict.fromkeys([*names, *STABLE_ORDER]))
        for block in self._records.blocks:
            told = [read_facts(self._files[number], number, wanted) for number in block]
            yield pa.concat_tables(told).sort_by(SORTED).select([*names, "file", "at"])

    def records(
        self, split: Split | None = None, tasks: Sequence[str] = (), source: str | None = None
    ) -> list[Record]:
        """Records in stable order (dataset, config, row, task, id).

        Args:
            split: only this split; all when None.
            tasks: only these tasks; all when empty.
            source: only this dataset (`Record.source.dataset`); all when None.
        """
        found: list[Record] = []
        for facts in self._facts(["split", "task", "dataset"]):
            wanted = [
                (row["file"], row["at"])
                for row in facts.to_pylist()
                if (split is None or row["split"] == split)
                and (not tasks or row["task"] in tasks)
                and (source is None or row["dataset"] == source)
            ]
            by_file: dict[int, list[int]] = {}
            for number, at in wanted:
                by_file.setdefault(number, []).append(at)
            read: dict[tuple[int, int], Record] = {}
            for number, rows in by_file.items():
                table = arrow.read_table(self._files[number]).take(pa.array(rows))
                told = zip(rows, arrow.from_table(table), strict=True)
                read.update(((number, at), record) for at, record in told)
            found += [read[place] for place in wanted]
        return found

    def get(self, id: str) -> Record:
        """One record.

        Raises:
            KeyError: there is no such record.
        """
        return self._get(id, self._groups)

    def each(self, ids: Iterable[str]) -> Iterator[Record]:
        """Records one after the other; what has passed is not kept long, as by `get`.

        Raises:
            KeyError: there is no such record.
        """
        groups = _Groups(self._files, _PASSING_BYTES)
        for id in ids:
            yield self._get(id, groups)

    def _get(self, id: str, groups: "_Groups") -> Record:
        for number, row in self._records.candidates(id):
            group, at = divmod(row, arrow.GROUP_ROWS)
            told = groups.table(number, group).slice(at, 1)
            if told["id"][0].as_py() == id:
                return arrow.from_table(told)[0]
        raise KeyError(id)

    def stream(self, split: Split | None = None) -> Iterator[Record]:
        """Records shard by shard, as they are stored; a few are in memory at a time.

        Args:
            split: only this split; all when None.
        """
        for path in self._files:
            for record in _read_records(path):
                if split is None or record.source.split == split:
                    yield record

    def shards(self, folder: Path) -> Iterator[tuple[str, Iterator[Record]]]:
        """Name and records of each shard of one of its folders, read a row group at a time."""
        for path in _record_files(folder):
            yield path.stem, _read_records(path)

    def image(self, sha256: str) -> bytes:
        """An image's encoded bytes, as they came.

        Raises:
            KeyError: there is no such image.
        """
        data = self._images.read(sha256)
        if data is None:
            raise KeyError(sha256)
        return data

    def has_image(self, sha256: str) -> bool:
        """Whether there is such an image."""
        return self._images.place(sha256) is not None

    def pixel_hash(self, sha256: str) -> str:
        """Hash of an image's size and RGB pixels: equal for equal pictures in different files.

        Raises:
            KeyError: there is no such image.
        """
        pixels = self._images.pixels(sha256)
        if pixels is None:
            raise KeyError(sha256)
        return pixels

    def asked(self, stable: bool = False) -> Iterator[Asked]:
        """What each record shows, asks and holds true; nothing else is read.

        Args:
            stable: in the order of `facts`; else shard by shard, as they are stored.
        """
        for table in self._stable(_ASKED) if stable else self._shards(_ASKED):
            for batch in table.to_batches(_ASKED_ROWS):
                yield from map(_asked, batch.to_pylist())

    def _shards(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        for path in self._files:
            yield arrow.read_table(path, columns)

    def _stable(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Columns of the records files in the order of `facts`, block by block."""
        for block, facts in zip(self._records.blocks, self._facts(()), strict=True):
            told = [arrow.read_table(self._files[number], columns) for number in block]
            first, at = dict[int, int](), 0
            for number, table in zip(block, told, strict=True):
                first[number] = at
                at += table.num_rows
            starts = np.array([first[number] for number in facts["file"].to_pylist()])
            yield pa.concat_tables(told).take(pa.array(starts + np.asarray(facts["at"])))

    def pixel_hashes(self, ids: Collection[str]) -> set[str]:
        """Hashes of the pixels of all images of some records; no conversation is read."""
        wanted, found = set(ids), set[str]()
        for path in self._files:
            rows = arrow.read_table(path, ["id", "images.list.element.sha256"]).to_pylist()
            images = (image for row in rows if row["id"] in wanted for image in row["images"])
            found.update(self.pixel_hash(image["sha256"]) for image in images)
        return found

    def ledger(self) -> pa.Table:
        """What became of every input row, folder by folder; columns as in `arrow.LEDGER`."""
        return pa.concat_tables(
            [arrow.read_table(folder / layout.LEDGER) for folder in self.folders]
        )

    def verify(self) -> list[str]:
        """Check every byte: hashes of images and records, references, ledgers.

        Returns:
            What is wrong, one sentence each; empty for a sound store.
        """
        return [fault for folder in self.folders for fault in faults_of_store(folder)]


@final
class _Groups:
    """Row groups of files, those last asked for, up to so many bytes."""

    def __init__(self, files: Sequence[Path], most: int) -> None:
        self._files, self._most, self.bytes = files, most, 0
        self.held: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()

    def table(self, number: int, group: int) -> pa.Table:
        """One row group."""
        key = (number, group)
        table = self.held.get(key)
        if table is None:
            with pq.ParquetFile(self._files[number]) as file:
                table = file.read_row_group(group)
            self.held[key] = table
            self.bytes += table.nbytes
            while self.bytes > self._most and len(self.held) > 1:
                self.bytes -= self.held.popitem(last=False)[1].nbytes
        self.held.move_to_end(key)
        return table


def open(*folders: Path) -> Store:
    """Open finished stores as one.

    Raises:
        UserError: a folder is no finished store of this version, or two stores share records.
    """
    check(*folders)
    with boundary("reading the store"):
        return Store(folders)


def check(*folders: Path) -> None:
    """Refuse what is no finished store; nothing but `store.json` is read.

    Raises:
        UserError: a folder is no finished store of this version.
    """
    problems = [problem for folder in folders if (problem := _not_a_store(folder))]
    if problems:
        raise UserError(problems)


def _not_a_store(folder: Path) -> Problem | None:
    path = folder / layout.STORE
    if not path.is_file():
        unfinished = (folder / layout.PARTS).is_dir()
        rule = "is a store that was never finished" if unfinished else "is not a record store"
        fix = "run the data job again" if unfinished else f"give a folder that holds {layout.STORE}"
        return Problem("store", str(folder), rule, fix)
    with boundary("reading the store"):
        text = path.read_bytes()
    try:
        version = json.loads(text)["format"]
    except (ValueError, TypeError, KeyError):
        rule = f"has a {layout.STORE} that cannot be read"
        return Problem("store", str(folder), rule, "build the store again")
    if version != layout.FORMAT:
        rule = f"has layout {version}, this program reads {layout.FORMAT}"
        return Problem("store", str(folder), rule, "build the store again")
    return None


def _record_files(folder: Path) -> list[Path]:
    shards = json.loads((folder / layout.STORE).read_text(encoding="utf-8"))["shards"]
    return [folder / layout.records(shard) for shard in shards]


def _read_records(path: Path) -> Iterator[Record]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from arrow.from_table(file.read_row_group(group))


def _text(turn: Mapping[str, Any]) -> str:
    return "".join(part["text"] or "" for part in turn["content"] if part["type"] == "text")


def _asked(row: Mapping[str, Any]) -> Asked:
    texts = {
        role: [_text(turn) for turn in row["messages"] if turn["role"] == role]
        for role in ("user", "assistant")
    }
    return Asked(
        id=row["id"],
        split=row["source"]["split"],
        images=tuple(image["sha256"] for image in row["images"]),
        question=" ".join(texts["user"]),
        gold=row["answer"]["gold"] if row["answer"] else texts["assistant"][-1],
    )
