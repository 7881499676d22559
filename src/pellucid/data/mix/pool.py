"""A source as columns: what a mix decides by, one position for each record, in stable order.

Arrays, never a Python object for each record: a mix over a million of them is ordinary. What is
long (ids; questions and golds, as hashes) is read shard by shard and kept on the disk (`disk.py`).
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.seeds import derive
from pellucid.data.mix.disk import Ids, Numbers
from pellucid.data.splits import plain
from pellucid.schema.record import SPLITS
from pellucid.store import Store
from pellucid.store.spill import Sorter

PIECE = 1 << 16
"""Rows of which something wider is held than what is kept of them."""
_KEY_BYTES = 16
"""Of the hash of (pictures, question, gold): two of a billion records agree by chance in 1e-21."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of few values: codes and what they stand for."""

    codes: np.ndarray
    """(records,) unsigned, as narrow as `values` allow; positions in them."""
    values: tuple[str, ...]

    def are(self, wanted: Sequence[str]) -> np.ndarray:
        """(records,) bool: whether the value is one of these."""
        return np.isin(self.codes, [at for at, one in enumerate(self.values) if one in wanted])


@dataclass(frozen=True, slots=True)
class Content:
    """What records show and ask, as hashes. The order is that of `Store.facts`."""

    split: np.ndarray
    """(records,) int8; positions in `SPLITS`."""
    keys: Numbers
    """(records,) 16 bytes; equal for equal pictures, question and gold."""
    questions: Numbers
    """(records,) uint64; equal for equal questions."""
    images: Numbers
    """(pictures of all records,) uint64; equal for equal pixels."""
    counts: np.ndarray
    """(records,) uint16: how many pictures each shows."""

    @property
    def first(self) -> np.ndarray:
        """(records + 1,) Where each record's pictures begin in `images`."""
        wide = len(self.images) >> 31
        found = np.zeros(len(self.counts) + 1, np.int64 if wide else np.int32)
        np.cumsum(self.counts, out=found[1:])
        return found

    def keyed(self, known: np.ndarray) -> np.ndarray:
        """(records,) bool: whether a record's key is one of these, which are sorted."""
        found = np.zeros(len(self.split), bool)
        for first, keys in self.keys.pieces():
            if len(known):
                at = np.minimum(known.searchsorted(keys), len(known) - 1)
                found[first : first + len(keys)] = known[at] == keys
        return found


class Pool:
    """One source."""

    def __init__(self, name: str, store: Store) -> None:
        self.name, self.store = name, store
        self.ids = Ids()
        codes = {name: _Codes() for name in ("split", "task")}
        flags = {name: bytearray() for name in ("mode", "can_think")}
        for facts in store.fact_blocks(["id", *codes, *flags]):
            self.ids.add(one_piece(facts["id"]))
            for column, coded in codes.items():
                coded.add(facts[column])
            think = pc.fill_null(pc.equal(facts["mode"], "think"), False)
            flags["mode"] += np.asarray(one_piece(think)).tobytes()
            flags["can_think"] += np.asarray(one_piece(facts["can_think"])).tobytes()
        self.split, self.task = (coded.texts() for coded in codes.values())
        self.think = np.frombuffer(flags["mode"], bool)
        """(records,) bool: whether its own last answer thinks."""
        self.can_think = np.frombuffer(flags["can_think"], bool)
        """(records,) bool: whether it has reasoning."""
        self._hashes: dict[int, Numbers] = {}
        self._orders: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def domain(self) -> Texts:
        """What it is about."""
        return self._texts("domain")

    @cached_property
    def licence(self) -> Texts:
        """The licence of each record."""
        return self._texts("licence")

    @cached_property
    def difficulty(self) -> np.ndarray:
        """(records,) float64; NaN where nobody said."""
        found = bytearray()
        for facts in self.store.fact_blocks(["difficulty"]):
            values = pc.fill_null(facts["difficulty"], float("nan"))
            found += np.asarray(one_piece(values)).tobytes()
        return np.frombuffer(found, np.float64)

    @property
    def content(self) -> Content:
        """What records show and ask."""
        return read_content(self.store)

    def ranked(self, at: np.ndarray, seed: int) -> np.ndarray:
        """Positions in the order of a seed: what comes first does not depend on the others."""
        wanted, order = np.zeros(len(self), bool), self._order(seed)
        wanted[at] = True
        ranked: np.ndarray = order[wanted[order]]
        return ranked

    def hashes(self, seed: int) -> Numbers:
        """(records,) uint64: `derive(seed, id)`."""
        if seed not in self._hashes:
            found = self._hashes[seed] = Numbers("u8")
            for _, ids in self.ids.pieces():
                told = (derive(seed, id) for id in ids.to_pylist())
                found.add(np.fromiter(told, np.uint64, len(ids)).tobytes())
        return self._hashes[seed]

    def _order(self, seed: int) -> np.ndarray:
        """(records,) int32: all positions by `hashes`."""
        if seed not in self._orders:
            sorter = Sorter(2)
            for first, hashes in self.hashes(seed).pieces():
                at = np.arange(first, first + len(hashes), dtype=np.uint64)
                sorter.add(np.stack([hashes << np.uint64(1), at], axis=1))  # of 63 bits
            found, order = sorter.sorted(), np.empty(len(self), np.int32)
            for start, rows in found.numbered():
                order[start : start + len(rows)] = rows[:, 1]
            self._orders[seed] = self._by_id(order, found.repeated())
        return self._orders[seed]

    def _by_id(self, order: np.ndarray, ties: np.ndarray) -> np.ndarray:
        """The order, with those of equal hashes by their ids."""
        for hash in np.unique(ties[:, 0]):
            at = np.sort(ties[ties[:, 0] == hash, 1]).astype(np.int64)
            ids = pa.concat_arrays(list(self.ids.take(at)))
            order[np.isin(order, at)] = at[np.asarray(pc.sort_indices(ids))]
        return order

    def _texts(self, name: str) -> Texts:
        codes = _Codes()
        for facts in self.store.fact_blocks([name]):
            codes.add(facts[name])
        return codes.texts()


