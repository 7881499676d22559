"""What a process does with a chunk of candidate pairs: guess, sieve, and lay over what is left.

Everything that it needs is read from the stores: codes and small copies from the labels of a shard
(without a search for crops there are none, and small copies are made of the pictures), picture
bytes from its pack. A pair that an embedding proposed is also tried with one picture turned by
quarters and mirrored. A few shards and `_HELD_BYTES` of decoded pictures are kept. Leaves out
on purpose: which pairs are looked at, and what follows (`images.py`).
"""

from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pellucid.base.errors import boundary
from pellucid.data.duplicates import align, keypoints, sieve
from pellucid.data.duplicates.hexes import from_hex
from pellucid.data.duplicates.pictures import grey
from pellucid.data.ops.image_signature import ImageSignature
from pellucid.store import layout
from pellucid.store.images import Location, read_at

_NEARLY = 0.012
"""Sides of a guess that are off by no more are those of the whole."""
_SAME = 0.002
"""Frames that are no further apart end at the same place."""
_HELD_BYTES = 128 * 2**20
_HELD_SHARDS = 16
_BATCH = 64
"""Pairs that are sieved at once; some 30 MB."""
_TURNS: tuple[Image.Transpose, ...] = tuple(Image.Transpose)
"""All that quarter turns and mirrors make of a picture, itself apart."""
_TURNED_BATCH = _BATCH // 4
"""Pairs that are sieved at once in all turns."""


class Chunk(NamedTuple):
    """Pairs of images to look at."""

    number: int
    shards: tuple[tuple[str, str], ...]
    """Store and shard."""
    crops: bool
    """Whether there are labels, which say where one picture may lie in the other."""
    place: np.ndarray
    """(pairs, 2, 3): each picture's shard as a place in `shards`, start and length in its pack."""
    sha256: np.ndarray
    """(pairs, 2): first 16 bytes."""
    turned: np.ndarray
    """(pairs,): whether one of the two may have been turned or mirrored."""


class Shard(NamedTuple):
    """What the labels say of a shard's images."""

    sha256: np.ndarray
    """Sorted."""
    small: np.ndarray
    starts: np.ndarray
    codes: np.ndarray

    def of(self, sha256: bytes) -> tuple[np.ndarray, np.ndarray]:
        """The small copy and the codes of one image."""
        row = int(np.searchsorted(self.sha256, sha256))
        return self.small[row], self.codes[self.starts[row] : self.starts[row + 1]]


class Seen(NamedTuple):
    """One picture of a pair."""

    place: Location
    small: np.ndarray
    codes: np.ndarray


def look_at(chunk: Chunk) -> tuple[int, np.ndarray]:
    """By how much the pairs of a chunk differ; what a runner calls."""
    off = np.full(len(chunk.place), np.inf)
    for start in range(0, len(off), _BATCH):
        some = np.arange(start, min(start + _BATCH, len(off)))
        if not chunk.crops:
            off[some] = [_of_whole(chunk, pair) for pair in some.tolist()]
            some = some[off[some] > align.RULE.worst]
        if len(some):
            off[some] = _differences(chunk, some)
    left = np.flatnonzero(chunk.turned & (off > align.RULE.worst))
    for start in range(0, len(left), _TURNED_BATCH):
        some = left[start : start + _TURNED_BATCH]
        off[some] = np.minimum(off[some], _differences(chunk, some, _TURNS))
    return chunk.number, np.round(off, 6)


def _of_whole(chunk: Chunk, pair: int) -> float:
    """By how much the whole pictures of a pair differ; most that are nearly equal are one."""
    a, b = (_pictures.held(_place(chunk, pair, side)) for side in (0, 1))
    found = align.worst_of_whole(a, b)
    return np.inf if found is None else found


def _differences(
    chunk: Chunk, pairs: np.ndarray, turns: tuple[Image.Transpose, ...] = ()
) -> np.ndarray:
    """At most `align.RULE.worst` for one picture; infinite where they do not cover each other.

    Args:
        chunk: holds the pairs.
        pairs: which of them.
        turns: ways in which the second picture is turned; without any it is as it is.
    """
    seen = [[_seen(chunk, pair, side) for side in (0, 1)] for pair in pairs.tolist()]
    owner, frames = _turned_starts(len(seen), len(turns)) if turns else _starts(seen)
    turn = turns * len(seen) if turns else (None,) * len(owner)
    left, frames = sieve.sieved(
        np.stack([seen[pair][0].small for pair in owner]),
        np.stack([_turned(seen[pair][1].small, by) for pair, by in zip(owner, turn, strict=True)]),
        frames,
        align.RULE.overlap,
        align.RULE.cut,
    )
    off, tried = np.full(len(pairs), np.inf), dict[object, np.ndarray]()
    for at in np.flatnonzero(left).tolist():
        pair, frame, by = owner[at], frames[at], turn[at]
        again = (pair, by) in tried and np.abs(tried[pair, by] - frame).max() < _SAME
        if off[pair] > align.RULE.worst and not again:
            tried[pair, by] = frame
            a, b = (_pictures.held(one.place) for one in seen[pair])
            if by is not None:
                b = align.Shown(*(picture.transpose(by) for picture in b))
            found = align.worst_window(a, b, align.Frame(*frame.tolist()))
            off[pair] = min(off[pair], np.inf if found is None else found)
    return off


