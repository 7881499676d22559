"""Write what licences allow of a store, and of the rest what is needed to make it again.

Works in a hidden folder beside the target, shard by shard, and renames it at the end: the target is
there whole or not at all, and a killed call goes on where it was. Records and images are copied as
they are. Leaves out on purpose: judging whether a licence was rightly stated.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_bytes, hash_file, hash_json
from pellucid.base.paths import (
    atomic,
    clear,
    remove_tree,
    sole,
    sweep_temporaries,
    write_json,
    write_text,
)
from pellucid.base.paths import publish as rename
from pellucid.base.progress import Progress
from pellucid.data.looking.card import Withheld, card
from pellucid.data.looking.query import ask
from pellucid.data.publishing.layout import (
    CARD,
    COLUMNS,
    FORMAT,
    LEDGER,
    PUBLISH,
    RECIPE,
    RECORD,
    UNTOLD_REASON,
    WITHHELD,
    WITHHELD_REASON,
    read_publish,
)
from pellucid.schema.record import Record
from pellucid.store import Dropped, StoreManifest, Writer, arrow, layout
from pellucid.store.images import read_there
from pellucid.store.keys import words_of
from pellucid.store.labels import label_files
from pellucid.store.manifest import ledger_hash, record_hash
from pellucid.store.shards import ImageIndex, read_shard, shard_names
from pellucid.store.spill import Sorter

_BATCH_ROWS = 2048
_GROUP_ROWS = 4096
"""Rows of a group of `withheld.parquet`, at least; what describes a group is held until the end."""
_STATE = "key.json"
"""What the hidden folder is for; another call than that starts afresh."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was written."""

    folder: Path
    records: int
    withheld: int
    licences: Mapping[str, int]
    """Published records by licence."""
    withheld_licences: Mapping[str, int]
    images: int
    shared_images: int
    """Published images that withheld records show too."""
    untold: int
    """Rows of the ledger whose reason is withheld."""
    original: str
    """Manifest hash of the whole store."""
    published: str
    """Manifest hash of what was published."""
    unmatched: tuple[str, ...]
    """Allowed licences that no record has."""


def publish(
    name: str, source: Path, target: Path, allow: Collection[str], recipe: str | None = None
) -> Published:
    """Publish what may go.

    Args:
        name: what the store is called: the title of the datasheet, and its source in the recipe.
        source: a finished store.
        target: the folder to make; must not exist, or be what this very call has made before.
        allow: licences whose records may go, as the records spell them; case does not matter.
        recipe: YAML that makes the store, where it is known (see `slice_of`).

    Raises:
        UserError: no record has an allowed licence, the target is something else, or an image of
            the store is damaged.
        DiskError: the disk refused.
    """
    allowed = _allowed(_licences(source), allow)
    same = {licence.casefold() for licence in allowed}
    unmatched = tuple(one for one in allow if one.casefold() not in same)
    with boundary("publishing"):
        whole = store.manifest(source)
        labels = _label_hashes(source)
        key = hash_json([FORMAT, name, sorted(allowed), recipe, whole.parts(), labels])
        if os.path.lexists(target):
            return _made_before(target, key, unmatched)
        work = target.with_name(f".{target.name}.publishing")
        with sole(work) as held:
            if not held:
                raise UserError(being_written(target))
            if os.path.lexists(target):  # another process has made it since it was looked for
                remove_tree(work)
                return _made_before(target, key, unmatched)
            _begin(work, key)
            _copy(source, work, allowed)
            _finish(name, source, work, allowed, whole, recipe, key)
            (work / _STATE).unlink()
            rename(work, target)
    return _told(target, unmatched)


