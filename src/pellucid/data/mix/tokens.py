"""How long records are to a model, as a mix asks: by the length index of the store.

The index (`store/lengths`) is made here where nobody needed it before, and what training packs by
later is the same. Nothing is estimated from characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix.pool import Pool, one_piece
from pellucid.prompt.lengths import measure
from pellucid.prompt.render import Renderer
from pellucid.store.lengths import all_lengths
from pellucid.store.mixes import MixMode

_MODES: tuple[MixMode, MixMode] = ("nothink", "think")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Lengths of the records of a pool; 0 in a mode that a record cannot be seen in."""

    longest: np.ndarray
    """(2, records) int32: tokens of the longest example without thinking, and with it."""
    supervised: np.ndarray
    """(2, records) int32: tokens that are learnt, over all examples."""


def count_tokens(pool: Pool, renderer: Renderer) -> Tokens:
    """Lengths of all records of a source, counted now where no label says them yet.

    Raises:
        UserError: a record cannot be rendered.
        DiskError: the store's folder cannot be written.
    """
    told: list[np.ndarray] = []

    def read() -> Iterator[pa.Array]:
        """Ids, while lengths are taken down."""
        for table in all_lengths(pool.store, renderer.hash, lambda one: measure(one, renderer)):
            if table["nothink"].null_count:
                id = table.filter(table["nothink"].is_null())["id"][0].as_py()
                raise _unseen(id, pool, renderer)
            modes = [one_piece(table[name]) for name in _MODES]
            longest = [_over(np.maximum, examples, "tokens") for examples in modes]
            learnt = [_over(np.add, examples, "supervised") for examples in modes]
            told.append(np.stack([*longest, *learnt]).astype(np.int32))
            yield one_piece(table["id"])

    places = pool.ids.places(read())
    here = places >= 0
    found = np.zeros((2 * len(_MODES), len(pool)), np.int32)
    for row, *parts in zip(found, *told, strict=True):
        row[places[here]] = np.concatenate(parts)[here] if parts else ()
    return Tokens(found[:2], found[2:])


def _over(how: np.ufunc, examples: pa.ListArray, field: str) -> np.ndarray:
    """(records,) a field of each record's examples, put together; 0 where there are none."""
    counts = np.asarray(examples.value_lengths().fill_null(0))
    found = np.zeros(len(counts), np.int64)
    starts = np.cumsum(counts) - counts
    values = np.asarray(examples.flatten().field(field))
    if len(values):
        found[counts > 0] = how.reduceat(values, starts[counts > 0])
    return found


def _unseen(id: str, pool: Pool, renderer: Renderer) -> UserError:
    """Why a record cannot be rendered."""
    try:
        renderer.examples(pool.store.get(id), "nothink")
    except UserError as error:
        return error
    except ValueError as error:
        fix = "leave it out of the mix, or take it out of the source"
        return UserError(Problem("mix", id, f"cannot be rendered: {error}", fix))
    raise AssertionError(f"record {id} can be rendered, and its label says that it cannot")