def _turned(small: np.ndarray, by: Image.Transpose | None) -> np.ndarray:
    return small if by is None else np.asarray(Image.fromarray(small).transpose(by))


def _turned_starts(pairs: int, turns: int) -> tuple[np.ndarray, np.ndarray]:
    """As `_starts`: the whole on the whole, every turn of every pair."""
    return np.repeat(np.arange(pairs), turns), np.tile(align.WHOLE, (pairs * turns, 1))


def _seen(chunk: Chunk, pair: int, side: int) -> Seen:
    """What is known of a picture before the pair is looked at."""
    place = _place(chunk, pair, side)
    if not chunk.crops:
        return Seen(place, sieve.small(_pictures.held(place).full), _NO_CODES)
    shard = _shard(*chunk.shards[chunk.place[pair, side, 0]])
    return Seen(place, *shard.of(chunk.sha256[pair, side]))


def _place(chunk: Chunk, pair: int, side: int) -> Location:
    number, start, length = chunk.place[pair, side].tolist()
    return Location(_pack(*chunk.shards[number]), start, length)


@lru_cache(maxsize=1024)
def _pack(folder: str, name: str) -> Path:
    return Path(folder) / "images" / layout.pack(name)


_NO_CODES = np.empty(0, keypoints.KEYPOINT)


def _starts(seen: list[list[Seen]]) -> tuple[np.ndarray, np.ndarray]:
    """Frames to begin with: where the codes say, and the whole on the whole; whose each is."""
    owner, frames = list[int](), list[align.Frame]()
    for pair, (one, other) in enumerate(seen):
        guessed = align.guess(one.codes, other.codes)
        if guessed is not None and max(map(abs, np.subtract(guessed, align.WHOLE))) >= _NEARLY:
            owner.append(pair)
            frames.append(guessed)
        owner.append(pair)
        frames.append(align.WHOLE)
    return np.array(owner), np.array(frames)


@lru_cache(maxsize=_HELD_SHARDS)
def _shard(folder: str, name: str) -> Shard:
    home = Path(folder)
    with boundary(f"reading the labels of {name}"):
        table = _labels(home, name)
        ids, small = _small(table)
        lists = table["code"].combine_chunks()
        codes = np.empty(len(lists.flatten()), keypoints.KEYPOINT)
        for column in keypoints.KEYPOINT.names or ():
            codes[column] = np.asarray(table[column].combine_chunks().flatten())
    assert (ids[1:] > ids[:-1]).all(), "labels are sorted by id"
    return Shard(ids, small, np.concatenate([[0], np.cumsum(_lengths(lists))]), codes)


def _lengths(lists: pa.ListArray) -> np.ndarray:
    return np.diff(np.asarray(lists.offsets))


def read_small(folder: Path, shard: str) -> tuple[np.ndarray, np.ndarray]:
    """First 16 bytes of the SHA-256 of a shard's images, sorted, and their small copies."""
    return _small(_labels(folder, shard, ["id", "pixels"]))


def _small(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    data = np.frombuffer(b"".join(table["pixels"].to_pylist()), np.uint8)
    return from_hex(table["id"].combine_chunks()), data.reshape(-1, sieve.SIDE, sieve.SIDE)


def _labels(folder: Path, shard: str, columns: list[str] | None = None) -> pa.Table:
    operator = ImageSignature()
    path = layout.labels(folder, operator.name, operator.version) / f"{shard}.parquet"
    with pq.ParquetFile(path) as file:
        return file.read(columns)


class Pictures:
    """Decoded pictures; those looked at last are kept."""

    def __init__(self) -> None:
        self._held: OrderedDict[Location, align.Shown] = OrderedDict()
        self._bytes = 0

    def held(self, place: Location) -> align.Shown:
        """The picture whose bytes lie there."""
        found = self._held.get(place)
        if found is None:
            found = self._held[place] = align.shown(grey(read_at(place)))
            self._bytes += _size(found)
            while self._bytes > _HELD_BYTES and len(self._held) > 2:
                self._bytes -= _size(self._held.popitem(last=False)[1])
        self._held.move_to_end(place)
        return found


def _size(one: align.Shown) -> int:
    return sum(picture.width * picture.height for picture in one)


_pictures = Pictures()
