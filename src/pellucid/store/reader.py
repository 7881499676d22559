"""Read one or several record stores as one.

Light facts of every record are read when a store is opened; conversations are read when they are
asked for, a row group at a time. Leaves out on purpose: writing, and any order that trains
something (`train/order.py`).
"""

import json
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import pyarrow as pa
import pyarrow.parquet as pq

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.schema.record import Record, Split
from pellucid.store import arrow, layout
from pellucid.store.facts import FACTS, STABLE_ORDER, read_facts
from pellucid.store.images import Location, read_at
from pellucid.store.verify import faults_of_store

_KEPT_BYTES = 256 * 2**20
"""Row groups that `Store.get` keeps, those last asked for; some 250,000 records of scenes."""


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
        table = pa.concat_tables(
            [read_facts(path, number) for number, path in enumerate(self._files)]
        ).sort_by([(name, "ascending") for name in STABLE_ORDER])
        places = zip(table["file"].to_pylist(), table["at"].to_pylist(), strict=True)
        self._where = dict(zip(table["id"].to_pylist(), places, strict=True))
        if len(self._where) < table.num_rows:
            names = [str(folder) for folder in self.folders]
            fix = "open each store once; two sources of one file need different dataset names"
            raise UserError(Problem("stores", names, "hold a record twice", fix))
        self._facts = table.select(FACTS)
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._kept_bytes = 0
        self._images = _read_index(self.folders)

    def __len__(self) -> int:
        return len(self._where)

    def facts(self) -> pa.Table:
        """One light row per record, in stable order; columns as in `facts.FACTS`."""
        return self._facts

    def records(
        self, split: Split | None = None, tasks: Sequence[str] = (), source: str | None = None
    ) -> list[Record]:
        """Records in stable order (dataset, config, row, task, id).

        Args:
            split: only this split; all when None.
            tasks: only these tasks; all when empty.
            source: only this dataset (`Record.source.dataset`); all when None.
        """
        wanted = [
            row["id"]
            for row in self._facts.select(["id", "split", "task", "dataset"]).to_pylist()
            if (split is None or row["split"] == split)
            and (not tasks or row["task"] in tasks)
            and (source is None or row["dataset"] == source)
        ]
        by_file: dict[int, list[str]] = {}
        for id in wanted:
            by_file.setdefault(self._where[id][0], []).append(id)
        found: dict[str, Record] = {}
        for number, ids in by_file.items():
            rows = pa.array([self._where[id][1] for id in ids])
            table = arrow.read_table(self._files[number]).take(rows)
            found.update((record.id, record) for record in arrow.from_table(table))
        return [found[id] for id in wanted]

    def get(self, id: str) -> Record:
        """One record.

        Raises:
            KeyError: there is no such record.
        """
        number, row = self._where[id]
        group, at = divmod(row, arrow.GROUP_ROWS)
        return arrow.from_table(self._group(number, group).slice(at, 1))[0]

    def image(self, sha256: str) -> bytes:
        """An image's encoded bytes, as they came.

        Raises:
            KeyError: there is no such image.
        """
        return read_at(self._images[sha256][0])

    def pixel_hash(self, sha256: str) -> str:
        """Hash of an image's size and RGB pixels: equal for equal pictures in different files."""
        return self._images[sha256][1]

    def asked(self) -> Iterator[Asked]:
        """What each record shows, asks and holds true, shard by shard; nothing else is read."""
        for path in self._files:
            for row in arrow.read_table(path, _ASKED).to_pylist():
                texts = {
                    role: [_text(turn) for turn in row["messages"] if turn["role"] == role]
                    for role in ("user", "assistant")
                }
                yield Asked(
                    id=row["id"],
                    split=row["source"]["split"],
                    images=tuple(image["sha256"] for image in row["images"]),
                    question=" ".join(texts["user"]),
                    gold=row["answer"]["gold"] if row["answer"] else texts["assistant"][-1],
                )

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

    def _group(self, number: int, group: int) -> pa.Table:
        key = (number, group)
        table = self._groups.get(key)
        if table is None:
            with pq.ParquetFile(self._files[number]) as file:
                table = file.read_row_group(group)
            self._groups[key] = table
            self._kept_bytes += table.nbytes
            while self._kept_bytes > _KEPT_BYTES and len(self._groups) > 1:
                self._kept_bytes -= self._groups.popitem(last=False)[1].nbytes
        self._groups.move_to_end(key)
        return table


def open(*folders: Path) -> Store:
    """Open finished stores as one.

    Raises:
        UserError: a folder is no finished store of this version, or two stores share records.
    """
    problems = [problem for folder in folders if (problem := _not_a_store(folder))]
    if problems:
        raise UserError(problems)
    with boundary("reading the store"):
        return Store(folders)


def _not_a_store(folder: Path) -> Problem | None:
    path = folder / layout.STORE
    if not path.is_file():
        unfinished = (folder / layout.PARTS).is_dir()
        rule = "is a store that was never finished" if unfinished else "is not a record store"
        fix = "run the data job again" if unfinished else f"give a folder that holds {layout.STORE}"
        return Problem("store", str(folder), rule, fix)
    with boundary("reading the store"):
        version = json.loads(path.read_text(encoding="utf-8")).get("format")
    if version != layout.FORMAT:
        rule = f"has layout {version}, this program reads {layout.FORMAT}"
        return Problem("store", str(folder), rule, "build the store again")
    return None


def _record_files(folder: Path) -> list[Path]:
    shards = json.loads((folder / layout.STORE).read_text(encoding="utf-8"))["shards"]
    return [folder / layout.records(shard) for shard in shards]


def _read_index(folders: Sequence[Path]) -> dict[str, tuple[Location, str]]:
    """SHA-256 -> where the bytes lie, and the pixel hash."""
    found: dict[str, tuple[Location, str]] = {}
    for folder in folders:
        for row in arrow.read_table(folder / layout.INDEX).to_pylist():
            place = Location(folder / "images" / row["pack"], row["offset"], row["length"])
            found.setdefault(row["sha256"], (place, row["pixel_sha256"]))
    return found


def _text(turn: Mapping[str, Any]) -> str:
    return "".join(part["text"] or "" for part in turn["content"] if part["type"] == "text")