def slice_of(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a recipe that makes one store, from the slice of its artifact.

    Args:
        name: the source's name in the recipe.
        told: `Manifest.slice` of a data artifact, or the `import.json` of a store of its own:
            `source`, `inputs`, `seed`, and `image_folder` where pictures lay in a folder apart.
    """
    source = {key: value for key, value in told["source"].items() if value is not None}
    if told["inputs"]:
        source["path"] = "SAY-WHERE"
    if told.get("image_folder"):
        source["image_folder"] = "SAY-WHERE"
    return {"seed": told["seed"], "data": {"sources": {name: source}}}


def _licences(source: Path) -> dict[str, int]:
    found: Counter[str] = Counter()
    with ask(store=[source]) as asker:
        for row in asker.each(
            "store",
            "SELECT source.licence AS licence, count(*) AS n FROM part_records "
            "GROUP BY ALL ORDER BY licence",
        ):
            found[row["licence"]] += row["n"]
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _allowed(counts: Mapping[str, int], allow: Collection[str]) -> set[str]:
    """The licences of a store that are allowed.

    Raises:
        UserError: there are none.
    """
    named = {licence.casefold() for licence in allow}
    found = {licence for licence in counts if licence.casefold() in named}
    if not found:
        fix = f"allow one of {', '.join(counts)}" if counts else "the store holds none"
        told = " ".join(allow)
        raise UserError(Problem("--allow", told, "is the licence of no record", fix))
    return found


def _made_before(target: Path, key: str, unmatched: tuple[str, ...]) -> Published:
    """What is there already, if this call made it."""
    same = (target / PUBLISH).is_file() and read_publish(target)["key"] == key
    if not same:
        raise UserError(Problem("--to", str(target), "exists", "name a new folder"))
    return _told(target, unmatched)


def being_written(target: Path) -> Problem:
    """Another process makes the same folder."""
    rule, fix = "is being written by another process", "wait for it, or name a new folder"
    return Problem("--to", str(target), rule, fix)


def _begin(work: Path, key: str) -> None:
    """Empty the hidden folder, unless a killed call of the same key filled it."""
    state = work / _STATE
    if not state.is_file() or state.read_text("utf-8") != key:
        clear(work)
        write_text(state, key)
    sweep_temporaries(work)


def _copy(source: Path, work: Path, allowed: Collection[str]) -> None:
    """The allowed records with their images and labels, and the ledger of all."""
    shards = shard_names(source)
    whole = _all_allowed(source, allowed)
    progress, images = Progress("publishing", len(shards)), ImageIndex([source])
    for number, shard in enumerate(shards):
        writer = Writer(work)
        if not writer.done(shard):
            dropped = list(_dropped(source, whole)) if number == 0 else []
            _copy_shard(source, shard, writer, allowed, images, dropped)
        progress.at(number + 1, "shards")
    Writer(work).finish()
    _copy_labels(source, work)


def _copy_shard(
    source: Path,
    shard: str,
    writer: Writer,
    allowed: Collection[str],
    images: ImageIndex,
    dropped: list[Dropped],
) -> None:
    table = read_shard(source, shard)
    kept = _allowed_mask(table, allowed)
    records = arrow.from_table(table.filter(kept))
    take_images(writer, records, images)
    left = table.filter(pc.invert(kept))
    for id, origin in zip(left["id"].to_pylist(), left["source"].to_pylist(), strict=True):
        reason = WITHHELD_REASON.format(licence=origin["licence"])
        dropped.append(Dropped(origin["row"], id, reason))
    writer.shard(shard, records, dropped)


def take_images(writer: Writer, records: Sequence[Record], images: ImageIndex) -> None:
    """Take the images of a shard's records into the shard, each checked.

    Raises:
        UserError: a store lacks an image, or its bytes are others.
    """
    for id, sha256 in ((record.id, ref.sha256) for record in records for ref in record.images):
        stored = images.get(sha256)
        data = read_there(stored.place) if stored else b""
        if stored is None or hash_bytes(data) != sha256:
            rule = f"is damaged or missing; record {id} shows it"
            raise UserError(Problem("image", sha256, rule, "make the store again"))
        writer.keep(data, stored.facts)


def _allowed_mask(table: pa.Table, allowed: Collection[str]) -> pa.ChunkedArray:
    licences = pc.struct_field(table["source"], "licence")
    return pc.is_in(licences, pa.array(sorted(allowed), pa.string()))


def _all_allowed(source: Path, allowed: Collection[str]) -> bool:
    return set(_licences(source)) <= set(allowed)


def _dropped(source: Path, whole: bool) -> Iterator[Dropped]:
    """The input rows that became no record.

    Their licence is not known: what the ledger says of them goes only where every record goes.
    """
    for row in left_out(source):
        if whole:
            yield Dropped(row["row"], row["key"], row["reason"])
        else:
            yield Dropped(row["row"], f"row {row['row']}", UNTOLD_REASON)


def left_out(source: Path) -> Iterator[dict[str, Any]]:
    """Rows of a store's ledger that are no record's."""
    for batch in arrow.batches(source / layout.LEDGER, _BATCH_ROWS):
        yield from (row for row in batch.to_pylist() if row["decision"] != "kept")


def _label_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every label file, by path in the store."""
    files = [path for parts in label_files(folder).values() for path in parts]
    return {str(path.relative_to(folder)): hash_file(path) for path in files}


def _copy_labels(source: Path, work: Path) -> None:
    """Label columns, of the published records alone; no more than one shard's ids are held."""
    shards = shard_names(work)
    for files in label_files(source).values():
        for path in files:
            table = arrow.read_table(path)
            if "id" in table.column_names:
                kept = _published(table["id"], source, work, path.stem, shards)
                arrow.write_table(work / path.relative_to(source), table.filter(kept))


def _published(
    ids: pa.ChunkedArray, source: Path, work: Path, part: str, shards: Sequence[str]
) -> pa.Array:
    """(ids,) bool: which records are published; a label file mostly is of the shard of its name."""
    if part in shards and pc.all(pc.is_in(ids, _read_ids(source, part)), min_count=0).as_py():
        return pc.is_in(ids, _read_ids(work, part)).combine_chunks()
    kept = np.zeros(len(ids), bool)
    for shard in shards:
        kept |= np.asarray(pc.is_in(ids, _read_ids(work, shard)))
    return pa.array(kept)


def _read_ids(folder: Path, shard: str) -> pa.Array:
    """Ids of a shard's records, in order."""
    return arrow.read_table(folder / layout.records(shard), ["id"])["id"].combine_chunks()


def _finish(
    name: str,
    source: Path,
    work: Path,
    allowed: Collection[str],
    whole: StoreManifest,
    recipe: str | None,
    key: str,
) -> None:
    """The table of what is withheld, the recipe, the datasheet; `publish.json` last."""
    told = _write_withheld(source, work / WITHHELD, allowed)
    if recipe:
        write_text(work / RECIPE, recipe)
    manifest, shared = store.manifest(work), _shared(work)
    facts: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "key": key,
        "allowed": sorted(allowed),
        "licences": _licences(work),
        "withheld_licences": dict(sorted(told.licences.items())),
        "withheld": sum(told.licences.values()),
        "untold": told.untold,
        "shared_images": shared,
        "shards": shard_names(source),
        "original": {"hash": whole.hash, **whole.parts()},
        "published": {"hash": manifest.hash, **manifest.parts()},
    }
    about = Withheld(told.licences, told.untold, shared, whole.hash, bool(recipe))
    write_text(work / CARD, card(name, [work], about))
    names = [WITHHELD, CARD, *([RECIPE] if recipe else [])]
    facts["files"] = {one: hash_file(work / one) for one in names} | _label_hashes(work)
    facts["hash"] = hash_json([facts["original"], facts["published"], facts["files"]])
    write_json(work / PUBLISH, facts)


