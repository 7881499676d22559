"""Clusters of texts over several stores: equal words, then MinHash bands, then the Jaccard of runs.

Only texts that say enough by themselves are clustered: those of records without an image, and long
ones. A short question about a picture is no text of its own (`build.py` keys it by picture and
gold). Two short texts whose numbers differ are two, however alike: they are one template filled in
twice. Held in memory: 12 bytes a record, and the hashes and runs of candidates; what is sorted lies
on the disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pellucid.data.duplicates import words
from pellucid.data.duplicates.clusters import components, same_key_pairs
from pellucid.data.ops.run import shards_of
from pellucid.data.ops.text_signature import TextSignature
from pellucid.data.texts import spoken
from pellucid.store import arrow, layout
from pellucid.store.spill import Sorted, Sorter


@dataclass(frozen=True, slots=True)
class TextRule:
    """What makes two texts one."""

    similarity: float = 0.8
    """Least Jaccard similarity of their runs of words."""
    long_words: int = 40
    """A text beside an image is clustered from this many words on."""
    number_words: int = 300
    """Up to this many words, the numbers must be the same."""


TEXT_RULE = TextRule()
_PIECE = 1 << 16
"""Records that are renamed at a time."""


class Shard(NamedTuple):
    """One file of signatures, and where its rows stand among all."""

    folder: Path
    name: str
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class TextClusters:
    """What was found, for every record in the order of `signature_shards`."""

    looked_at: int
    """Candidate pairs that were compared."""
    row: np.ndarray
    """(records,) int32: the record whose text names the cluster; -1 where none."""
    least: np.ndarray
    """Records that name a cluster of others too, sorted."""
    hashes: np.ndarray
    """(least, 2): theirs."""

    def names(self, shard: Shard, operator: TextSignature) -> np.ndarray:
        """(records of a shard, 2): the least hash of the cluster in two numbers; zeros for none."""
        name = np.stack(column(shard, operator, ["text", "text2"]), axis=1)
        row = self.row[shard.first : shard.first + shard.rows]
        name[row < 0] = 0
        other = (row >= 0) & (row != np.arange(shard.first, shard.first + shard.rows))
        name[other] = self.hashes[np.searchsorted(self.least, row[other])]
        return name


def signature_shards(folders: Sequence[Path], operator: TextSignature) -> list[Shard]:
    """The signature files of all stores, in order; their rows are sorted by id."""
    found, first = [], 0
    for folder in folders:
        for name in shards_of(folder):
            rows = pq.read_metadata(_path(folder, name, operator)).num_rows
            found.append(Shard(folder, name, first, rows))
            first += rows
    return found


def column(shard: Shard, operator: TextSignature, names: Sequence[str]) -> list[np.ndarray]:
    """Columns of one file of signatures."""
    table = arrow.read_table(_path(shard.folder, shard.name, operator), names)
    return [table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in names]


def cluster_texts(
    shards: Sequence[Shard], operator: TextSignature, rule: TextRule = TEXT_RULE
) -> TextClusters:
    """Cluster the texts of stores whose `text_signature` labels are there."""
    ordered = _ordered(shards, operator, rule)
    row = np.full(sum(shard.rows for shard in shards), -1, np.int32)
    least = np.empty(_different(ordered), np.int32)
    text = np.full(len(row), -1, np.int32)
    for rows, number, new in _numbered(ordered):
        text[rows[new]] = number[new]  # of a text, only of the one row that stands for it
        least[number[new]] = rows[new]
        row[rows] = least[number]
    pairs = _candidates(shards, operator, text, len(least))
    del text
    first, second = pairs // max(1, len(least)), pairs % max(1, len(least))
    first, second = _comparable(shards, operator, rule, least, first, second)
    same = _similar(shards, operator, least, first, second, rule.similarity)
    held = np.unique(np.concatenate([first[same], second[same]]))
    one, other = (np.searchsorted(held, some[same]) for some in (first, second))
    roots = held[components(len(held), one, other)]
    _rename(row, least[held], least[roots])
    shared = _shared(row)
    hashes = np.stack(_of_rows(shards, operator, ["text", "text2"], shared), axis=1)
    return TextClusters(len(first), row, shared, hashes)


def _ordered(shards: Sequence[Shard], operator: TextSignature, rule: TextRule) -> Sorted:
    """(rows, 3): hash and second hash of every text that is clustered, and its record."""
    sorter, names = Sorter(3), ["text", "text2", "words", "images"]
    for shard in shards:
        text, text2, count, images = column(shard, operator, names)
        own = np.flatnonzero((count > 0) & ((images == 0) | (count >= rule.long_words)))
        records = (shard.first + own).astype(np.uint64)
        sorter.add(np.stack([text[own], text2[own], records], axis=1))
    return sorter.sorted()


def _different(ordered: Sorted) -> int:
    return sum(int(new.sum()) for _, _, new in _numbered(ordered))


def _numbered(ordered: Sorted) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Records in the order of their texts, the number of each text, which are the first of one."""
    last, number = np.zeros((0, 2), np.uint64), -1
    for rows in ordered.blocks():
        told = np.concatenate([last, rows[:, :2]])
        new = (told[1:] != told[:-1]).any(axis=1)
        new = new if len(last) else np.concatenate([[True], new])
        numbers = number + np.cumsum(new)
        yield rows[:, 2].astype(np.int64), numbers, new
        last, number = rows[-1:, :2], int(numbers[-1])


