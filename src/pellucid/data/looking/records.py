"""Single records out of many: found by id, read alone, and laid out as lines for people."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pellucid.data.looking.query import Asker
from pellucid.data.show import describe
from pellucid.schema.record import Record, Turn
from pellucid.store import arrow


def fetch(asker: Asker, name: str, ids: Sequence[str]) -> list[Record]:
    """Records of the stores called `name`, in the order asked for; a row group each is read.

    Raises:
        KeyError: one of them is not there.
    """
    marks = ", ".join("?" for _ in ids)
    rows = asker.each(
        name,
        "SELECT id, filename, file_row_number AS place FROM part_records "
        f"WHERE id IN ({marks or 'NULL'}) ORDER BY id",
        list(ids),
    )
    found = {row["id"]: read_record(Path(row["filename"]), row["place"]) for row in rows}
    return [found[id] for id in ids]


def lines(record: Record) -> list[str]:
    """All that a person needs of a record: its facts, then its turns."""
    told = [f"{name}: {text}" for name, text in describe(record)]
    return [*told, *(line for turn in record.messages for line in _turn(record, turn))]


def _turn(record: Record, turn: Turn) -> Iterator[str]:
    mode = f" ({turn.mode})" if turn.mode else ""
    weight = "" if turn.weight is None else f" weight {turn.weight:g}"
    if turn.reasoning:
        yield from _indented(f"{turn.role} thinks", turn.reasoning)
    text = "".join(
        f"[image {record.images[part.image].sha256[:12]}]"
        if part.type == "image" and part.image is not None
        else part.text or ""
        for part in turn.content
    )
    yield from _indented(f"{turn.role}{mode}{weight}", text)


def _indented(head: str, text: str) -> Iterator[str]:
    first, *rest = text.split("\n")
    yield f"{head}: {first}"
    yield from (f"    {line}" for line in rest)


def read_record(path: Path, at: int) -> Record:
    """The record in a row of a file; no more than its row group is read.

    Raises:
        KeyError: the file has no such row.
    """
    with arrow.opened(path) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if at < rows:
                return arrow.from_table(file.read_row_group(group).slice(at, 1))[0]
            at -= rows
    raise KeyError(f"{path.name} has no row {at}")
