"""Rows of a JSON list or of a JSON-lines file.

A file that cannot be read as a whole is a `UserError`; a broken line of a JSON-lines file is the
fault of that row alone.
"""

import json
from pathlib import Path
from typing import Any, NoReturn

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.data.llava import RowFault

LINES = (".jsonl", ".ndjson")
"""Endings of files that hold one row a line; every other file is one JSON list."""


def read_rows(path: Path) -> list[Any]:
    """All rows, in the file's order; a `RowFault` stands for a line that is not JSON.

    Raises:
        UserError: there is no such file, it is not UTF-8 or not JSON, or it holds no rows.
    """
    if not path.is_file():
        _refuse(path, "does not exist", "check the path")
    with boundary("reading the dataset"):
        data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, f"is not UTF-8 (byte {error.start})", "save it as UTF-8")
    rows = _lines(text) if path.suffix.lower() in LINES else _list(path, text)
    if not rows:
        _refuse(path, "holds no rows", "add rows, or name another file")
    return rows


def _list(path: Path, text: str) -> list[Any]:
    try:
        rows = _parse(text)
    except RowFault as error:
        _refuse(path, error.rule, error.fix)
    if not isinstance(rows, list):
        _refuse(path, "is not a list of rows", "write [ {...}, {...} ]")
    return rows


def _lines(text: str) -> list[Any]:
    rows: list[Any] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_parse(line, number))
        except RowFault as error:
            rows.append(error)
    return rows


def _parse(text: str, line: int = 1) -> Any:
    """JSON of a text that starts at `line` of its file."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno + line - 1}, column {error.colno}"
        raise RowFault(text, f"is not JSON: {error.msg} ({at})", "mend that place") from None
    except RecursionError:
        raise RowFault(text, "is nested too deeply", "flatten it") from None


def _no_constant(name: str) -> NoReturn:
    raise RowFault(name, f"is not JSON: {name} is no JSON value", "write a number or null")


def _refuse(path: Path, rule: str, fix: str) -> NoReturn:
    raise UserError(Problem("path", str(path), rule, fix))
