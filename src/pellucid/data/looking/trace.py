"""One record's whole way: its source row and original, each step, its labels, where its images lie.

What a run did with it (mixes, the artifacts that it rests on) is added by `flow`, which knows runs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.data.looking.query import Asker, ask, label_columns
from pellucid.data.looking.records import lines, read_record
from pellucid.schema.record import Record
from pellucid.store.shards import find_images

_LISTED = 5
"""Records that are named when an id fits several."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of an image lie."""

    sha256: str
    width: int
    height: int
    pack: str
    """Path of the tar file."""
    offset: int
    length: int
    pixel_sha256: str


@dataclass(frozen=True, slots=True)
class RecordTrace:
    """A record and where all of it came from."""

    record: Record
    file: str
    """The Parquet file that holds it."""
    row: int
    """Its row in that file, from 0."""
    images: tuple[Place, ...]
    """In the record's order."""
    labels: Mapping[str, Mapping[str, Any]]
    """Its row in every label column that has one, by `op@version`."""

    @property
    def original(self) -> str:
        """The row as it came, as text; empty where the source had none (a drawn scene)."""
        return self.record.raw.decode("utf-8", "replace")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        tree = asdict(self.record)
        tree["raw"] = self.original
        return {
            "record": tree,
            "file": self.file,
            "row": self.row,
            "images": [asdict(place) for place in self.images],
            "labels": {name: dict(row) for name, row in self.labels.items()},
        }

    def text(self) -> str:
        """For people."""
        told = [*lines(self.record), "", f"stored in {self.file}, row {self.row}"]
        for place in self.images:
            told.append(f"image {place.sha256[:12]}: {place.length} bytes at {place.offset} of")
            told.append(f"  {place.pack}")
        told += ["", "made by:"]
        for step in self.record.lineage:
            told.append(f"  {step.op}@{step.version}  options {step.params_hash}")
            told += [f"    from {parent}" for parent in step.parents]
            told += [f"    teacher call {call}" for call in step.calls]
        told += ["", "labels:" if self.labels else "labels: none"]
        for name, row in self.labels.items():
            told.append(f"  {name}: {json.dumps(row, ensure_ascii=False, default=str)}")
        told += ["", "original:" if self.original else "original: none; it was drawn, not read"]
        return "\n".join([*told, self.original] if self.original else told)


def follow(folders: Sequence[Path], id: str) -> RecordTrace:
    """A record's way through its store.

    Args:
        folders: finished stores as one.
        id: the record's id, or the start of it.

    Raises:
        UserError: no record has this id, or several do.
        DiskError: a file cannot be read.
    """
    with ask(store=folders) as asker:
        row = _find(asker, id)
        record = read_record(Path(row["filename"]), row["place"])
        labels = _labels(asker, folders, record.id)
    places = _places(folders, record)
    return RecordTrace(record, row["filename"], row["place"], places, labels)


def _find(asker: Asker, id: str) -> dict[str, Any]:
    each = asker.each(
        "store",
        "SELECT id, filename, file_row_number AS place FROM part_records "
        f"WHERE starts_with(id, ?) ORDER BY id LIMIT {_LISTED + 1}",
        [id],
    )
    rows = sorted(islice(each, _LISTED + 1), key=lambda row: str(row["id"]))
    if len(rows) == 1:
        return rows[0]
    if not rows:
        fix = "see the ids with pellucid data show, or look in another store"
        raise UserError(Problem("id", id, "is no record of this store", fix))
    shown = ", ".join(row["id"][: len(id) + 8] for row in rows[:_LISTED])
    more = ", ..." if len(rows) > _LISTED else ""
    raise UserError(Problem("id", id, "fits several records", f"write more of it: {shown}{more}"))


def _places(folders: Sequence[Path], record: Record) -> tuple[Place, ...]:
    wanted = {ref.sha256 for ref in record.images}
    found: dict[str, Place] = {}
    for folder in folders:
        for sha256, stored in find_images(folder, wanted - set(found)).items():
            found[sha256] = Place(
                sha256,
                stored.facts.width,
                stored.facts.height,
                str(stored.place.path),
                stored.place.offset,
                stored.place.length,
                stored.facts.pixel_sha256,
            )
    return tuple(found[ref.sha256] for ref in record.images if ref.sha256 in found)


def _labels(asker: Asker, folders: Sequence[Path], id: str) -> dict[str, dict[str, Any]]:
    found = {}
    for number, ((op, version), files) in enumerate(label_columns(folders).items()):
        asker.view(f"label_{number}", files, ", union_by_name = true")
        rows = asker.rows(
            f"SELECT * EXCLUDE (filename) FROM label_{number} WHERE id = ? ORDER BY ALL", [id]
        )
        for row in rows:
            found[f"{op}@{version}"] = {name: row[name] for name in row if name != "id"}
    return found
