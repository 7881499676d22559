"""Clusters of pictures over several stores: equal pixels, then candidates, then a look at both.

Candidates come from the perceptual hash (another file, another size), from shared codes (a crop)
and, where those are few, from likeness at a few pixels; from vectors as well, where the user has a
function that makes them. None decides: `look.look_at` compares the pictures themselves, so that two
pages of one template stay two. Who wants no crops found needs
neither codes nor likeness, and no label of any picture. A cluster's name is its least pixel hash,
whatever the order of rows, shards or stores. Held in memory: 150 bytes an image, some 60 a
candidate pair, `_AT_ONCE` codes at a time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pellucid.base.lookup import pick
from pellucid.base.progress import Progress
from pellucid.base.seeds import derive
from pellucid.data.duplicates import align, keypoints, sieve
from pellucid.data.duplicates.clusters import agreed, components, counted, same_key_pairs
from pellucid.data.duplicates.cosine import Cosine, cosine_pairs
from pellucid.data.duplicates.hexes import digits, from_hex
from pellucid.data.duplicates.journal import Journal
from pellucid.data.duplicates.look import Chunk, look_at, read_small
from pellucid.data.duplicates.mixing import mixed
from pellucid.data.duplicates.neighbours import CELLS, cells, nearest_pairs
from pellucid.data.ops.base import Resources
from pellucid.data.ops.image_signature import ImageSignature
from pellucid.data.ops.run import shards_of
from pellucid.data.runners import RUNNERS
from pellucid.store import layout

RADIUS = 24
"""Bits of 256 by which the perceptual hashes of one picture may differ; copies that were encoded
again or rescaled 0.5-2x differed by at most 20 (benchmarks/duplicates.py)."""
_BANDS, _BAND_BITS = 12, 21
_FEW = 192
"""Pictures with fewer codes are also compared with those that look alike at a few pixels."""
VOTES = 2
"""Codes that a picture and its crop must share, at places that fit."""
_BEST, _TRIES = 3, 2
"""Pairs of each picture that are looked at first, and of two clusters before they are let be."""
_SHIFT = 0.15
_GROWTH = 1.45
_AT_ONCE = 1 << 22
_CHUNK, _LEAST = 256, 16
"""Pairs that one task looks at, at most and at least. Without crops a process is not worth its
start for fewer than a chunk."""
_ROUND = 1 << 17
"""Pairs that a runner is given at once."""
_TILE = 8
"""Shards that are compared with as many others before the next ones are read."""


def rules(crops: bool = True, cosine: Cosine | None = None) -> dict[str, Any]:
    """What the same pictures are judged by, with or without a search for crops and vectors."""
    return {
        "image": {name: getattr(align.RULE, name) for name in align.Rule.__dataclass_fields__},
        "align": [align.VERSION, sieve.VERSION, sieve.COPY_VERSION],
        "crops": [keypoints.VERSION] if crops else False,
        **({"image_embedding": cosine.params} if cosine else {}),
    }


class Pictures(NamedTuple):
    """Every image of some stores once, sorted by its SHA-256."""

    sha256: np.ndarray
    """First 16 bytes."""
    pixels: np.ndarray
    """First 16 bytes of the pixel hash."""
    phash: np.ndarray
    """(images, 4) unsigned 64-bit numbers."""
    place: np.ndarray
    """(images, 3): number of the first shard that holds it, start and length in that pack."""


class Clusters(NamedTuple):
    """What was found."""

    sha256: np.ndarray
    """First 16 bytes of each image's SHA-256, sorted."""
    name: np.ndarray
    """Least pixel hash (16 bytes) of each image's cluster."""
    looked_at: int
    """Candidate pairs that were compared."""

    def names_of(self, sha256s: pa.Array) -> np.ndarray:
        """The cluster of each image, given by its SHA-256 in hex."""
        return self.name[np.searchsorted(self.sha256, from_hex(sha256s))]


