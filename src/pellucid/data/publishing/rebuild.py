"""Make a store whole again from its published part and the sources that others have.

The result is the store that was published, file by file and byte by byte; its manifest hash is
compared with the one that `publish.json` tells. Nothing is written unless every withheld row is
there with the hashes that `withheld.parquet` tells; what is not is named, row by row. Leaves out on
purpose: labels of withheld rows, which the published folder does not have.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import SHORT, hash_bytes, hash_file
from pellucid.base.paths import clear, remove_tree, sole
from pellucid.base.paths import publish as rename
from pellucid.base.progress import Progress
from pellucid.data.publishing.behind import Hashes, Local, key_of, withheld, withheld_ledger
from pellucid.data.publishing.layout import CARD, RECIPE, read_publish
from pellucid.data.publishing.publish import being_written, left_out, take_images
from pellucid.schema.record import Record
from pellucid.store import Dropped, Writer, arrow, layout
from pellucid.store.images import read_there
from pellucid.store.labels import label_files
from pellucid.store.manifest import ledger_hash, record_hash
from pellucid.store.shards import ImageIndex, read_shard


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the local sources do not give as it was."""

    what: str
    """record, image, or ledger (an input row that became no record)."""
    key: str
    """The record's source key, or the row."""
    hash: str
    """Which hash: content_hash, raw_hash, hash (the whole row) or sha256 (an image)."""
    expected: str
    got: str
    """Empty where there is nothing."""

    def __str__(self) -> str:
        got = f"got {self.got[:SHORT]}" if self.got else "there is none"
        return f"{self.what} {self.key}: {self.hash} expected {self.expected[:SHORT]}, {got}"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of a rebuild."""

    expected: str
    """Manifest hash of the store that was published."""
    got: str
    """That of the new store; empty when nothing was written."""
    records: int
    differences: tuple[Difference, ...]


def needs_sources(folder: Path) -> bool:
    """Whether something of a published store was withheld.

    Raises:
        UserError: the folder is no published store.
    """
    facts = read_publish(folder)
    return bool(facts["withheld"] or facts["untold"])


def rebuilt_before(folder: Path, target: Path) -> Rebuilt | None:
    """What an earlier call made of a published store; None where there is nothing yet.

    Raises:
        UserError: the folder is no published store, or the target is something else.
    """
    expected = read_publish(folder)["original"]["hash"]
    if not os.path.lexists(target):
        return None
    if (target / layout.STORE).is_file():
        store.check(target)
        manifest = store.manifest(target)
        if manifest.hash == expected:
            return Rebuilt(expected, expected, manifest.records.count, ())
    raise UserError(Problem("--to", str(target), "exists", "name a new folder"))


def rebuild(folder: Path, local: Sequence[Path], target: Path) -> Rebuilt:
    """Make the whole store.

    Args:
        folder: what `publish` made.
        local: finished stores that hold the withheld rows, more than those if they like.
        target: the folder to make; must not exist, or be what this call has made before.

    Raises:
        UserError: the published folder is damaged, or the target is something else.
        DiskError: the disk refused.
    """
    made = rebuilt_before(folder, target)
    if made:
        return made
    facts = read_publish(folder)
    store.check(folder, *local)
    _refuse_damaged(folder, facts)
    with boundary("reading the stores"):
        rows, images = Local(local), ImageIndex([folder, *local])
        found = tuple(_differences(folder, local, facts, rows, images))
    if found:
        return Rebuilt(facts["original"]["hash"], "", 0, found)
    work = target.with_name(f".{target.name}.rebuilding")
    with boundary("rebuilding the store"), sole(work) as held:
        if not held:
            raise UserError(being_written(target))
        if os.path.lexists(target):  # another process has made it since it was looked for
            remove_tree(work)
        if made := rebuilt_before(folder, target):
            return made
        clear(work)
        _write(folder, local, facts, rows, images, work)
        manifest = store.manifest(work)
        if manifest.hash != facts["original"]["hash"]:
            remove_tree(work)
            raise UserError(_unlike(folder, facts, manifest.parts()))
        rename(work, target)
    return Rebuilt(facts["original"]["hash"], manifest.hash, manifest.records.count, ())


def _refuse_damaged(folder: Path, facts: Mapping[str, Any]) -> None:
    """Every byte of the published part must be what was published."""
    fix = "fetch the published folder again"
    for name, expected in facts["files"].items():
        path = folder / name
        got = hash_file(path) if path.is_file() else "nothing"
        # A recipe and a datasheet are meant to be edited.
        if got != expected and name not in (RECIPE, CARD):
            raise UserError(Problem("folder", str(path), f"hashes to {got}, not {expected}", fix))
    parts = store.manifest(folder).parts()
    wrong = [name for name, told in parts.items() if told != facts["published"][name]]
    if wrong:
        faults = store.open(folder).verify()[:3]
        told = "; ".join(faults) or f"its {', '.join(wrong)} hash otherwise"
        raise UserError(Problem("folder", str(folder), f"is not as it was published: {told}", fix))


def _unlike(folder: Path, facts: Mapping[str, Any], parts: Mapping[str, Any]) -> Problem:
    wrong = [
        f"{name} {facts['original'][name]} became {told}"
        for name, told in parts.items()
        if told != facts["original"][name]
    ]
    rule = f"gives another store: {'; '.join(wrong)}"
    return Problem("folder", str(folder), rule, "publish it again with this version")


def _differences(
    folder: Path, local: Sequence[Path], facts: Mapping[str, Any], rows: Local, images: ImageIndex
) -> Iterator[Difference]:
    """What of the withheld rows is not there as it was."""
    progress = Progress("comparing", len(facts["shards"]))
    for done, (_, behind) in enumerate(withheld(folder, facts["shards"]), 1):
        table = rows.read([row["id"] for row in behind])
        there = dict(zip(table["id"].to_pylist(), table.to_pylist(), strict=True))
        for row in behind:
            if row["id"] in there:
                yield from _compared(row, there[row["id"]])
            else:
                other = rows.other(row, folder)
                hashes = "content_hash", row["content_hash"], other
                yield Difference("record", _key(row), *hashes)
        yield from _images_lost(behind, there, images)
        progress.at(done, "shards")
    if facts["untold"]:
        yield from _ledger_lost(folder, local)


def _compared(row: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Difference]:
    """The same id, so the same content and key; the original and the rest may differ."""
    raw, whole = hash_bytes(there["raw"]), record_hash(there)
    if raw != row["raw_hash"]:
        yield Difference("record", _key(row), "raw_hash", row["raw_hash"], raw)
    elif whole != row["hash"]:
        yield Difference("record", _key(row), "hash", row["hash"], whole)


def _images_lost(
    rows: Sequence[Mapping[str, Any]], there: Mapping[str, Any], images: ImageIndex
) -> Iterator[Difference]:
    """Images of records that are there, whose bytes are not."""
    shown = {sha256: row for row in rows if row["id"] in there for sha256 in row["images"]}
    for sha256, row in shown.items():
        stored = images.get(sha256)
        data = read_there(stored.place) if stored else b""
        if hash_bytes(data) != sha256:
            got = hash_bytes(data) if data else ""
            yield Difference("image", f"of {_key(row)}", "sha256", sha256, got)


def _ledger_lost(folder: Path, local: Sequence[Path]) -> Iterator[Difference]:
    """Input rows that became no record, and that no local ledger has as they were."""
    there = Hashes(ledger_hash(row) for row in _local_left_out(local))
    lost = [row for row in withheld_ledger(folder) if row["hash"] not in there]
    numbers = {row["row"] for row in lost}
    told = (row for row in _local_left_out(local) if row["row"] in numbers)
    have = {ledger_hash(row): row["row"] for row in told}
    other = {number: hash for hash, number in have.items()}
    for row in sorted(lost, key=lambda row: (row["row"], row["hash"])):
        got = other.get(row["row"], "")
        yield Difference("ledger", f"row {row['row']}", "hash", row["hash"], got)


def _local_left_out(local: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for folder in local:
        yield from left_out(folder)


def _key(row: Mapping[str, Any]) -> str:
    dataset, config, split, number, task = key_of(row)
    return ", ".join(part for part in (dataset, config, split, f"row {number}", task) if part)


def _write(
    folder: Path,
    local: Sequence[Path],
    facts: Mapping[str, Any],
    rows: Local,
    images: ImageIndex,
    work: Path,
) -> None:
    """The whole store: every shard with its withheld rows back in their places."""
    progress = Progress("rebuilding", len(facts["shards"]))
    for number, (shard, behind) in enumerate(withheld(folder, facts["shards"])):
        told = rows.read([row["id"] for row in behind])
        records = _merged(read_shard(folder, shard), told, [row["place"] for row in behind])
        writer = Writer(work)
        take_images(writer, records, images)
        dropped = list(_dropped(folder, local, facts)) if number == 0 else []
        writer.shard(shard, records, dropped)
        progress.at(number + 1, "shards")
    Writer(work).finish()
    for files in label_files(folder).values():
        for path in files:
            arrow.write_table(work / path.relative_to(folder), arrow.read_table(path))


def _merged(published: pa.Table, withheld: pa.Table, places: Sequence[int]) -> list[Record]:
    """Records of a shard, the withheld ones at their places among the others."""
    records = arrow.from_table(published)
    for at, record in zip(places, arrow.from_table(withheld), strict=True):  # places ascend
        records.insert(at, record)
    return records


def _dropped(folder: Path, local: Sequence[Path], facts: Mapping[str, Any]) -> Iterator[Dropped]:
    """The input rows that became no record, as the whole store told them.

    Where records are withheld and no row of the ledger is, the whole store left nothing out.
    """
    if facts["untold"]:
        wanted = Counter(row["hash"] for row in withheld_ledger(folder))
        for row in _local_left_out(local):
            if wanted[ledger_hash(row)] > 0:
                wanted[ledger_hash(row)] -= 1
                yield Dropped(row["row"], row["key"], row["reason"])
    elif not facts["withheld"]:
        for row in left_out(folder):
            yield Dropped(row["row"], row["key"], row["reason"])
