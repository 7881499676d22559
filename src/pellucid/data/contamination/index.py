"""The evaluation records, ready to be looked up: by picture, by gold and rare word, by runs.

Runs of words that several evaluation records with different golds share are their template, and
are left out. Small by nature: an evaluation set fits into memory, the training data need not.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.data.contamination.questions import Frequencies, Question, question
from pellucid.data.duplicates import words
from pellucid.data.duplicates.images import Clusters
from pellucid.data.ops.run import shards_of
from pellucid.data.questions.embedding import Embedding
from pellucid.data.texts import spoken
from pellucid.store import arrow, layout

RUN_WORDS = 5
LONG_WORDS = 10
"""Questions of at least this many words are also looked for inside longer texts."""
TEMPLATE = 2
"""A run (or a whole question) with more golds than this is a template's."""
FEW = 32
"""So many evaluation records of one gold are all compared."""
_COLUMNS = (
    "id", "source", "answer", "messages.list.element.role", "messages.list.element.content",
    "images.list.element.sha256",
)  # fmt: skip


class Row(NamedTuple):
    """One record, as far as it is compared."""

    id: str
    dataset: str
    split: str
    text: str
    """All that the user says."""
    gold: str
    asked: Question
    pictures: tuple[tuple[bytes, str], ...]
    """Cluster and SHA-256 of every image."""
    runs: frozenset[int]
    """Hashes of the runs of words of a long question."""


def rows(folder: Path, shard: str, clusters: Clusters) -> Iterator[Row]:
    """The records of one shard."""
    table = arrow.read_table(folder / layout.records(shard), _COLUMNS)
    said = spoken(table)
    runs = _runs(said.question)
    lists = table["images"].combine_chunks()
    sha256s = lists.flatten().field("sha256")
    lengths = np.asarray(pc.list_value_length(lists)).tolist()
    names = clusters.names_of(sha256s).tolist() if len(sha256s) else []
    hexes, at = sha256s.to_pylist(), 0
    columns = [table[name].to_pylist() for name in ("id", "source", "answer")]
    texts = said.question.to_pylist(), said.gold.to_pylist()
    for number, (id, source, answer, text, gold) in enumerate(zip(*columns, *texts, strict=True)):
        shown = tuple(
            zip(names[at : at + lengths[number]], hexes[at : at + lengths[number]], strict=True)
        )
        at += lengths[number]
        aliases = answer["aliases"] if answer else ()
        lettered = bool(answer) and answer["kind"] == "choice"
        asked = question(text, gold, aliases or (), lettered)
        yield Row(id, source["dataset"], source["split"], text, gold, asked, shown, runs[number])


def _runs(texts: pa.Array) -> list[frozenset[int]]:
    found: list[frozenset[int]] = []
    for batch in words.batches(texts):
        held = words.words(batch)
        values, starts = words.runs(held, RUN_WORDS)
        spans = zip(starts[:-1].tolist(), starts[1:].tolist(), held.counts.tolist(), strict=True)
        found += [
            frozenset(values[a:b].tolist()) if count >= LONG_WORDS else frozenset()
            for a, b, count in spans
        ]
    return found or [frozenset()] * len(texts)


class EvalIndex:
    """Looks evaluation records up."""

    def __init__(self, held: Sequence[Row], embedding: Embedding | None = None) -> None:
        self.rows = sorted(held, key=lambda row: row.id)
        self._embedding = embedding
        if embedding:
            embedding.index([row.asked.text for row in self.rows])
        self._by_picture: dict[bytes, list[int]] = defaultdict(list)
        self._by_gold: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._of_gold: dict[str, list[int]] = defaultdict(list)
        self._by_run: dict[int, list[int]] = defaultdict(list)
        self._golds: dict[object, set[frozenset[str]]] = defaultdict(set)
        for number, row in enumerate(self.rows):
            for cluster, _ in row.pictures:
                self._by_picture[cluster].append(number)
            for gold in row.asked.golds:
                self._of_gold[gold].append(number)
                for word in {*row.asked.words, *row.asked.numbers}:
                    self._by_gold[gold, word].append(number)
            for run in row.runs:
                self._by_run[run].append(number)
            self._golds[row.asked.bag].add(row.asked.golds)
        self._by_run = {run: held for run, held in self._by_run.items() if self._own(held)}
        kept = Counter(number for held in self._by_run.values() for number in held)
        self._own_runs = dict(kept)

    def see(self, row: Row) -> None:
        """Take note of a training record's gold, so that templates of both sides are known."""
        if row.asked.bag in self._golds:
            self._golds[row.asked.bag].add(row.asked.golds)

    def templated(self, row: Row) -> bool:
        """Whether this question has so many golds that its text alone says nothing."""
        return len(self._golds[row.asked.bag]) > TEMPLATE

    def by_picture(self, row: Row) -> set[int]:
        """Numbers of records that show a picture of this one."""
        return {n for cluster, _ in row.pictures for n in self._by_picture.get(cluster, ())}

    def by_text(self, row: Row, frequencies: Frequencies) -> set[int]:
        """Numbers of records with this gold, and where many have it with a rare word or number."""
        found = set[int]()
        rare = [*frequencies.rarest(row.asked.words, 6), *row.asked.numbers[:4]]
        for gold in row.asked.golds:
            every = self._of_gold.get(gold, ())
            if len(every) <= FEW:
                found.update(every)
                continue
            found.update(n for word in rare for n in self._by_gold.get((gold, word), ()))
            if self._embedding:
                found.update(self._embedding.near(row.asked.text) & set(every))
        return found

    def contained(self, row: Row) -> dict[int, float]:
        """Of records whose own runs stand in this one: the share of them that does."""
        hits: Counter[int] = Counter()
        for run in row.runs & self._by_run.keys():
            hits.update(self._by_run[run])
        return {number: count / self._own_runs[number] for number, count in hits.items()}

    def _own(self, held: Sequence[int]) -> bool:
        return len({self.rows[number].asked.golds for number in held}) <= TEMPLATE


def read_rows(folder: Path, clusters: Clusters) -> Iterator[Row]:
    """All records of a store, shard by shard."""
    for shard in shards_of(folder):
        yield from rows(folder, shard, clusters)
