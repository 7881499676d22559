"""An operator of the user's own: a function of one record and its pictures, in a file of theirs.

    def ink(record, images):
        grey = np.asarray(images[0].convert("L"))
        return float((grey < 128).mean())

It returns the value of its column, or a mapping of its columns to values; None says nothing of a
record. Pictures are decoded when they are asked for. Equal records must give equal values: a shard
is done once, by whoever comes first. Left out on purpose: operators over images alone, and a bound
on the function's time.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import pyarrow as pa
from PIL import Image

from pellucid.base.errors import PellucidError, Problem, UserError
from pellucid.base.own import FAILS, own_code, shown, takes
from pellucid.data.duplicates.pictures import decoded
from pellucid.data.ops.base import Images, Over, Resources
from pellucid.recipe.mix import LABEL
from pellucid.recipe.own import ColumnKind, OwnOperator
from pellucid.schema.record import Record
from pellucid.store import arrow

VERSION = 1
"""Of what stands around the function; its own code is part of the parameters."""

RESERVED = (
    "contamination", "contradictions", "duplicates", "flags", "image_embedding", "image_signature",
    "image_small", "question_stats", "reply_stats", "review", "teacher", "text_signature",
    "text_stats", "triage",
)  # fmt: skip
"""Names of labels that Pellucid writes itself."""

Said = dict[str, float | str | bool | None]

_TYPES: Mapping[ColumnKind, pa.DataType] = {
    "number": pa.float64(),
    "text": pa.string(),
    "flag": pa.bool_(),
}
_WANTED: Mapping[ColumnKind, str] = {
    "number": "a finite number",
    "text": "a text (of whole letters)",
    "flag": "True or False",
}


class Pictures(Sequence[Image.Image]):
    """The pictures of a record, upright RGB, each decoded when it is asked for."""

    def __init__(self, record: Record, images: Images) -> None:
        """
        Args:
            record: whose pictures they are.
            images: gives encoded bytes.
        """
        self._hashes, self._images = [one.sha256 for one in record.images], images

    def __len__(self) -> int:
        return len(self._hashes)

    @overload
    def __getitem__(self, at: int) -> Image.Image: ...
    @overload
    def __getitem__(self, at: slice) -> list[Image.Image]: ...
    def __getitem__(self, at: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        return decoded(self._images(self._hashes[at]))


@dataclass(frozen=True, slots=True)
class Own:
    """The operator; as `base.Operator`."""

    name: str
    path: str
    """`file.py:function`."""
    code: str
    """SHA-256 of the file."""
    columns: Mapping[str, ColumnKind]
    options: Mapping[str, Any]
    at: str
    """What names it, for messages."""
    version: int = field(default=VERSION, init=False)
    over: Over = field(default="records", init=False)
    needs: tuple[str, ...] = field(default=tuple(arrow.RECORDS.names), init=False)
    needs_images: bool = field(default=True, init=False)
    resources: Resources = field(default=Resources(), init=False)

    @property
    def gives(self) -> pa.Schema:
        """The columns that were declared."""
        told = [(name, _TYPES[kind]) for name, kind in sorted(self.columns.items())]
        return pa.schema([("id", pa.string()), *told])

    @property
    def params(self) -> dict[str, Any]:
        """The code, and what it is called with; not where the file lies."""
        return {
            "code": self.code,
            "function": self.path.rpartition(":")[2],
            "columns": dict(self.columns),
            "options": dict(self.options),
        }

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        """What the function says of each record of a shard.

        Raises:
            UserError: the file is another one now, or the function raises or gives what its columns
                do not take; the message names the record.
        """
        code = own_code(f"{self.at}.path", self.path)
        if code.hash != self.code:
            rule, fix = "was changed while its labels were made", "run the command again"
            raise UserError(Problem(f"{self.at}.path", self.path, rule, fix))
        records = arrow.from_table(table)
        said = [self._one(code.function, record, images) for record in records]
        columns = {
            name: pa.array([one[name] for one in said], self.gives.field(name).type)
            for name in self.gives.names[1:]
        }
        ids = pa.array([record.id for record in records], pa.string())
        return pa.table({"id": ids, **columns}, schema=self.gives)

    def _one(self, function: Callable[..., Any], record: Record, images: Images) -> Said:
        try:
            return checked(function(record, Pictures(record, images), **self.options), self.columns)
        except PellucidError:
            raise
        except _Refused as error:
            rule = f"gave {error} for record {record.id}"
        except FAILS as error:
            rule = f"raised {type(error).__name__} on record {record.id}: {error}"
        where = self.path.rpartition("/")[2]
        raise UserError(Problem(f"{self.at}.path", where, rule[:400], "mend the function"))


class _Refused(ValueError):
    """What a function said is not what its columns take."""


def own_operator(name: str, options: OwnOperator, at: str) -> Own:
    """The operator that a function makes.

    Args:
        name: of its label.
        options: the file, the function, its columns and keyword arguments.
        at: what names it, for messages (`data.ops.ink`).

    Raises:
        UserError: there is no such file or function, it takes other arguments, or the name is one
            of ours.
    """
    if not re.fullmatch(LABEL, f"{name}@{VERSION}"):
        rule = "makes no name of a label that a mix can ask for"
        raise UserError(Problem(at, name, rule, "call the function by plain small letters"))
    if name in RESERVED or name.startswith(("lengths-", "review-")):
        rule = "is the name of a label that Pellucid writes itself"
        raise UserError(Problem(at, name, rule, "choose another"))
    code = own_code(f"{at}.path", options.path)
    function = options.path.rpartition(":")[2]
    takes(f"{at}.options", function, code, 2, options.options)
    return Own(name, options.path, code.hash, dict(options.gives), dict(options.options), at)


def checked(said: Any, columns: Mapping[str, ColumnKind]) -> Said:
    """What a function said of a record, as values of its columns.

    Raises:
        ValueError: it is something else; the text says what was wanted.
    """
    if not isinstance(said, Mapping):
        if len(columns) > 1 and said is not None:
            raise _Refused(f"{shown(said)}, wanted a mapping of {', '.join(columns)}")
        said = dict.fromkeys(columns, said)
    if unknown := sorted(str(name) for name in said if name not in columns):
        raise _Refused(f"columns that were not declared ({', '.join(unknown)}); see gives")
    return {name: _value(name, said.get(name), kind) for name, kind in columns.items()}


def _value(name: str, said: Any, kind: ColumnKind) -> float | str | bool | None:
    if said is None:
        return None
    if kind == "number" and not isinstance(said, (str, bytes, bytearray)):
        with suppress(TypeError, ValueError, OverflowError):
            if math.isfinite(number := float(said)):  # those of numpy and torch as well
                return number
    elif kind == "text" and isinstance(said, str):
        with suppress(UnicodeEncodeError):  # half of a surrogate pair cannot be written
            said.encode()
            return said
    elif kind == "flag" and isinstance(said, (bool, np.bool_)):
        return bool(said)
    raise _Refused(f"{name}={shown(said)}, wanted {_WANTED[kind]} or None")