def _comparable(
    shards: Sequence[Shard],
    operator: TextSignature,
    rule: TextRule,
    least: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts, short ones of which have the same numbers."""
    rows = np.unique(least[np.concatenate([first, second])])
    count, numbers = _of_rows(shards, operator, ["words", "numbers"], rows)
    one, other = (np.searchsorted(rows, least[some]) for some in (first, second))
    short = np.minimum(count[one], count[other]) <= rule.number_words
    keep = ~short | (numbers[one] == numbers[other])
    return first[keep], second[keep]


def _rename(row: np.ndarray, old: np.ndarray, new: np.ndarray) -> None:
    """Put other records for some."""
    order = np.argsort(old)
    old, new = old[order], new[order]
    for start in range(0, len(row) if len(old) else 0, _PIECE):
        piece = row[start : start + _PIECE]
        at = np.minimum(np.searchsorted(old, piece), len(old) - 1)
        row[start : start + _PIECE] = np.where(old[at] == piece, new[at], piece)


def _shared(row: np.ndarray) -> np.ndarray:
    """Records that name others than themselves, sorted."""
    found = [np.zeros(0, row.dtype)]
    for start in range(0, len(row), _PIECE):
        piece = row[start : start + _PIECE]
        own = np.arange(start, start + len(piece))
        found.append(np.unique(piece[(piece >= 0) & (piece != own)]))
    return np.unique(np.concatenate(found))


def _path(folder: Path, name: str, operator: TextSignature) -> Path:
    return layout.labels(folder, operator.name, operator.version) / f"{name}.parquet"


def _of_rows(
    shards: Sequence[Shard], operator: TextSignature, names: Sequence[str], rows: np.ndarray
) -> list[np.ndarray]:
    """Columns of the signatures of some records, whose numbers ascend."""
    types = operator.gives
    found = [np.empty(len(rows), types.field(name).type.to_pandas_dtype()) for name in names]
    for shard in shards:
        low, high = np.searchsorted(rows, [shard.first, shard.first + shard.rows])
        if low < high:
            told = column(shard, operator, names)
            for whole, part in zip(found, told, strict=True):
                whole[low:high] = part[rows[low:high] - shard.first]
    return found


def _candidates(
    shards: Sequence[Shard], operator: TextSignature, text: np.ndarray, texts: int
) -> np.ndarray:
    """Pairs of different texts that share a band, as first * texts + second."""
    found = np.zeros(0, np.int64)
    for band in range(operator.bands):
        sorter = Sorter(2)
        for shard in shards:
            own = text[shard.first : shard.first + shard.rows]
            (keys,) = column(shard, operator, [f"band{band:02d}"])
            here = np.flatnonzero(own >= 0)
            sorter.add(np.stack([keys[here], own[here].astype(np.uint64)], axis=1))
        for rows in _whole_groups(sorter.sorted()):
            first, second = same_key_pairs(rows[:, 0])
            one, other = rows[first, 1].astype(np.int64), rows[second, 1].astype(np.int64)
            pairs = np.minimum(one, other) * texts + np.maximum(one, other)
            found = np.union1d(found, pairs) if len(pairs) else found
    return found


def _whole_groups(ordered: Sorted) -> Iterator[np.ndarray]:
    """Rows in order, some at a time; those with equal first words together."""
    held: list[np.ndarray] = []
    for rows in ordered.blocks():
        cut = int(np.searchsorted(rows[:, 0], rows[-1, 0]))
        if cut or (held and held[0][0, 0] != rows[0, 0]):
            yield np.concatenate([*held, rows[:cut]])
            held = []
        held.append(rows[cut:])
    if held:
        yield np.concatenate(held)


def _similar(
    shards: Sequence[Shard],
    operator: TextSignature,
    least: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    similarity: float,
) -> np.ndarray:
    """Which pairs reach the similarity, by their runs themselves."""
    wanted = np.union1d(first, second)
    runs: dict[int, np.ndarray] = {}
    order = np.argsort(least[wanted])
    for rows, found in _runs(shards, operator, least[wanted][order]):
        runs.update(zip(rows, found, strict=True))
    by_text = {int(text): runs[int(least[text])] for text in wanted}
    same = np.zeros(len(first), bool)
    for at, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        one, other = by_text[a], by_text[b]
        if min(len(one), len(other)) < similarity * max(len(one), len(other)):
            continue
        both = len(np.intersect1d(one, other, assume_unique=True))
        same[at] = both >= similarity * (len(one) + len(other) - both)
    return same


def _runs(
    shards: Sequence[Shard], operator: TextSignature, rows: np.ndarray
) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """The sorted runs of some records (numbers in ascending order), file by file."""
    for shard in shards:
        low, high = np.searchsorted(rows, [shard.first, shard.first + shard.rows])
        if low == high:
            continue
        path = shard.folder / layout.records(shard.name)
        table = arrow.read_table(path, operator.needs)
        by_id = pc.sort_indices(table["id"])
        mine = rows[low:high]
        texts = spoken(table.take(by_id.take(pa.array(mine - shard.first)))).all
        held: list[np.ndarray] = []
        for batch in words.batches(texts):
            values, starts = words.runs(words.words(batch), operator.run_words)
            held += [np.unique(values[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]
        yield mine.tolist(), held