@final
class _Codes:
    """A column of few values, taken in piece by piece; values are numbered as they first come."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._codes, self._type = bytearray(), np.dtype(np.uint8)

    def add(self, column: pa.ChunkedArray) -> None:
        coded = one_piece(pc.fill_null(column, "")).dictionary_encode()
        named = [
            self._values.setdefault(one, len(self._values)) for one in coded.dictionary.to_pylist()
        ]
        wider = np.min_scalar_type(len(self._values))
        if wider.itemsize > self._type.itemsize:
            codes = np.frombuffer(self._codes, self._type).astype(wider)
            self._codes, self._type = bytearray(codes.tobytes()), wider
        self._codes += np.array(named, self._type)[np.asarray(coded.indices)].tobytes()

    def texts(self) -> Texts:
        return Texts(np.frombuffer(self._codes, self._type), tuple(self._values))


@lru_cache(maxsize=64)
def read_content(store: Store) -> Content:
    """Hashes of what every record shows and asks; a store is read once, as it never changes."""
    keys, questions, images = Numbers(f"S{_KEY_BYTES}"), Numbers("u8"), Numbers("u8")
    counts, split = array("H"), bytearray()
    codes = {name: at for at, name in enumerate(SPLITS)}
    for one in store.asked(stable=True):
        pixels = [store.pixel_hash(sha256) for sha256 in one.images]
        question = plain(one.question)
        keys.add(hashed("\x1f".join([*pixels, question, plain(one.gold)]), _KEY_BYTES))
        questions.add(hashed(question, 8))
        images.add(b"".join(hashed(pixel, 8) for pixel in pixels))
        counts.append(len(pixels))
        split.append(codes[one.split])
    return Content(
        split=np.frombuffer(split, np.int8),
        keys=keys,
        questions=questions,
        images=images,
        counts=np.frombuffer(counts, np.uint16),
    )


def held_out(pools: Sequence[Store], split: str) -> np.ndarray:
    """Keys of a split over all stores, sorted, each once."""
    code = SPLITS.index(split)
    found = [
        keys[content.split[first : first + len(keys)] == code]
        for content in map(read_content, pools)
        for first, keys in content.keys.pieces()
    ]
    return np.unique(np.concatenate([np.zeros(0, f"S{_KEY_BYTES}"), *found]))


def hashed(text: str, size: int) -> bytes:
    """So many bytes that stand for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def one_piece(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def positions(mask: np.ndarray) -> np.ndarray:
    """Where a mask is true, ascending, int32; a source has fewer than 2**31 records."""
    found, count = np.empty(int(np.count_nonzero(mask)), np.int32), 0
    for start in range(0, len(mask), PIECE):
        here = np.flatnonzero(mask[start : start + PIECE])
        found[count : count + len(here)] = here + start
        count += len(here)
    return found