def cluster_images(
    folders: Sequence[Path],
    runner: str = "local",
    workers: int = 1,
    crops: bool = True,
    cosine: Cosine | None = None,
) -> Clusters:
    """Cluster the images of stores.

    Comparisons are kept in the first store until all are done, so a killed call goes on.

    Args:
        folders: finished stores.
        runner: a name in `data.runners.RUNNERS`.
        workers: pairs at a time, in chunks.
        crops: look for crops too; all `image_signature` labels must be there.
        cosine: propose pairs by vectors too; all labels of its embedding must be there.

    Raises:
        UserError: vectors have different lengths.
    """
    shards = tuple((str(folder), name) for folder in folders for name in shards_of(folder))
    found = read_pictures(folders)
    names, rows, inverse = np.unique(found.pixels, return_index=True, return_inverse=True)
    own = Pictures(*(column[rows] for column in found))
    sources = [_near(own.phash)]
    if crops:
        codes = np.zeros(len(rows), np.int64)
        for who, _ in _codes(folders, own.sha256):
            codes += np.bincount(who, minlength=len(rows))
        sources.append(_sharing(folders, own.sha256, int(codes.sum())))
        sources.append(_alike(shards, own, codes < _FEW))
    turned = np.zeros(0, np.int64)
    if cosine:
        sources.append(cosine_pairs(folders, own.sha256, cosine))
        turned = sources[-1][0]
    pairs, scores = counted(sources)
    looking = Looking(shards, own, rules(crops, cosine), runner, workers, turned)
    roots, looked_at = _join(looking, pairs, scores)
    looking.journal.end()
    return Clusters(found.sha256, names[roots][inverse], looked_at)


def _join(looking: "Looking", pairs: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, int]:
    """The least member of each picture's cluster, and how many pairs were looked at.

    The best pairs of each picture come first. What is joined then needs no further look; of two
    clusters that are not joined only the best few pairs are looked at.
    """
    pictures = len(looking.pictures.sha256)
    count = max(1, pictures)
    first, second = pairs // count, pairs % count
    seen, off = np.zeros(len(pairs), bool), np.full(len(pairs), np.inf)
    order = np.lexsort((pairs, -scores))
    chosen = order[_among_best(first[order], second[order], _BEST)]
    roots = np.arange(pictures)
    while len(chosen):
        off[chosen] = looking.at(first[chosen], second[chosen])
        same = off <= align.RULE.worst
        seen[chosen] = True
        roots = _joined(pictures, pairs, seen, off)
        a, b = roots[first], roots[second]
        between = np.minimum(a, b) * count + np.maximum(a, b)
        tried, times = np.unique(between[seen & ~same], return_counts=True)
        left = order[(~seen & (a != b))[order]]
        _, at = np.unique(between[left], return_index=True)
        chosen = left[np.sort(at)]
        place = np.searchsorted(tried, between[chosen]).clip(max=max(0, len(tried) - 1))
        if len(tried):
            enough = (tried[place] == between[chosen]) & (times[place] >= _TRIES)
            chosen = chosen[~enough]
    return roots, int(seen.sum())


