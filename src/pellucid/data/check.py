"""What a data file or a source is, what is wrong with it, and which importer reads it. Nothing is
written.

A format is recognised by the fields of its rows. One that no importer reads is named all the same,
with what to change. Leaves out on purpose: judging content (triage does), and repairs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import nearest
from pellucid.data import files, rows
from pellucid.data.found import Found
from pellucid.data.llava import Row, RowFault
from pellucid.data.rows import Checked, Rows
from pellucid.data.sources import FORMATS, known, rows_of
from pellucid.recipe.rows import RowsSource
from pellucid.score import judged

EXAMPLES = 3
"""Faulty rows that a finding names; all are counted."""
_PEEKED = 100
"""Rows that a format is recognised by."""
_FIELDS = (
    "id", "image", "conversations", "answer", "mode", "split", "task", "domain", "group", "licence",
    "difficulty", "evidence", "lineage",
)  # fmt: skip
"""What is read of a LLaVA row; other fields are kept and mean nothing."""


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
    """Different images that can be read."""
    findings: tuple[Finding, ...]
    """Most frequent first."""
    counts: Mapping[str, Mapping[str, int]]
    """Sound rows by mode, task, split, kind of answer and licence; "-" where a row says nothing."""
    hint: str = ""
    """How to make it readable, where no importer reads it."""
    notes: tuple[str, ...] = ()
    """What sound rows cannot be used for, or what looks wrong about them."""


def kind_of(path: Path) -> str:
    """The kind of source that reads most of the first rows of a file; empty when none does.

    Raises:
        UserError: the file cannot be read as rows at all.
    """
    first = [given.value for given in islice(files.read(path), _PEEKED)]
    faults = [value for value in first if isinstance(value, RowFault)]
    if faults and len(faults) == len(first):
        rule = f"has no row that can be read; the first one: {faults[0]}"
        raise UserError(Problem("path", str(path), rule, faults[0].fix))
    seen = Counter(kind for kind in map(known, first) if kind)
    return seen.most_common(1)[0][0] if seen else ""


def options_of(path: Path, kind: str, image_folder: Path | None, **told: Any) -> RowsSource:
    """Options of a source that reads a file.

    Args:
        path: the file.
        kind: as `kind_of` says.
        image_folder: where image paths start; the file's own folder when None.
        told: other fields; `dataset` and `licence` are needed.
    """
    folder = None if image_folder is None else str(image_folder)
    return FORMATS[kind].options(path=str(path.absolute()), image_folder=folder, **told)


def check(path: Path, image_folder: Path | None, max_image_pixels: int) -> Report:
    """Check a file whole: structure, paths, and every image decoded.

    Args:
        path: a file, folder or pattern (`data/files`).
        image_folder: where image paths start; the file's own folder when None.
        max_image_pixels: pictures larger than this are faults.

    Raises:
        UserError: the file cannot be read as rows at all.
        DiskError: the disk refused.
    """
    kind = kind_of(path)
    if not kind:
        return _unknown(path)
    if image_folder is not None and not image_folder.is_dir():
        raise UserError(Problem("--images", str(image_folder), "is no folder", "check the path"))
    given = {"dataset": "file", "licence": "none", "max_image_pixels": max_image_pixels}
    options = options_of(path, kind, image_folder, **given)
    return _checked(path, FORMATS[kind].about, kind, rows_of(options), max_image_pixels)


def check_source(options: RowsSource) -> Report:
    """Check what a source of a recipe reads, as its import would; counts have the source's labels.

    Raises:
        UserError: there is nothing to read, or the function that gives the rows raises.
        DiskError: the disk refused.
    """
    found = rows_of(options)
    kind = getattr(options, "kind")  # noqa: B009 - every kind has one, with a text of its own
    told = FORMATS[kind].about if kind in FORMATS else f"rows of {found.name}"
    path, limit = Path(getattr(options, "path")), options.max_image_pixels  # noqa: B009
    report = _checked(path, told, kind, found, limit)
    given = {"task": options.task, "licence": options.licence}
    counts = {name: _given(counts, given.get(name, "-")) for name, counts in report.counts.items()}
    return replace(report, counts=counts)


def _given(counts: Mapping[str, int], label: str) -> dict[str, int]:
    """The counts with rows that say nothing under the label that they are given."""
    said = Counter({name: count for name, count in counts.items() if name != "-"})
    said[label] += counts.get("-", 0)
    return {name: count for name, count in said.items() if count}


def _unknown(path: Path) -> Report:
    """What rows of no known format look like."""
    total, fields = 0, dict[str, None]()
    for given in files.read(path):
        total += 1
        if total <= _PEEKED and isinstance(given.value, dict):
            fields |= dict.fromkeys(given.value)
    hint = "a row needs `conversations` (and `image`); see `pellucid data check --help`"
    told = f"rows with the fields {', '.join(sorted(fields)[:12])}" if fields else "no objects"
    return Report(path, told, "", total, 0, 0, (), {}, hint)


@dataclass(slots=True)
class _Seen:
    """What a pass over the rows adds up."""

    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {
            name: Counter() for name in ("mode", "task", "split", "answer", "licence")
        }
    )
    fields: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    faulty: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    sound: int = 0
    golds: int = 0
    wrong: int = 0
    first_wrong: tuple[int, str, str] = (0, "", "")

    def add(self, item: Checked, plain: bool) -> None:
        """Count a row; of rows that are LLaVA's as they stand, also the names of fields."""
        self.rows += 1
        if item.fault is not None:
            key = (item.fault.rule, item.fault.fix)
            self.faulty[key] += 1
            cases = self.faults.setdefault(key, [])
            if len(cases) < EXAMPLES:
                cases.append((item.number, _short(item.fault.value)))
            return
        assert isinstance(item.row, Row), "no fault and no row"
        self.sound += 1
        self._count(item.row)
        if plain:
            self.fields.update(rows.fields(item.row))
        if item.row.answer is not None:
            self.golds += 1
            self._judge(item.number, item.row)

    def _count(self, row: Row) -> None:
        self.counts["mode"][row.messages[-1].mode or "-"] += 1
        self.counts["task"][row.task or "-"] += 1
        self.counts["split"][row.split or "-"] += 1
        self.counts["answer"][row.answer.kind if row.answer else "-"] += 1
        self.counts["licence"][row.licence or "-"] += 1

    def _judge(self, number: int, row: Row) -> None:
        assert row.answer is not None, "asked for rows with a gold"
        said = row.messages[-1].text
        if judged(said, row.answer) == 0:
            if not self.wrong:
                self.first_wrong = (number, _short(row.answer.gold), _short(said))
            self.wrong += 1


