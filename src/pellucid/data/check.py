"""What a data file or a source is, what is wrong with it, and which importer reads it. Nothing is
written.

A format is recognised by the fields of its rows. One that no importer reads is named all the same,
with what to change. Leaves out on purpose: judging content (triage does), and repairs.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import nearest
from pellucid.data.jsonrows import LINES, read_rows
from pellucid.data.llava import RowFault
from pellucid.data.rows import Checked, check_images, check_rows
from pellucid.data.sources import ROWS
from pellucid.recipe.data import LlavaJsonSource, PythonSource
from pellucid.score import judged
from pellucid.store import pixels

EXAMPLES = 3
"""Faulty rows that a finding names; all are counted."""
_FIELDS = (
    "id", "image", "conversations", "answer", "mode", "split", "task", "domain", "group", "licence",
)  # fmt: skip
"""What is read of a row; other fields are kept and mean nothing."""
_MARKS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"SQLite format 3", "an SQLite database"),
)
"""First bytes of files that hold no JSON."""
_FORMATS: tuple[tuple[str, str, str], ...] = (
    ("conversations", "LLaVA rows", ""),
    ("messages", "chat messages", "rename `messages` to `conversations`, `role` to `from`"),
    ("question", "question and answer columns", "write each row as two turns"),
    ("prompt", "prompts", "write each row as two turns"),
)
"""A field that tells, what such rows are called, and how they become rows that can be read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of fault."""

    rule: str
    fix: str
    count: int
    """Rows that have it."""
    rows: tuple[int, ...]
    """The first of them, from 0."""
    value: str
    """What the first of them gave, each value once."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    path: Path
    format: str
    """For people."""
    importer: str
    """`kind` of the source that reads it; empty when none does."""
    rows: int
    sound: int
    images: int
    """Different image files that sound rows show."""
    findings: tuple[Finding, ...]
    """Most frequent first."""
    counts: Mapping[str, Mapping[str, int]]
    """Sound rows by mode, task, split, kind of answer and licence; "-" where a row says nothing."""
    hint: str = ""
    """How to make it readable, where no importer reads it."""
    notes: tuple[str, ...] = ()
    """What sound rows cannot be used for, or what looks wrong about them."""


def check(path: Path, image_folder: Path | None, max_image_pixels: int) -> Report:
    """Check a file whole: structure, paths, and every image decoded.

    Args:
        path: a JSON list (`.json`) or JSON lines (`.jsonl`, `.ndjson`).
        image_folder: where image paths start; the file's own folder when None.
        max_image_pixels: pictures larger than this are faults.

    Raises:
        UserError: the file cannot be read as rows at all.
        DiskError: the disk refused.
    """
    _refuse_other_files(path)
    rows = read_rows(path)
    field, format_, hint = _format(rows)
    if field != "conversations":
        return Report(path, format_, "", len(rows), 0, 0, (), {}, hint)
    folder = (image_folder or path.parent).resolve()
    if not folder.is_dir():
        raise UserError(Problem("--images", str(image_folder), "is no folder", "check the path"))
    return _checked(path, format_, "llava_json", rows, folder, max_image_pixels)


def check_source(options: LlavaJsonSource | PythonSource) -> Report:
    """Check what a source of a recipe reads, as its import would; counts have the source's labels.

    Raises:
        UserError: there is nothing to read, or the function that gives the rows raises.
        DiskError: the disk refused.
    """
    rows = ROWS[options.kind](options)
    told = "LLaVA rows" if options.kind == "llava_json" else f"rows of {rows.name}"
    path, limit = Path(options.path), options.max_image_pixels
    found = _checked(path, told, options.kind, rows.values, rows.images, limit)
    given = {"task": options.task, "licence": options.licence}
    counts = {name: _given(counts, given.get(name, "-")) for name, counts in found.counts.items()}
    return replace(found, counts=counts)


def _given(counts: Mapping[str, int], label: str) -> dict[str, int]:
    """The counts with rows that say nothing under the label that they are given."""
    said = Counter({name: count for name, count in counts.items() if name != "-"})
    said[label] += counts.get("-", 0)
    return {name: count for name, count in said.items() if count}


