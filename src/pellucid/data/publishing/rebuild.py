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
from pellucid.data.looking.query import Asker, ask
from pellucid.data.publishing.layout import CARD, LEDGER, RECIPE, RECORD, WITHHELD, read_publish
from pellucid.data.publishing.publish import being_written, image_bytes, left_out
from pellucid.schema.record import Record
from pellucid.store import Dropped, Writer, arrow, layout
from pellucid.store.images import read_there
from pellucid.store.labels import label_files
from pellucid.store.manifest import ledger_hash, record_hash
from pellucid.store.shards import Stored, find_images, read_shard


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
    with ask(published=[folder], **({"local": local} if local else {})) as asker:
        _prepare(asker, folder, bool(local))
        found = list(_differences(asker, folder, local))
        if found:
            return Rebuilt(facts["original"]["hash"], "", 0, tuple(found))
        work = target.with_name(f".{target.name}.rebuilding")
        with boundary("rebuilding the store"), sole(work) as held:
            if not held:
                raise UserError(being_written(target))
            if os.path.lexists(target):  # another process has made it since it was looked for
                remove_tree(work)
            if made := rebuilt_before(folder, target):
                return made
            clear(work)
            _write(asker, folder, local, facts, work)
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


def _prepare(asker: Asker, folder: Path, local: bool) -> None:
    """Views: `withheld` rows, and `found`, where each of them lies locally (null where nowhere)."""
    asker.view("behind", [folder / WITHHELD])
    asker.do(f"CREATE VIEW withheld AS SELECT * FROM behind WHERE kind = '{RECORD}'")
    asker.do("CREATE TEMP TABLE places (id VARCHAR, lies STRUCT(file VARCHAR, row BIGINT))")
    if local:
        asker.do(
            "INSERT INTO places SELECT id, min({'file': filename, 'row': file_row_number}) "
            "FROM local_records WHERE id IN (SELECT id FROM withheld) GROUP BY id ORDER BY id"
        )
    asker.do(
        "CREATE TEMP TABLE found AS SELECT w.*, p.lies.file AS local_file, "
        "p.lies.row AS local_row FROM withheld w LEFT JOIN places p USING (id) "
        "ORDER BY shard, place"
    )


def _behind(asker: Asker, shard: str) -> list[dict[str, Any]]:
    """What was withheld of a shard, in order, with the local file and row of each."""
    return asker.rows("SELECT * FROM found WHERE shard = ? ORDER BY place", [shard])


def _differences(asker: Asker, folder: Path, local: Sequence[Path]) -> Iterator[Difference]:
    """What of the withheld rows is not there as it was."""
    progress, shards = Progress("comparing", len(read_publish(folder)["shards"])), 0
    for shard in read_publish(folder)["shards"]:
        rows = _behind(asker, shard)
        table = _local_rows(rows)
        there = dict(zip(table["id"].to_pylist(), table.to_pylist(), strict=True))
        for row in rows:
            if row["id"] in there:
                yield from _compared(row, there[row["id"]])
            else:
                yield _missing(asker, row, bool(local))
        yield from _images_lost(rows, there, [folder, *local])
        shards += 1
        progress.at(shards, "shards")
    yield from _ledger_lost(asker, local)


def _compared(row: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Difference]:
    """The same id, so the same content and key; the original and the rest may differ."""
    raw, whole = hash_bytes(there["raw"]), record_hash(there)
    if raw != row["raw_hash"]:
        yield Difference("record", _key(row), "raw_hash", row["raw_hash"], raw)
    elif whole != row["hash"]:
        yield Difference("record", _key(row), "hash", row["hash"], whole)


def _missing(asker: Asker, row: Mapping[str, Any], local: bool) -> Difference:
    """A row that is nowhere under its id: is there another content under its source key?"""
    got: list[dict[str, Any]] = []
    if local:
        got = asker.rows(
            "SELECT content_hash FROM local_records WHERE source.dataset = ? AND source.config = ? "
            "AND source.split = ? AND source.row = ? AND task = ? AND id NOT IN (SELECT id FROM "
            "withheld) AND id NOT IN (SELECT id FROM published_records) "
            "ORDER BY content_hash LIMIT 1",
            [row[name] for name in ("dataset", "config", "split", "row", "task")],
        )
    other = got[0]["content_hash"] if got else ""
    return Difference("record", _key(row), "content_hash", row["content_hash"], other)