def _checked(path: Path, told: str, importer: str, given: Rows, max_pixels: int) -> Report:
    seen = _Seen()
    with TemporaryDirectory(prefix="pellucid-check-") as folder, boundary("checking"):
        with Found(Path(folder) / "found.sqlite") as found:
            for part in rows.check("check", given, max_pixels, found):
                for item in part:
                    seen.add(item, plain=importer in ("llava_json", "python"))
            images = found.readable()
    return Report(
        path, told, importer, seen.rows, seen.sound, images, _findings(seen),
        {name: dict(counts) for name, counts in seen.counts.items()}, notes=tuple(_notes(seen)),
    )  # fmt: skip


def _notes(seen: _Seen) -> Iterator[str]:
    """What the rows themselves do not forbid, and what their user would want to know."""
    if seen.sound and not seen.golds:
        yield (
            "no row has a gold `answer`: they can be trained on, and no evaluation, gate or RL can "
            'use them; add "answer": {"kind": "text", "gold": "..."} (see docs/own-data.md)'
        )
    named = {name for name, count in seen.counts["split"].items() if count}
    if named and not named & {"train", "-"}:
        yield (
            f"every sound row says that its split is {' or '.join(sorted(named))}, so none is left "
            "to train on; where that is not meant, leave `split` out of the rows (the source then "
            "deals them out by its own `split`) or say train in some"
        )
    for key, count in sorted(seen.fields.items()):
        meant = None if key in _FIELDS else nearest(key, _FIELDS, cutoff=0.8)
        if meant:
            yield f"nothing reads the field {key!r} of {count} rows; did you mean {meant!r}?"
    if seen.wrong:
        number, gold, said = seen.first_wrong
        yield (
            f"{seen.wrong} of {seen.sound} rows train an answer that the scorer of its kind calls "
            f"wrong: row {number} has the gold {gold} and trains {said}"
        )


def _findings(seen: _Seen) -> tuple[Finding, ...]:
    found = [
        Finding(
            rule, fix, seen.faulty[rule, fix], tuple(number for number, _ in cases),
            ", ".join(dict.fromkeys(value for _, value in cases)),
        )
        for (rule, fix), cases in seen.faults.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda finding: (-finding.count, finding.rows)))


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
