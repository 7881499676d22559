"""Questions about the same pictures with the same gold that differ in their words alone.

Records of one (pictures, gold) whose content words differ are compared by `data/questions/`; those
that ask for the same get one content hash, the least. Most pairs of such a cluster have to hold, so
a vague question does not join two others. Held in memory: the questions of groups that have
several; hashes of all lie on the disk.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.data.duplicates.clusters import agreed
from pellucid.data.duplicates.texts import Shard
from pellucid.data.questions.decide import Decide
from pellucid.data.questions.template import asked, same_options
from pellucid.data.questions.wording import wording
from pellucid.data.texts import spoken
from pellucid.store import arrow, layout
from pellucid.store.spill import Log, Sorter

MOST = 200
"""Different questions of one group that are compared pair by pair; of more, only those whose
numbers are equal, and of more than that none."""
_COLUMNS = (
    "id", "answer.gold", "messages.list.element.role", "messages.list.element.content",
)  # fmt: skip


class Asked(NamedTuple):
    """What the records of a shard ask, in the order of their ids."""

    group: np.ndarray
    """Hash of pictures and gold; 0 without a picture."""
    content: np.ndarray
    """Hash of the content words."""


@final
class Kept:
    """What the records of every shard ask, on the disk."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._log, self._counts = Log(), list[int]()
        for one in asked:
            self._log.append(one.group.astype(np.uint64).tobytes())
            self._log.append(one.content.astype(np.uint64).tobytes())
            self._counts.append(len(one.group))
        self._log.flush()

    def __iter__(self) -> Iterator[Asked]:
        at = 0
        for count in self._counts:
            told = np.frombuffer(self._log.read(at, 16 * count), np.uint64)
            yield Asked(told[:count], told[count:])
            at += 16 * count


def one_content(
    shards: Sequence[Shard], asked: Iterable[Asked], decide: Decide
) -> dict[tuple[int, int], int]:
    """For (group, content) that is another's question in other words: the content of that.

    Args:
        shards: the files of all stores.
        asked: one for each of them; gone through twice.
        decide: whether two questions are one.
    """
    several = _several(asked)
    texts: dict[int, dict[int, str]] = defaultdict(dict)
    for shard, own in zip(shards, asked, strict=True):
        wanted = np.flatnonzero(_isin(own.group, several))
        for at, text in zip(wanted.tolist(), _questions(shard, wanted), strict=True):
            group, content = int(own.group[at]), int(own.content[at])
            held = texts[group].get(content, text)
            texts[group][content] = min(held, text)  # of several, whatever the order of rows
    found: dict[tuple[int, int], int] = {}
    for group in sorted(texts):
        for content, least in _joined(texts[group], decide):
            found[group, content] = least
    return found


def _several(asked: Iterable[Asked]) -> np.ndarray:
    """Groups that hold more than one content, sorted."""
    sorter = Sorter(2)
    for one in asked:
        sorter.add(np.stack([one.group, one.content], axis=1)[one.group != 0])
    found, last = [np.zeros(0, np.uint64)], np.zeros((0, 2), np.uint64)
    for block in sorter.sorted().blocks():
        rows = np.concatenate([last, block])
        other = (rows[1:, 0] == rows[:-1, 0]) & (rows[1:, 1] != rows[:-1, 1])
        found.append(np.unique(rows[1:, 0][other]))
        last = rows[-1:]
    return np.unique(np.concatenate(found))


def _questions(shard: Shard, rows: np.ndarray) -> list[str]:
    """The questions of some rows of a shard, which are numbered in the order of their ids."""
    if not len(rows):
        return []
    table = arrow.read_table(shard.folder / layout.records(shard.name), _COLUMNS)
    order = pc.sort_indices(table["id"])
    texts: list[str] = spoken(table.take(order.take(pa.array(rows)))).question.to_pylist()
    return texts


def _joined(texts: dict[int, str], decide: Decide) -> Iterator[tuple[int, int]]:
    """Contents that are not the least of their cluster, and the least."""
    for contents in _blocks(texts):
        shares, first, second = [], [], []
        options = [_options(texts[content]) for content in contents]
        pairs = list(combinations(range(len(contents)), 2))
        said = decide((texts[contents[a]], texts[contents[b]]) for a, b in pairs)
        for (a, b), likeness in zip(pairs, said, strict=True):
            same = likeness.same and same_options(options[a], options[b])
            shares.append((-likeness.share, same))
            first.append(a)
            second.append(b)
        order = sorted(range(len(pairs)), key=lambda at: (not shares[at][1], shares[at], at))
        alike = np.array([shares[at][1] for at in order], bool)
        one, other = np.array(first, np.int64)[order], np.array(second, np.int64)[order]
        roots = agreed(len(contents), one, other, alike)
        for at, root in enumerate(roots.tolist()):
            if root != at:
                yield contents[at], contents[root]


def _options(text: str) -> frozenset[str]:
    return frozenset(" ".join(option.casefold().split()) for _, option in asked(text).options)


def _blocks(texts: dict[int, str]) -> Iterable[list[int]]:
    """Contents that are compared with one another, sorted."""
    if len(texts) <= MOST:
        return [sorted(texts)]
    blocks: dict[frozenset[str], list[int]] = defaultdict(list)
    for content in sorted(texts):
        blocks[wording(texts[content]).digits].append(content)
    return [block for block in blocks.values() if len(block) <= MOST]


def _isin(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    if not len(table):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    found: np.ndarray = table[at] == values
    return found
