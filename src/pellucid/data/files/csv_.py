"""Rows of a CSV or TSV file with a line of column names; every value is a text.

The delimiter is the comma, or what the first lines agree on: a spreadsheet writes semicolons in
half of Europe. Leaves out on purpose: guessing encodings, and tables without column names.
"""

import csv
from collections.abc import Iterator
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.data.files.base import Given
from pellucid.data.llava import RowFault

_LONGEST = 2**27
"""Characters of the longest field that is read."""
_DELIMITERS = (",", ";", "\t", "|")
"""The first one is taken unless the first lines contradict it."""
_PEEKED = 2**16
"""Bytes from which the delimiter is told."""
_LINES = 20
"""Rows from which it is told."""
_SAID = "sep="
"""A first line `sep=;` names the delimiter, as spreadsheets write it."""


def rows(path: Path) -> Iterator[Given]:
    """One row a line (quoted fields may hold line breaks); an empty field is null.

    Raises:
        UserError: the file is not UTF-8, has no column names or one twice, or nothing tells which
            character parts its columns.
    """
    size = max(path.stat().st_size, 1)
    csv.field_size_limit(_LONGEST)
    delimiter, said = _delimiter(path)
    with path.open("rb") as raw, TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        try:
            table = csv.reader(file, delimiter=delimiter, strict=True)
            if said:
                next(table)
            names = next(table, [])
            if not names or len(set(names)) < len(names):
                rule = "names a column twice" if names else "holds no rows"
                fix = "write a first line of different column names"
                raise UserError(Problem("path", str(path), rule, fix))
            for fields in table:
                if fields:
                    yield Given(_row(names, fields), at=raw.tell() / size)
        except UnicodeDecodeError as error:
            rule = f"is not UTF-8 (byte {error.start} of a piece)"
            raise UserError(Problem("path", str(path), rule, "save it as UTF-8")) from None
        except csv.Error as error:
            rule = f"is no CSV table: {error} (line {table.line_num})"
            fix = "mend the quotes before it; a quote in a quoted field is written twice"
            raise UserError(Problem("path", str(path), rule, fix)) from None


def _delimiter(path: Path) -> tuple[str, bool]:
    """What parts the columns, and whether a line of its own says so."""
    with path.open("rb") as file:
        start = file.read(_PEEKED)
    # The last line may be cut off, in the middle of a character too.
    text = start.decode("utf-8-sig", "replace")
    first = text.partition("\n")[0].strip().strip('"')
    if len(first) == len(_SAID) + 1 and first.startswith(_SAID):
        return first[-1], True
    if path.suffix.lower() == ".tsv":
        return "\t", False
    whole = len(start) < _PEEKED
    parted = {one: _fields(text, one, whole) for one in _DELIMITERS}
    named = [one for one in _DELIMITERS if parted[one] and parted[one][0] > 1]
    even = [one for one in named if len(set(parted[one])) == 1]
    comma = _DELIMITERS[0]
    # A comma that parts the first line is the delimiter unless another alone parts all lines.
    if comma in even or not named:
        return comma, False
    if len(even) == 1 and len(parted[even[0]]) > 1:
        return even[0], False
    if comma in named:
        return comma, False
    if len(named) == 1:
        return named[0], False
    rule = f"may be parted by any of {' '.join(map(repr, named))}"
    raise UserError(Problem("path", str(path), rule, "save it with commas, as CSV (UTF-8)"))


def _fields(text: str, delimiter: str, whole: bool) -> list[int]:
    """Numbers of fields of the first lines under a delimiter; none where the quotes forbid it."""
    found: list[int] = []
    try:
        for fields in islice(csv.reader(StringIO(text), delimiter=delimiter, strict=True), _LINES):
            found += [len(fields)] if fields else []
    except csv.Error:
        # A broken quote further down is told with its line when the rows are read.
        return found
    return found if whole or len(found) == _LINES else found[:-1]


def _row(names: list[str], fields: list[str]) -> object:
    if len(fields) != len(names):
        rule = f"has {len(fields)} fields, the first line names {len(names)}"
        return RowFault(fields, rule, "quote fields that hold commas or line breaks")
    return {name: value or None for name, value in zip(names, fields, strict=True)}
