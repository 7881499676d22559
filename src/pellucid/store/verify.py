"""Check a finished store byte by byte.

Reads everything, keeps little; it is what `Store.verify` runs, and no read path calls it.
"""

from dataclasses import fields
from pathlib import Path

from pellucid.schema.record import Record, make_record
from pellucid.store import arrow, layout
from pellucid.store.images import Location, read_at
from pellucid.store.pixels import examine


def faults_of_store(folder: Path) -> list[str]:
    """What is wrong with a store folder, one sentence each; empty when it is sound."""
    index = arrow.read_table(folder / layout.INDEX).to_pylist()
    sizes = {row["sha256"]: (row["width"], row["height"]) for row in index}
    found = [fault for row in index for fault in _image_faults(folder, row)]
    ids: set[str] = set()
    for path in sorted((folder / "records").glob("*.parquet")):
        for record in arrow.from_table(arrow.read_table(path)):
            found += _record_faults(record, sizes)
            ids.add(record.id)
    ledger = arrow.read_table(folder / layout.LEDGER).to_pylist()
    kept = {row["key"] for row in ledger if row["decision"] == "kept"}
    if kept != ids:
        found.append(f"the ledger keeps {len(kept)} records, the store holds {len(ids)}")
    return found


def _image_faults(folder: Path, row: dict) -> list[str]:
    place = Location(folder / "images" / row["pack"], row["offset"], row["length"])
    try:
        facts = examine(read_at(place), max_pixels=row["width"] * row["height"])
    except (ValueError, OSError, AssertionError) as error:
        return [f"image {row['sha256']} cannot be read: {error}"]
    same = {name: getattr(facts, name) for name in row if name not in ("pack", "offset", "length")}
    return [
        f"image {row['sha256']}: {name} is {value}, the index says {row[name]}"
        for name, value in same.items()
        if value != row[name]
    ]


def _record_faults(record: Record, sizes: dict[str, tuple[int, int]]) -> list[str]:
    found = [
        f"record {record.id} shows image {ref.sha256}, which the index lacks at that size"
        for ref in record.images
        if sizes.get(ref.sha256) != (ref.width, ref.height)
    ]
    given = {field.name: getattr(record, field.name) for field in fields(record)}
    id, content_hash = given.pop("id"), given.pop("content_hash")
    try:
        again = make_record(**given)
    except ValueError as error:
        return [*found, f"record {id} is unsound: {error}"]
    if (again.id, again.content_hash) != (id, content_hash):
        found.append(f"record {id} does not hash to its id")
    return found