def _checked(
    path: Path,
    format_: str,
    importer: str,
    rows: Sequence[object],
    folder: Path,
    max_image_pixels: int,
) -> Report:
    checked = check_images(
        "check",
        folder,
        check_rows(rows, folder),
        lambda data: pixels.examine(data, max_image_pixels),
    )
    sound = [item.row for item in checked if item.row]
    counts = {
        "mode": _count(row.messages[-1].mode or "-" for row in sound),
        "task": _count(row.task or "-" for row in sound),
        "split": _count(row.split or "-" for row in sound),
        "answer": _count(row.answer.kind if row.answer else "-" for row in sound),
        "licence": _count(row.licence or "-" for row in sound),
    }
    images = {name for row in sound for name in row.images}
    return Report(
        path, format_, importer, len(rows), len(sound), len(images), _findings(checked), counts,
        notes=tuple(_notes(checked)),
    )  # fmt: skip


def _notes(checked: Sequence[Checked]) -> Iterator[str]:
    """What the rows themselves do not forbid, and what their user would want to know."""
    sound = [(item.number, item.row) for item in checked if item.row]
    if sound and not any(row.answer for _, row in sound):
        yield (
            "no row has a gold `answer`: they can be trained on, and no evaluation, gate or RL can "
            'use them; add "answer": {"kind": "text", "gold": "..."} (see docs/own-data.md)'
        )
    fields = Counter(key for _, row in sound for key in json.loads(row.raw))
    for key, count in sorted(fields.items()):
        meant = None if key in _FIELDS else nearest(key, _FIELDS, cutoff=0.8)
        if meant:
            yield f"nothing reads the field {key!r} of {count} rows; did you mean {meant!r}?"
    wrong = [
        (number, row.answer.gold, row.messages[-1].text)
        for number, row in sound
        if row.answer and judged(row.messages[-1].text, row.answer) == 0
    ]
    if wrong:
        number, gold, said = wrong[0]
        yield (
            f"{len(wrong)} of {len(sound)} rows train an answer that the scorer of its kind calls "
            f"wrong: row {number} has the gold {_short(gold)} and trains {_short(said)}"
        )


def _refuse_other_files(path: Path) -> None:
    if path.is_dir():
        raise UserError(Problem("file", str(path), "is a folder", "name the file with the rows"))
    if not path.is_file():
        raise UserError(Problem("file", str(path), "does not exist", "check the path"))
    with boundary("reading"), path.open("rb") as file:
        start = file.read(16)
    for mark, name in _MARKS:
        if start.startswith(mark):
            fix = f"save its rows as JSON ({', '.join(('.json', *LINES))})"
            raise UserError(Problem("file", str(path), f"is {name}; no importer reads it", fix))


def _format(rows: Sequence[Any]) -> tuple[str, str, str]:
    """The field that most rows have, what such rows are, and how they become readable."""
    seen = Counter(
        field for row in rows if isinstance(row, dict) for field, *_ in _FORMATS if field in row
    )
    for field, name, hint in _FORMATS:
        if seen[field] * 2 >= len(rows):
            return field, name, hint
    # Without any known field the rows are read as LLaVA's, so that their faults are said.
    given = sorted({key for row in rows[:100] if isinstance(row, dict) for key in row})
    if given and not seen:
        hint = "a row needs `conversations` (and `image`); see `pellucid data check --help`"
        return "", f"rows with the fields {', '.join(given[:12])}", hint
    return _FORMATS[0][0], _FORMATS[0][1], ""


def _findings(checked: Sequence[Checked]) -> tuple[Finding, ...]:
    groups: dict[tuple[str, str], list[tuple[int, RowFault]]] = {}
    for item in checked:
        if item.fault:
            groups.setdefault((item.fault.rule, item.fault.fix), []).append(
                (item.number, item.fault)
            )
    found = [
        Finding(
            rule, fix, len(cases), tuple(number for number, _ in cases[:EXAMPLES]),
            ", ".join(dict.fromkeys(_short(fault.value) for _, fault in cases[:EXAMPLES])),
        )
        for (rule, fix), cases in groups.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda finding: (-finding.count, finding.rows)))


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values))


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
