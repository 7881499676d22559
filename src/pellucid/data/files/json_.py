"""Rows of a JSON list or of a JSON-lines file, a piece of the file at a time.

A broken line of a JSON-lines file is the fault of that row alone; a list that breaks ends the
reading, for nothing says where its next row begins. A name that stands twice in an object is the
fault of its row in both.
"""

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TextIO

from pellucid.base.errors import Problem, UserError
from pellucid.data.files.base import Given
from pellucid.data.llava import RowFault

_PIECE = 2**20
"""Characters read at once."""
_SPACE = " \t\n\r"


class _Decoder(json.JSONDecoder):
    """Notes names that stand twice in one object: JSON's readers keep the last, in silence."""

    def __init__(self) -> None:
        self.twice: list[str] = []
        super().__init__(parse_constant=_no_constant, object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            self.twice += [name for name, count in counts.items() if count > 1]
        return found


class Line(NamedTuple):
    """A line that is not parsed yet, so that another process may do it."""

    path: Path
    data: bytes
    number: int
    """Counted from 1."""
    before: int
    """Bytes of the file before it."""

    def parsed(self) -> Any:
        """Its JSON value; a `RowFault` where it is none.

        Raises:
            UserError: it is not UTF-8, or the file ends inside it.
        """
        data = self.data.removeprefix(codecs.BOM_UTF8) if self.number == 1 else self.data
        value = _line(self.path, data.rstrip(b"\r\n"), self.before, self.number)
        broken = isinstance(value, RowFault) and value.rule.startswith("is not JSON")
        if broken and not self.data.endswith(b"\n"):
            _refuse(self.path, f"is cut off in line {self.number}", "fetch or write it again")
        return value


class Block(NamedTuple):
    """Lines that follow each other, not parsed yet; lines of spaces are no rows."""

    path: Path
    lines: list[bytes]
    number: int
    """Of the first line, counted from 1."""
    before: int
    """Bytes of the file before it."""
    held: int
    """Its rows."""
    at: float
    """Share of the file that is read after it."""

    def rows(self) -> Iterator[Line]:
        """The lines that are rows."""
        before = self.before
        for number, data in enumerate(self.lines, start=self.number):
            if not _blank(data, number):
                yield Line(self.path, data, number, before)
            before += len(data)


def blocks(path: Path, rows: int, first: int) -> Iterator[Block]:
    """The lines of a file, in blocks of so many rows; the first and the last may have fewer.

    Args:
        path: the file.
        rows: of a block.
        first: of the first block.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as file:
        lines, room, count, begin, before, read = list[bytes](), first, 0, 1, 0, 0
        for number, data in enumerate(file, start=1):
            lines.append(data)
            read += len(data)
            count += not _blank(data, number)
            if count == room:
                yield Block(path, lines, begin, before, count, read / size)
                lines, room, count, begin, before = [], rows, 0, number + 1, read
        if lines:
            yield Block(path, lines, begin, before, count, 1.0)


def _blank(data: bytes, number: int) -> bool:
    return (data.removeprefix(codecs.BOM_UTF8).strip() == b"") if number == 1 else data.isspace()


def lines(path: Path) -> Iterator[Given]:
    """One row a line.

    Raises:
        UserError: the file is not UTF-8.
    """
    for block in blocks(path, 1, 1):
        for line in block.rows():
            yield Given(line.parsed(), at=block.at)


def _line(path: Path, data: bytes, before: int, number: int) -> Any:
    try:
        return decode(data.decode("utf-8"), number)
    except UnicodeDecodeError as error:
        _refuse(path, f"is not UTF-8 (byte {before + error.start})", "save it as UTF-8")
    except RowFault as fault:
        return fault


def decode(text: str, line: int = 1) -> Any:
    """A JSON value of a text that starts in a line.

    Raises:
        RowFault: it is none.
    """
    decoder = _DECODER
    decoder.twice.clear()
    try:
        value = decoder.decode(text)
    except JSONDecodeError as error:
        raise _broken(error.msg, line + error.lineno - 1, error.colno, text) from None
    except RowFault:
        raise
    except ValueError:
        raise _long_number(text) from None
    except RecursionError:
        raise RowFault(text[:60], "is nested too deeply", "flatten it") from None
    if decoder.twice:
        raise _twice(decoder.twice)
    return value


def items(path: Path) -> Iterator[Given]:
    """Elements of one list.

    Raises:
        UserError: the file is not UTF-8, not JSON, or not a list.
    """
    size = max(path.stat().st_size, 1)
    with path.open("r", encoding="utf-8-sig") as file:
        try:
            window = _Window(file)
            if window.next() != "[":
                _whole(path, window)
            window.at += 1
            for value in _elements(window):
                yield Given(value, at=min(window.read_bytes / size, 1.0))
        except UnicodeDecodeError as error:
            at = window.read_bytes + error.start
            _refuse(path, f"is not UTF-8 (byte {at})", "save it as UTF-8")
        except RowFault as fault:
            _refuse(path, fault.rule, fault.fix)


def _whole(path: Path, window: "_Window") -> NoReturn:
    """A file that does not begin as a list: say whether it is JSON at all."""
    while window.more():
        pass
    try:
        value = decode(window.text)
    except RowFault as fault:
        if window.text.lstrip().startswith("{") and "Extra data" in fault.rule:
            _refuse(path, "holds one row a line", "give it the ending .jsonl")
        raise
    held = value.items() if isinstance(value, dict) else ()
    for name, rows in held:
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            rule = f"is an object that holds its rows under {name!r}"
            _refuse(path, rule, "write that list alone: [ {...}, {...} ]")
    _refuse(path, "is not a list of rows", "write [ {...}, {...} ]")


class _Window:
    """The part of a text that is being looked at."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.text, self.at, self.line, self.column = "", 0, 1, 1
        self.read_bytes = 0
        self.ended = False

    def more(self, characters: int = _PIECE) -> bool:
        """Take more of the file; what lies before `at` is let go."""
        piece = self._file.read(characters)
        self.read_bytes += len(piece.encode("utf-8", "surrogatepass"))
        passed = self.text[: self.at]
        breaks = passed.count("\n")
        self.line += breaks
        self.column = len(passed) - passed.rfind("\n") if breaks else self.column + len(passed)
        self.text, self.at = self.text[self.at :] + piece, 0
        self.ended = not piece
        return bool(piece)

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def fault(self, rule: str, position: int) -> RowFault:
        """A fault at a position of the text."""
        passed = self.text[:position]
        breaks = passed.count("\n")
        column = position - passed.rfind("\n") if breaks else self.column + position
        return _broken(rule, self.line + breaks, column, self.text[position : position + 60])


def _elements(window: _Window) -> Iterator[Any]:
    decoder = _Decoder()
    if window.next() == "]":
        window.at += 1
    else:
        while True:
            yield _element(window, decoder)
            if window.next() == "]":
                window.at += 1
                break
            if window.next() != ",":
                raise window.fault("Expecting ',' delimiter", window.at)
            window.at += 1
            window.next()
    if window.next():
        raise window.fault("Extra data", window.at)


def _element(window: _Window, decoder: _Decoder) -> Any:
    """The value at the window's place; the file is read on while it may only be cut off."""
    while True:
        decoder.twice.clear()
        try:
            value, end = decoder.raw_decode(window.text, window.at)
            if end < len(window.text) or window.ended:
                window.at = end
                return _twice(decoder.twice) if decoder.twice else value
        except JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated") or error.pos >= len(window.text) - 16
            if window.ended or not cut:
                raise window.fault(error.msg, error.pos) from None
        except RowFault:
            raise
        except ValueError:
            raise _long_number(window.text) from None
        except RecursionError:
            raise RowFault(window.text[:60], "is nested too deeply", "flatten it") from None
        # Twice as much each time, so that a long element is decoded a few times only.
        window.more(max(_PIECE, len(window.text) - window.at))


def _twice(names: list[str]) -> RowFault:
    told = ", ".join(dict.fromkeys(names))
    return RowFault(told, "stands twice in one object", "keep one of them")


def _long_number(text: str) -> RowFault:
    return RowFault(text[:60], "holds a number of thousands of digits", "write it as a text")


def _broken(message: str, line: int, column: int, text: str) -> RowFault:
    rule = f"is not JSON: {message} (line {line}, column {column})"
    return RowFault(text, rule, "mend that place")


def _no_constant(name: str) -> NoReturn:
    raise RowFault(name, f"is not JSON: {name} is no JSON value", "write a number or null")


_DECODER = _Decoder()


def _refuse(path: Path, rule: str, fix: str) -> NoReturn:
    raise UserError(Problem("path", str(path), rule, fix))
