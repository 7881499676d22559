"""LLaVA-style rows with images in a folder, into a store: what every source of rows shares.

All rows are checked before anything is written: structure, paths, every image decoded. Then they
become records shard by shard. The image bytes go into the store as they are. Leaves out on
purpose: where rows come from (`sources/`), and repairs; a faulty row stops the import or is left
out with its reason.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_bytes, hash_file
from pellucid.base.paths import resolve
from pellucid.base.progress import Progress
from pellucid.data.llava import Row, RowFault, parse_row
from pellucid.data.splits import Groups, deal
from pellucid.recipe.data import RowsSource
from pellucid.schema.record import SPLITS, ImageRef, LineageStep, Record, Source, Split, make_record
from pellucid.store import Dropped, Writer
from pellucid.store.pixels import Examined

SHARD_ROWS = 500
_LISTED = 5
"""Faulty rows that an error names; all are counted."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One row of the file: sound, or faulty with its reason."""

    number: int
    key: str
    row: Row | None
    fault: RowFault | None
    group: str = ""
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Where rows come from, as far as the import has to know."""

    name: str
    """What errors call it."""
    images: Path
    """Folder that image paths start at."""
    values: Sequence[object]
    """The rows, in order. One that cannot be read is a `RowFault` in its place."""
    step: LineageStep
    """What made the records, for their lineage."""


def image_hashes(options: RowsSource, rows: Rows) -> dict[str, str]:
    """SHA-256 of every image that a sound row names, by name.

    Raises:
        UserError: the rows cannot be read, or (unless faulty rows are dropped) some are faulty.
    """
    checked = check_rows(rows.values, rows.images)
    _refuse_faults(options, rows.name, checked)
    names = sorted({name for item in checked if item.row for name in item.row.images})
    with boundary("reading the dataset"):
        return {name: hash_file(rows.images / name) for name in names}


def build_rows(name: str, options: RowsSource, rows: Rows, seed: int, folder: Path) -> None:
    """Import rows into a store.

    Args:
        name: name of the source in the recipe.
        options: licence, what faulty rows do, shares of the splits.
        rows: the rows and the folder of their images.
        seed: seed of the splits of rows that name none.
        folder: the store; shards that a killed run finished are not written again.

    Raises:
        UserError: the rows cannot be read, some are faulty, or none is left.
    """
    writer = Writer(folder, options.max_image_pixels)
    found = check_rows(rows.values, rows.images)
    checked = check_images(f"data.{name}", rows.images, found, writer.examine)
    _refuse_faults(options, rows.name, checked)
    checked = _deal(checked, seed, options)
    progress = Progress(f"data.{name}", len(checked))
    for first in range(0, len(checked), SHARD_ROWS):
        shard = f"shard-{first // SHARD_ROWS:06d}"
        if not writer.done(shard):
            part = checked[first : first + SHARD_ROWS]
            records = list(_records(part, options, rows.step, rows.images, writer))
            dropped = [
                Dropped(item.number, item.key, str(item.fault)) for item in part if item.fault
            ]
            writer.shard(shard, records, dropped)
        progress.at(min(first + SHARD_ROWS, len(checked)), "rows")
    writer.finish()


def image_folder(options: RowsSource, beside: Path) -> Path:
    """The folder that image paths start at: the one that is named, or that of a file.

    Raises:
        UserError: the one that is named is no folder.
    """
    folder = resolve(options.image_folder) if options.image_folder else beside.parent
    if options.image_folder and not folder.is_dir():
        raise UserError(Problem("image_folder", str(folder), "is no folder", "check the path"))
    return folder.resolve()


def check_rows(values: Iterable[object], folder: Path) -> list[Checked]:
    """Every row parsed, and its image paths found; images are not opened."""
    checked = []
    for number, value in enumerate(values):
        key = str(value.get("id", number)) if isinstance(value, dict) else str(number)
        key = key.encode("utf-8", "replace").decode()
        try:
            if isinstance(value, RowFault):
                raise value
            row = parse_row(value)
            for name in row.images:
                _check_path(folder, name)
            checked.append(Checked(number, key, row, None))
        except RowFault as fault:
            checked.append(Checked(number, key, None, fault))
    return checked


def _check_path(folder: Path, name: str) -> None:
    try:
        path = (folder / name).resolve()
        within = path.is_relative_to(folder)
        found = path.is_file()
    except (OSError, ValueError, RuntimeError):
        raise RowFault(name, "is no path of a file", "check the path") from None
    if not within:
        fix = "move the image there, or choose another image_folder"
        raise RowFault(name, "lies outside the image folder", fix)
    if not found:
        raise RowFault(name, "does not exist in the image folder", "check the path")


def check_images(
    label: str, folder: Path, checked: Sequence[Checked], examine: Callable[[bytes], Examined]
) -> list[Checked]:
    """Decode every image once; rows get the group that their pictures make, or their fault.

    Args:
        label: what the progress is called.
        folder: where image paths start.
        checked: every row of the file.
        examine: describes one encoded image; raises ValueError when it cannot be used.
    """
    names = list(dict.fromkeys(name for item in checked if item.row for name in item.row.images))
    progress, found = Progress(label, len(names)), dict[str, str | RowFault]()
    for count, name in enumerate(names, start=1):
        found[name] = _pixels(folder / name, name, examine)
        progress.at(count, "images checked")
    checked = [_with_fault(item, found) for item in checked]
    groups = Groups()
    links = {item.number: _links(item.row, found) for item in checked if item.row}
    for names in links.values():
        groups.join(names)
    return [
        replace(item, group=groups.root(links[item.number][0])) if item.row else item
        for item in checked
    ]


def _with_fault(item: Checked, found: Mapping[str, str | RowFault]) -> Checked:
    """The row, or its fault when one of its images has one."""
    values = [found[name] for name in item.row.images] if item.row else []
    fault = next((value for value in values if isinstance(value, RowFault)), None)
    return replace(item, row=None, fault=fault) if fault else item


def _links(row: Row, pixels: Mapping[str, str | RowFault]) -> list[str]:
    """What ties a row to others: its group, its pictures, or without both its first question."""
    links = [f"group:{row.group}"] if row.group else []
    links += [f"image:{pixels[name]}" for name in row.images]
    asked = next(turn.text for turn in row.messages if turn.role == "user")
    return links or [f"text:{hash_bytes(asked.encode())}"]


def _pixels(path: Path, name: str, examine: Callable[[bytes], Examined]) -> str | RowFault:
    try:
        return examine(path.read_bytes()).pixel_sha256
    except ValueError as error:
        return RowFault(name, str(error), "replace the file, or remove the row")
    except OSError as error:
        return RowFault(name, f"cannot be read: {error.strerror}", "give this user access")


def _refuse_faults(options: RowsSource, name: str, checked: Sequence[Checked]) -> None:
    """One error for all faulty rows, unless they are to be dropped and some row is left."""
    faulty = [(item, item.fault) for item in checked if item.fault]
    if not faulty or (options.on_fault == "drop" and len(faulty) < len(checked)):
        return
    problems = [
        Problem(f"{name} row {item.number}", fault.value, fault.rule, fault.fix)
        for item, fault in faulty[:_LISTED]
    ]
    if len(faulty) > 1:
        rule = f"of {len(checked)} rows are faulty (rows count from 0)"
        fix = "mend them, or set on_fault: drop"
        if options.on_fault == "drop":
            rule, fix = "rows are faulty, so none is left", "mend some of them"
        problems.append(Problem(name, len(faulty), rule, fix))
    raise UserError(problems)


def _deal(checked: Sequence[Checked], seed: int, options: RowsSource) -> list[Checked]:
    """Splits: a row's own, else that of a labelled row of its group (test first), else dealt."""
    labelled: dict[str, set[Split]] = {}
    for item in checked:
        if item.row and item.row.split:
            labelled.setdefault(item.group, set()).add(item.row.split)
    result = []
    for item in checked:
        held = labelled.get(item.group, set())
        given = next((split for split in reversed(SPLITS) if split in held), None)
        own = item.row.split if item.row else None
        split = own or given or deal(seed, item.group, options.split)
        result.append(replace(item, split=split))
    return result


def _records(
    part: Sequence[Checked],
    options: RowsSource,
    step: LineageStep,
    folder: Path,
    writer: Writer,
) -> Iterator[Record]:
    read: dict[str, ImageRef] = {}
    for item in part:
        if item.row is None or item.split is None:
            continue
        for name in item.row.images:
            if name not in read:
                read[name] = writer.image((folder / name).read_bytes())
        source = Source(
            dataset=options.dataset,
            split=item.split,
            row=item.number,
            licence=item.row.licence or options.licence,
            revision=options.revision,
            group=item.group,
        )
        yield make_record(
            messages=item.row.messages,
            images=tuple(read[name] for name in item.row.images),
            answer=item.row.answer,
            task=item.row.task or options.task,
            domain=item.row.domain or options.domain,
            source=source,
            lineage=(step,),
            raw=item.row.raw,
        )