def _joined(count: int, pairs: np.ndarray, seen: np.ndarray, off: np.ndarray) -> np.ndarray:
    """`agreed` over the pairs that were looked at, the most alike first.

    Only what pairs that hold connect can be joined, so other pairs need not be counted.
    """
    looked = np.flatnonzero(seen)
    holds = looked[off[looked] <= align.RULE.worst]
    width = max(1, count)
    reach = components(count, pairs[holds] // width, pairs[holds] % width)
    inside = reach[pairs[looked] // width] == reach[pairs[looked] % width]
    known = looked[inside]
    known = known[np.lexsort((pairs[known], off[known]))]
    same = off[known] <= align.RULE.worst
    return agreed(count, pairs[known] // width, pairs[known] % width, same)


def _among_best(first: np.ndarray, second: np.ndarray, most: int) -> np.ndarray:
    """Which of ranked pairs are among the best `most` of one of their two."""
    keep = np.zeros(len(first), bool)
    for who in (first, second):
        order = np.argsort(who, kind="stable")
        ranked = who[order]
        starts = np.searchsorted(ranked, ranked)
        keep[order[np.arange(len(who)) - starts < most]] = True
    return keep


def read_pictures(folders: Sequence[Path]) -> Pictures:
    """The index rows of all stores, each image once."""
    parts, before = list[Pictures](), 0
    for folder in folders:
        names = shards_of(folder)
        packs = pa.array([layout.pack(name) for name in names], pa.string())
        columns = ["sha256", "pixel_sha256", "phash256", "pack", "offset", "length"]
        with pq.ParquetFile(folder / layout.INDEX) as file:
            for batch in file.iter_batches(1 << 16, columns=columns):
                bits = digits(batch["phash256"], 32).reshape(-1, 32).copy().view(">u8")
                home = pc.index_in(batch["pack"].cast(pa.string()), packs)
                place = [np.asarray(home) + before, batch["offset"], batch["length"]]
                parts.append(
                    Pictures(
                        from_hex(batch["sha256"]),
                        from_hex(batch["pixel_sha256"]),
                        bits.astype(np.uint64),
                        np.stack([np.asarray(one, np.int64) for one in place], axis=1),
                    )
                )
        before += len(names)
    if not parts:
        none = np.zeros(0, "S16")
        return Pictures(none, none, np.zeros((0, 4), np.uint64), np.zeros((0, 3), np.int64))
    every = Pictures(*(np.concatenate(some) for some in zip(*parts, strict=True)))
    _, at = np.unique(every.sha256, return_index=True)
    return Pictures(*(column[at] for column in every))


def _near(phash: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs within `RADIUS`, as first * images + second, and scores that are above any votes.

    They are found through shared bands of bits.
    """
    count = len(phash)
    if count < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    bits = np.unpackbits(np.ascontiguousarray(phash.astype(">u8")).view(np.uint8), axis=1)
    order = np.random.Generator(np.random.PCG64(derive(0, "phash bands"))).permutation(256)
    found = []
    for band in range(_BANDS):
        own = order[np.arange(band * _BAND_BITS, (band + 1) * _BAND_BITS) % 256]
        rest = order[np.arange((band + 1) * _BAND_BITS, (band + 1) * _BAND_BITS + 43) % 256]
        # Sorted by the band, then by other bits: in a large group the nearest are neighbours.
        keys = bits[:, np.concatenate([own, rest])].astype(np.uint64) @ _POWERS
        at = np.argsort(keys, kind="stable")
        one, other = same_key_pairs(keys[at] >> np.uint64(43))
        one, other = at[one], at[other]
        close = np.bitwise_count(phash[one] ^ phash[other]).sum(axis=1) <= RADIUS
        one, other = one[close], other[close]
        found.append(np.unique(np.minimum(one, other) * count + np.maximum(one, other)))
    pairs = np.unique(np.concatenate(found))
    bits_off = np.bitwise_count(phash[pairs // count] ^ phash[pairs % count]).sum(axis=1)
    return pairs, (1000 * (1 + RADIUS - bits_off.astype(np.int64))).astype(np.int64)


_POWERS = np.uint64(1) << np.arange(63, -1, -1, dtype=np.uint64)


def _sharing(
    folders: Sequence[Path], sha256: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of pictures that share `VOTES` codes at places that fit a slight crop; how many."""
    passes = max(1, -(-total // _AT_ONCE))
    votes: list[tuple[np.ndarray, np.ndarray]] = []
    for number in range(passes):
        some = []
        for who, codes in _codes(folders, sha256):
            mine = mixed(codes["code"].astype(np.uint64)) % np.uint64(passes) == number
            some.append((who[mine], codes[mine]))
        votes.append(_votes(some, len(sha256)))
    pairs, counts = counted(votes)
    return pairs[counts >= VOTES], counts[counts >= VOTES]


def _alike(
    shards: Sequence[tuple[str, str]], pictures: Pictures, plain: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Plain pictures and those that look like them at a few pixels; scores are below any votes."""
    means = np.zeros((len(plain), CELLS**2), np.uint8)
    home = pictures.place[:, 0]
    for at in np.unique(home).tolist():
        ids, copies = read_small(Path(shards[at][0]), shards[at][1])
        mine = np.flatnonzero(home == at)
        means[mine] = cells(copies)[np.searchsorted(ids, pictures.sha256[mine])]
    pairs = nearest_pairs(means, plain)
    return pairs, np.ones(len(pairs), np.int64)


def _votes(
    some: Sequence[tuple[np.ndarray, np.ndarray]], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that share a code at fitting places, and how many codes."""
    if not some:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    who = np.concatenate([one for one, _ in some])
    codes = np.concatenate([one for _, one in some])
    order = np.lexsort((who, codes["code"]))
    who, codes = who[order], codes[order]
    a, b = same_key_pairs(codes["code"])
    fits = np.abs(codes["x"][a] - codes["x"][b]) < _SHIFT
    fits &= np.abs(codes["y"][a] - codes["y"][b]) < _SHIFT
    growth = codes["size"][a] / codes["size"][b]
    fits &= (growth < _GROWTH) & (growth > 1 / _GROWTH)
    a, b = who[a[fits]], who[b[fits]]
    return np.unique(np.minimum(a, b) * count + np.maximum(a, b), return_counts=True)


def _codes(folders: Sequence[Path], sha256: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Number of the picture and its codes, file by file, of the given pictures only."""
    sorted_at = np.argsort(sha256)
    ranked = sha256[sorted_at]
    seen = np.zeros(len(sha256), bool)
    operator = ImageSignature()
    for folder in folders:
        home = layout.labels(folder, operator.name, operator.version)
        for path in sorted(home.glob("*.parquet")):
            with pq.ParquetFile(path) as file:
                table = file.read(["id", *(keypoints.KEYPOINT.names or ())]).combine_chunks()
            if not len(table):
                continue
            ids = from_hex(table["id"].combine_chunks())
            at = np.minimum(np.searchsorted(ranked, ids), len(ranked) - 1)
            number = sorted_at[at]
            wanted = (ranked[at] == ids) & ~seen[number]
            seen[number[wanted]] = True
            lists = table["code"].combine_chunks()
            lengths = np.asarray(pc.list_value_length(lists))
            codes = np.empty(lengths.sum(), keypoints.KEYPOINT)
            for name in keypoints.KEYPOINT.names or ():
                codes[name] = np.asarray(table[name].combine_chunks().flatten())
            keep = np.repeat(wanted, lengths)
            yield np.repeat(number, lengths)[keep], codes[keep]


class Looking:
    """Looks at pairs of pictures, through a runner."""

    def __init__(
        self,
        shards: tuple[tuple[str, str], ...],
        pictures: Pictures,
        rules: dict[str, Any],
        runner: str,
        workers: int,
        turned: np.ndarray,
    ) -> None:
        """
        Args:
            shards: stores and shards, as `Pictures.place` numbers them.
            pictures: what is looked at.
            rules: key of the journal.
            runner: a name in `data.runners.RUNNERS`.
            workers: chunks at a time.
            turned: pairs, as first * pictures + second, in which one may be turned or mirrored.
        """
        self.pictures, self._turned = pictures, turned
        self.journal = Journal(Path(shards[0][0]), rules)
        self._run, self._workers = pick(RUNNERS, runner, "--runner"), workers
        self._shards, self._crops = shards, bool(rules["crops"])

    def at(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """By how much pairs differ, given by the numbers of their pictures."""
        both = np.stack([first, second], axis=1)
        turned = np.isin(first * len(self.pictures.sha256) + second, self._turned)
        hashes = np.ascontiguousarray(self.pictures.sha256[both])
        names = hashes.view("S32").ravel()
        off = self.journal.known(names, turned)
        places = self.pictures.place[both]
        homes = places[:, :, 0]
        tiles = homes // _TILE
        keys = (second, first, homes[:, 1], homes[:, 0], tiles[:, 1], tiles[:, 0])
        order = np.lexsort(keys)
        order = order[np.isnan(off[order])]
        progress, done = Progress("pairs of pictures", len(off)), len(off) - len(order)
        for begin in range(0, len(order), _ROUND):
            some = order[begin : begin + _ROUND]
            least = _LEAST if self._crops else _CHUNK
            size = min(_CHUNK, max(least, -(-len(some) // (4 * self._workers))))
            starts = range(0, len(some), size)
            chunks = [
                Chunk(at, self._shards, self._crops, places[here], hashes[here], turned[here])
                for at in starts
                for here in [some[at : at + size]]
            ]
            for at, answers in self._run(look_at, chunks, self._workers, Resources()):
                here = some[at : at + len(answers)]
                off[here] = answers
                self.journal.add(names[here], turned[here], answers)
                done += len(answers)
                progress.at(done, "compared")
        return off
