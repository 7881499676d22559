"""Records out of a store, as rows that other programs read and an import reads back.

    export(store, "llava_json", Path("out/rows.json"))     pictures in out/images/
    export(store, "trl", Path("out/train.parquet"))        pictures in the table
    export(store, "openai", Path("out/chat.jsonl"))        pictures in the rows, as data: addresses
    export(store, "llava_json", Path("out/pack.tar"))      a WebDataset: pictures beside their rows

Records go by one at a time. A file that is there is never written over; where it is, byte for byte,
what would be written, an export that was killed at its very end is done. Leaves out on purpose:
`raw`, lineage and labels, which no other format has a place for; publish a store to hand those on.
"""

import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_file
from pellucid.base.lookup import pick
from pellucid.base.paths import clear, remove_tree, sole
from pellucid.data.files.write import BESIDE, WRITERS, Out, Write
from pellucid.data.sources import FORMATS
from pellucid.data.sources.base import Format
from pellucid.schema.record import Record, Split
from pellucid.store import Store
from pellucid.store.pixels import extension

_LOOKED = 500
"""Rows after which it is looked at whether a file that is there is still the same."""
_MEDIA = {"jpg": "jpeg", "tif": "tiff"}


class Exported(NamedTuple):
    """What an export came to."""

    records: int
    there: bool
    """Whether the same file was there already, its pictures too."""


def export(opened: Store, kind: str, path: Path, split: Split | None = None) -> Exported:
    """Write records as rows of a format, in the order in which they are stored.

    Args:
        opened: the store.
        kind: a format (`data/sources`).
        path: the file; its ending says what kind of file. It must not exist, or be what this very
            call writes.
        split: only this split; all when None.

    Raises:
        UserError: no such format, not in such a file, the file is another, or there is no record.
        DiskError: the disk refused.
    """
    format_ = pick(FORMATS, kind, "format")
    ending = path.suffix.lower()
    if ending not in format_.endings:
        fix = f"give the file the ending {' or '.join(format_.endings)}"
        raise UserError(Problem("file", str(path), f"is no file for {kind} rows", fix))
    rows, write = _rows(opened, format_, ending, split), WRITERS[ending]
    with boundary("writing the export"):
        there = os.path.lexists(path)
        work = path.with_name(f".{path.name}.compared")
        if there:
            count = _compared(path, work, rows, write, format_.schema)
        else:
            remove_tree(work)
            path.parent.mkdir(parents=True, exist_ok=True)
            count = write(path, rows, format_.schema)
    if not count:
        if not there:
            path.unlink()
        fix = "name another split" if split else "import some rows"
        raise UserError(Problem("split", split or "all", "holds no record", fix))
    return Exported(count, there)


def _compared(
    path: Path, work: Path, rows: Iterator[Out], write: Write, schema: pa.Schema | None
) -> int:
    """The number of rows, where a file and its pictures are what they would be written as.

    They are written into a folder of their own, as far as they are the same.

    Raises:
        UserError: the file is another.
    """
    if not path.is_file():
        raise _exists(path)
    with sole(work) as held, path.open("rb") as there:
        if not held:
            raise _exists(path)
        try:
            clear(work)
            count = write(work / path.name, _while_same(rows, path, there, work), schema)
            if count and hash_file(work / path.name) != hash_file(path):
                raise _exists(path)
        finally:
            remove_tree(work)
    return count


def _while_same(rows: Iterator[Out], path: Path, there: BinaryIO, work: Path) -> Iterator[Out]:
    """The rows, while what was written of them so far is how the file begins."""
    for number, one in enumerate(rows):
        if number % _LOOKED == 0 and not _follows(work, there):
            raise _exists(path)
        if path.suffix.lower() in BESIDE:
            for name, data in one.pictures.items():
                picture = path.parent / name
                if not picture.is_file() or picture.read_bytes() != data:
                    raise _exists(path)
            yield replace(one, pictures={})
        else:
            yield one


def _follows(work: Path, there: BinaryIO) -> bool:
    """Whether what was written since the last look stands in the other file too."""
    for part in work.iterdir():
        with part.open("rb") as file:
            file.seek(there.tell())
            while chunk := file.read(1 << 20):
                if chunk != there.read(len(chunk)):
                    return False
    return True


def _exists(path: Path) -> UserError:
    rule, fix = "exists and is not what would be written", "choose another name, or remove it"
    return UserError(Problem("file", str(path), rule, fix))


def _rows(opened: Store, format_: Format, ending: str, split: Split | None) -> Iterator[Out]:
    for record in opened.stream(split):
        pictures = [opened.image(image.sha256) for image in record.images]
        if format_.inline:
            names = [_address(data) for data in pictures]
            yield Out(record.id, format_.write(record, names), {})
        else:
            names = _names(record, pictures, ending)
            row = format_.write(record, names)
            yield Out(record.id, row, dict(zip(names, pictures, strict=True)))


def _names(record: Record, pictures: list[bytes], ending: str) -> list[str]:
    """What pictures are called: in a tar by their place, else by their content."""
    endings = [extension(data) for data in pictures]
    if ending == ".tar":
        return [f"{at}.{one}" for at, one in enumerate(endings)]
    return [
        f"images/{image.sha256}.{one}" for image, one in zip(record.images, endings, strict=True)
    ]


def _address(data: bytes) -> str:
    ending = extension(data)
    text = base64.b64encode(data).decode("ascii")
    return f"data:image/{_MEDIA.get(ending, ending)};base64,{text}"