def _images_lost(
    rows: Sequence[Mapping[str, Any]], there: Mapping[str, Any], folders: Sequence[Path]
) -> Iterator[Difference]:
    """Images of records that are there, whose bytes are not."""
    shown = {sha256: row for row in rows if row["id"] in there for sha256 in row["images"]}
    images = _find(folders, set(shown))
    for sha256, row in shown.items():
        data = read_there(images[sha256].place) if sha256 in images else b""
        if hash_bytes(data) != sha256:
            got = hash_bytes(data) if data else ""
            yield Difference("image", f"of {_key(row)}", "sha256", sha256, got)


def _ledger_lost(asker: Asker, local: Sequence[Path]) -> Iterator[Difference]:
    """Input rows that became no record, and that no local ledger has as they were."""
    have = {ledger_hash(row): row["row"] for row in _local_left_out(local)}
    other = {number: hash for hash, number in have.items()}
    for row in asker.rows(f"SELECT * FROM behind WHERE kind = '{LEDGER}' ORDER BY row, hash"):
        if row["hash"] not in have:
            got = other.get(row["row"], "")
            yield Difference("ledger", f"row {row['row']}", "hash", row["hash"], got)


def _local_left_out(local: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for folder in local:
        yield from left_out(folder)


def _key(row: Mapping[str, Any]) -> str:
    parts = [row["dataset"], row["config"], row["split"], f"row {row['row']}", row["task"]]
    return ", ".join(part for part in parts if part)


def _find(folders: Sequence[Path], sha256s: set[str]) -> dict[str, Stored]:
    """Images in the first folder that has them."""
    found: dict[str, Stored] = {}
    for folder in folders:
        found |= find_images(folder, sha256s - set(found))
    return found


def _local_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Those of the withheld rows that lie somewhere, in their order."""
    by_file: dict[str, list[int]] = {}
    for row in rows:
        if row["local_file"] is not None:
            by_file.setdefault(row["local_file"], []).append(row["local_row"])
    tables = [
        arrow.read_table(Path(file)).take(pa.array(places, pa.int64()))
        for file, places in sorted(by_file.items())
    ]
    table = pa.concat_tables([arrow.RECORDS.empty_table(), *tables])
    order = {id: at for at, id in enumerate(table["id"].to_pylist())}
    places = [order[row["id"]] for row in rows if row["id"] in order]
    return table.take(pa.array(places, pa.int64()))


def _write(
    asker: Asker, folder: Path, local: Sequence[Path], facts: Mapping[str, Any], work: Path
) -> None:
    """The whole store: every shard with its withheld rows back in their places."""
    progress = Progress("rebuilding", len(facts["shards"]))
    for number, shard in enumerate(facts["shards"]):
        rows = _behind(asker, shard)
        records = _merged(
            read_shard(folder, shard), _local_rows(rows), [row["place"] for row in rows]
        )
        images = _find([folder, *local], {ref.sha256 for one in records for ref in one.images})
        writer = Writer(work)
        for record in records:
            for ref in record.images:
                writer.keep(image_bytes(images, ref.sha256, record.id), images[ref.sha256].facts)
        dropped = list(_dropped(asker, folder, local, facts)) if number == 0 else []
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


def _dropped(
    asker: Asker, folder: Path, local: Sequence[Path], facts: Mapping[str, Any]
) -> Iterator[Dropped]:
    """The input rows that became no record, as the whole store told them."""
    if facts["untold"]:
        sql = f"SELECT hash FROM behind WHERE kind = '{LEDGER}' ORDER BY row, hash"
        wanted = Counter(row["hash"] for row in asker.rows(sql))
        for row in _local_left_out(local):
            if wanted[ledger_hash(row)] > 0:
                wanted[ledger_hash(row)] -= 1
                yield Dropped(row["row"], row["key"], row["reason"])
        return
    behind = {row["id"] for row in asker.rows("SELECT id FROM withheld ORDER BY id")}
    for row in left_out(folder):
        if row["key"] not in behind:
            yield Dropped(row["row"], row["key"], row["reason"])