@dataclass(frozen=True, slots=True)
class _Behind:
    licences: Mapping[str, int]
    untold: int


def _write_withheld(source: Path, path: Path, allowed: Collection[str]) -> _Behind:
    """Write what stays behind, a shard at a time, and count it."""
    licences: Counter[str] = Counter()
    untold = 0
    with atomic(path) as temporary, pq.ParquetWriter(temporary, COLUMNS, compression="zstd") as out:
        waiting = COLUMNS.empty_table()
        for shard in shard_names(source):
            rows = list(_withheld_rows(read_shard(source, shard), shard, allowed))
            licences.update(row["licence"] for row in rows)
            waiting = pa.concat_tables([waiting, pa.Table.from_pylist(rows, schema=COLUMNS)])
            if waiting.num_rows >= _GROUP_ROWS:
                out.write_table(waiting.combine_chunks())
                waiting = COLUMNS.empty_table()
        out.write_table(waiting.combine_chunks())
        if not _all_allowed(source, allowed):
            rows = [
                {"kind": LEDGER, "row": row["row"], "hash": ledger_hash(row)}
                for row in left_out(source)
            ]
            untold = len(rows)
            out.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))
    return _Behind(licences, untold)


def _withheld_rows(
    table: pa.Table, shard: str, allowed: Collection[str]
) -> Iterator[dict[str, Any]]:
    places = pc.indices_nonzero(pc.invert(_allowed_mask(table, allowed))).to_pylist()
    rows: Sequence[dict[str, Any]] = table.take(pa.array(places, pa.int64())).to_pylist()
    for at, row in zip(places, rows, strict=True):
        source = {key: row["source"][key] for key in ("dataset", "config", "split", "row")}
        yield {
            "kind": RECORD,
            "shard": shard,
            "place": at,
            **source,
            **{key: row[key] for key in ("id", "task", "content_hash")},
            "licence": row["source"]["licence"],
            "raw_hash": hash_bytes(row["raw"]),
            "hash": record_hash(row),
            "images": [image["sha256"] for image in row["images"]],
        }


def _shared(work: Path) -> int:
    """Published images that a withheld record shows too."""
    here, behind = Sorter(4), Sorter(4)
    for batch in arrow.batches(work / layout.INDEX, _BATCH_ROWS, ["sha256"]):
        here.add(words_of(batch["sha256"]))
    for batch in arrow.batches(work / WITHHELD, _BATCH_ROWS, ["images"]):
        behind.add(words_of(pc.list_flatten(batch["images"])))
    found = 0
    for images, shown in here.sorted().beside(behind.sorted()):
        wanted = set(map(tuple, shown.tolist()))
        found += sum(tuple(row) in wanted for row in images.tolist())
    return found


def _told(target: Path, unmatched: tuple[str, ...]) -> Published:
    facts = read_publish(target)
    return Published(
        folder=target,
        records=facts["published"]["records"][0],
        withheld=facts["withheld"],
        licences=facts["licences"],
        withheld_licences=facts["withheld_licences"],
        images=facts["published"]["images"][0],
        shared_images=facts["shared_images"],
        untold=facts["untold"],
        original=facts["original"]["hash"],
        published=facts["published"]["hash"],
        unmatched=unmatched,
    )
