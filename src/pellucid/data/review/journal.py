"""What a person judged: a line a judgement, on the disk before the page goes on.

    review/<reviewer>.jsonl              the journal: judgements, undos, and what was published
    labels/review.<reviewer>@1/*.parquet a file for each sitting, made when it ends

A judgement is appended and flushed to the disk (fsync), so a killed process loses nothing; a line
that was cut off by a crash is left out and the next one starts anew. An undo is a line as well. A
second process for the same reviewer is refused.

Leaves out on purpose: changing what is published. Labels are never edited.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.recipe.triage import CLASSES, Suspicion
from pellucid.store import read_label, write_label

VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

LABELS = pa.schema(
    [
        ("id", pa.string()),
        ("classes", pa.list_(pa.string())),
        ("seconds", pa.float64()),
        ("at", pa.string()),
    ]
)
"""Columns of a label file: `classes` is empty for an excellent record, `seconds` how long it was on
the screen, `at` when it was judged (UTC)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One record, judged."""

    id: str
    classes: tuple[Suspicion, ...]
    """Empty: excellent."""
    seconds: float
    """How long the record was on the screen."""
    at: str
    """UTC, ISO 8601."""


def checked_name(reviewer: str) -> str:
    """The name, which becomes part of file names.

    Raises:
        UserError: it is none.
    """
    if not _NAME.fullmatch(reviewer):
        fix = "use up to 40 lower-case letters, digits, - and _"
        raise UserError(Problem("--reviewer", reviewer, "is no name for a label", fix))
    return reviewer


class Journal:
    """A reviewer's judgements about one store; holds a lock while it is open."""

    def __init__(self, folder: Path, reviewer: str) -> None:
        """Open or begin the journal, and read what is there.

        Raises:
            UserError: the name cannot be used, or another process has the journal.
            DiskError: the store cannot be written.
        """
        self._folder, self.reviewer = folder, checked_name(reviewer)
        self.path = folder / "review" / f"{reviewer}.jsonl"
        self.open: dict[str, Judgement] = {}
        """Judgements of this sitting, by record; the last of each counts."""
        self.published: dict[str, Judgement] = {}
        self._steps: list[tuple[str, Judgement | None]] = []
        with boundary("opening the journal of the review"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            rule, fix = "is reviewing this store already", "stop that review, or use another name"
            raise UserError(Problem("--reviewer", reviewer, rule, fix)) from None
        self._read()
        if self.open and self._label_file().exists():
            self._publish_event()  # a crash between the label file and the journal

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def judge(self, id: str, classes: Sequence[Suspicion], seconds: float) -> Judgement:
        """Write a judgement down; it is on the disk when this returns.

        Args:
            id: the record.
            classes: the faults that were seen; none for an excellent record.
            seconds: how long it was on the screen.

        Raises:
            UserError: the record was published in an earlier sitting.
            DiskError: it cannot be written.
        """
        if id in self.published:
            fix = "judge it under another name"
            raise UserError(Problem("record", id, "is published; labels are never edited", fix))
        given: tuple[Suspicion, ...] = tuple(name for name in CLASSES if name in classes)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        made = Judgement(id, given, round(seconds, 3), at)
        told = {"seconds": made.seconds, "at": at}
        self._append({"judge": id, "classes": list(given), **told})
        self._apply(made)
        return made

    def undo(self) -> str | None:
        """Take the last judgement of this sitting back; the record it was about, or None."""
        if not self._steps:
            return None
        id = self._steps[-1][0]
        self._append({"undo": id, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        self._revert()
        return id

    def publish(self) -> Path | None:
        """Write this sitting's judgements as a label file; None when there are none.

        A crash between the two writes is harmless: the label file is the same when it is made
        again, and the journal then says that it is there.

        Raises:
            DiskError: it cannot be written.
        """
        if not self.open:
            return None
        path = self._label_file()
        rows = [
            {"id": one.id, "classes": list(one.classes), "seconds": one.seconds, "at": one.at}
            for one in self.open.values()
        ]
        op = label_op(self.reviewer)
        write_label(self._folder, op, VERSION, pa.Table.from_pylist(rows, schema=LABELS), path.stem)
        self._publish_event()
        return path

    def _label_file(self) -> Path:
        """The label file of this sitting, named by the records that earlier ones published."""
        folder = self._folder / "labels" / f"{label_op(self.reviewer)}@{VERSION}"
        return folder / f"{len(self.published):06d}.parquet"

    def _publish_event(self) -> None:
        self._append({"published": self._label_file().stem, "records": len(self.open)})
        self._seal()

    def _read(self) -> None:
        with boundary("reading the journal of the review"):
            data = self.path.read_bytes()
        for number, line in enumerate(data.split(b"\n"), start=1):
            if line.strip():
                self._replay(line, number)
        if data and not data.endswith(b"\n"):
            os.write(self._file, b"\n")  # what a crash cut off stays alone on its line

    def _replay(self, line: bytes, number: int) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return  # cut off by a crash: it was never confirmed
        try:
            if "judge" in event:
                classes = tuple(name for name in CLASSES if name in event["classes"])
                self._apply(Judgement(event["judge"], classes, event["seconds"], event["at"]))
            elif "undo" in event:
                self._revert()
            elif "published" in event:
                self._seal()
        except (KeyError, TypeError, IndexError):
            rule = f"has a line {number} that no review wrote"
            fix = "remove that line"
            raise UserError(Problem("journal", str(self.path), rule, fix)) from None

    def _append(self, event: dict[str, Any]) -> None:
        with boundary("writing the journal of the review"):
            data = json.dumps(event, ensure_ascii=False).encode("utf-8") + b"\n"
            written = os.write(self._file, data)
            os.fsync(self._file)
        assert written == len(data), "a line of the journal was not written whole"

    def _apply(self, made: Judgement) -> None:
        self._steps.append((made.id, self.open.get(made.id)))
        self.open[made.id] = made

    def _revert(self) -> None:
        id, before = self._steps.pop()
        if before is None:
            del self.open[id]
        else:
            self.open[id] = before

    def _seal(self) -> None:
        self.published |= self.open
        self.open.clear()
        self._steps.clear()


def label_op(reviewer: str) -> str:
    """Name of the operation that a person's labels stand under."""
    return f"review.{reviewer}"


def judgements(folder: Path, reviewer: str) -> dict[str, tuple[Suspicion, ...]]:
    """Record id -> faults that the person saw, from the label files.

    Raises:
        UserError: the person has published nothing.
    """
    name = checked_name(reviewer)
    if not (folder / "labels" / f"{label_op(name)}@{VERSION}").is_dir():
        begun = (folder / "review" / f"{name}.jsonl").is_file()
        rule = "has published nothing yet" if begun else "has reviewed nothing in this store"
        fix = f"run: pellucid data review {folder} --reviewer {name}"
        fix = f"end the sitting on its page, or {fix}" if begun else fix
        raise UserError(Problem("reviewer", name, rule, fix))
    table = read_label(folder, label_op(name), VERSION)
    pairs = zip(table["id"].to_pylist(), table["classes"].to_pylist(), strict=True)
    return {id: tuple(one for one in CLASSES if one in classes) for id, classes in pairs}
