"""The sets of a store that are triaged: a source's records of one category, in their order.

Of a set its beginning is held, and what is asked for by id; the hashes that give the order lie on
the disk. Leaves out on purpose: looking at records (`run.py`, `data/review`).
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import numpy as np
import pyarrow as pa

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean, unknown
from pellucid.base.seeds import derive
from pellucid.data.triage.decide import GENERAL, category
from pellucid.data.triage.interval import Estimate, Stratum, estimate
from pellucid.data.triage.sample import beginning, merged
from pellucid.recipe.triage import Category, SampleOptions, TriageOptions
from pellucid.store import Store, read_label
from pellucid.store.facts import FACTS
from pellucid.store.spill import Sorted, Sorter

_LABEL = re.compile(r"([\w.-]+)@(\d+):(\w+)")


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One set."""

    source: str
    category: str
    records: int
    order: tuple[str, ...]
    """The record ids that are looked at first, in that order."""
    stratum_of: Mapping[str, str]
    """Of those, and of the ids that were asked for."""
    strata: Mapping[str, int]
    """Records in each stratum."""

    @property
    def name(self) -> str:
        """Source and category, as they are printed."""
        return f"{self.source} / {self.category}"

    def sizes(self) -> dict[str, int]:
        """Records in each stratum."""
        return dict(self.strata)

    def rate(self, seen: Iterable[str], wrong: Iterable[str]) -> Estimate:
        """The rate of some fault in the set.

        Args:
            seen: ids that were looked at, of those that `stratum_of` has; others are left out.
            wrong: those that have the fault.

        Raises:
            ValueError: no record of the set was looked at.
        """
        looked = {id for id in seen if id in self.stratum_of}
        met = looked & set(wrong)
        count = _counts(self.stratum_of[id] for id in looked)
        faulty = _counts(self.stratum_of[id] for id in met)
        return estimate(
            Stratum(size, count.get(name, 0), faulty.get(name, 0))
            for name, size in self.sizes().items()
        )


def sets_of(
    store: Store, options: TriageOptions, source: str = "", known: Collection[str] = ()
) -> list[RecordSet]:
    """The sets of a store, by source and category.

    Args:
        store: the records.
        options: categories, strata, seed, and how many records of each set are looked at.
        source: only this dataset; all when empty.
        known: ids whose strata are wanted as well.

    Raises:
        UserError: there is no such source, column, label or category.
    """
    refuse_unknown(store, options, source)
    found = _Found(frozenset(known))
    category = cache(lambda dataset, task, domain: category_of(dataset, task, domain, options))
    label_of, columns = _labels(store, options.sample)
    wanted = list(dict.fromkeys(["id", "dataset", "task", "domain", *columns]))
    for facts in store.fact_blocks(wanted):
        rows, labels = facts.select(wanted[:4]).to_pylist(), label_of(facts)
        told = zip(rows, labels, strict=True)
        groups = [
            ((row["dataset"], category(row["dataset"], row["task"], row["domain"])), label)
            if not source or row["dataset"] == source
            else None
            for row, label in told
        ]
        found.add([row["id"] for row in rows], groups, options.sample.seed)
    return found.sets(store, options.sample)


def refuse_unknown(store: Store, options: TriageOptions, source: str) -> None:
    """Stop where a policy names what the store does not have.

    Raises:
        UserError: there is no such source or category.
    """
    known: set[str] = set()
    for facts in store.fact_blocks(["dataset"]):
        known.update(facts["dataset"].unique().to_pylist())
    if source and source not in known:
        raise UserError(unknown("--source", source, known))
    for name, wanted in options.sources.items():
        category(wanted, options)
        if name not in known:
            raise UserError(unknown("sources", name, known))


class _Found:
    """Records as they come: how many of each label, and the hashes that order them."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._code: dict[tuple[tuple[str, str], str], int] = {}
        self._count: Counter[int] = Counter()
        self._named: dict[str, int] = {}
        self._sorter, self._number = Sorter(4), 0

    def add(
        self, ids: Sequence[str], groups: Sequence[tuple[tuple[str, str], str] | None], seed: int
    ) -> None:
        """Take records in; None for those that are in no set."""
        rows = []
        for id, group in zip(ids, groups, strict=True):
            if group is not None:
                code = self._code.setdefault(group, len(self._code))
                self._count[code] += 1
                # Equal hashes go by their ids, which begin with 64 bits of a hash.
                hash = derive(seed, "triage", id) << 1
                rows.append((hash, int(id[:16], 16), self._number, code))
                if id in self._known:
                    self._named[id] = code
            self._number += 1
        self._sorter.add(np.array(rows, np.uint64).reshape(-1, 4))

    def sets(self, store: Store, options: SampleOptions) -> list[RecordSet]:
        """The sets, by source and category."""
        by_set: dict[tuple[str, str], dict[str, int]] = {}
        for (name, label), code in self._code.items():
            by_set.setdefault(name, {})[label] = self._count[code]
        stratum = {name: merged(sizes, options.least_share) for name, sizes in by_set.items()}
        strata = {name: _sums(sizes, stratum[name]) for name, sizes in by_set.items()}
        of_code = {code: (name, stratum[name][label]) for (name, label), code in self._code.items()}
        order = {
            name: [(name, one) for one in beginning(sizes, options.records)]
            for name, sizes in strata.items()
        }
        places = _first(self._sorter.sorted(), of_code, Counter(
            one for some in order.values() for one in some
        ))  # fmt: skip
        ids = _ids(store, places)
        found = []
        for name in sorted(by_set):
            first = [(next(ids[one]), one[1]) for one in order[name]]
            held = dict(first)
            for id, code in self._named.items():
                if of_code[code][0] == name:
                    held[id] = of_code[code][1]
            records, ordered = sum(strata[name].values()), tuple(id for id, _ in first)
            found.append(RecordSet(*name, records, ordered, held, strata[name]))
        return found


_Stratum = tuple[tuple[str, str], str]
"""A set, and a stratum of it."""


def _sums(sizes: Mapping[str, int], stratum: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for label, size in sizes.items():
        found[stratum[label]] = found.get(stratum[label], 0) + size
    return found


def _first(
    ordered: Sorted, of_code: Mapping[int, _Stratum], wanted: Mapping[_Stratum, int]
) -> dict[_Stratum, list[int]]:
    """Numbers of the first so many records of each stratum."""
    found: dict[_Stratum, list[int]] = {one: [] for one in wanted}
    open_ = np.array([of_code[code] in wanted for code in range(len(of_code))], bool)
    for rows in ordered.blocks():
        if not open_.any():
            break
        for number, code in rows[open_[rows[:, 3].astype(np.int64)], 2:].tolist():
            one = of_code[code]
            if len(found[one]) < wanted[one]:
                found[one].append(number)
        for code, one in of_code.items():
            open_[code] &= len(found.get(one, ())) < wanted.get(one, 0)
    return found


def _ids(store: Store, places: Mapping[_Stratum, Sequence[int]]) -> dict[_Stratum, Iterator[str]]:
    """Ids of records, from their numbers in the order of the store's facts."""
    wanted = np.array(sorted(at for some in places.values() for at in some), np.int64)
    ids: dict[int, str] = {}
    first = 0
    for facts in store.fact_blocks(["id"]):
        low, high = wanted.searchsorted([first, first + facts.num_rows])
        told = facts["id"].take(pa.array(wanted[low:high] - first)).to_pylist()
        ids.update(zip(wanted[low:high].tolist(), told, strict=True))
        first += facts.num_rows
    return {one: iter([ids[at] for at in some]) for one, some in places.items()}


def category_of(dataset: str, task: str, domain: str, options: TriageOptions) -> str:
    """The category of records with these labels.

    >>> category_of("mine", "caption_long", "web", TriageOptions())
    'captions'
    >>> category_of("ChartQA", "vqa", "real", TriageOptions())
    'charts'
    """
    if dataset in options.sources:
        return options.sources[dataset]
    for field, value in (("tasks", task), ("datasets", dataset), ("domains", domain)):
        for name, kind in options.categories.items():
            if _matches(value.lower(), kind, field):
                return name
    return GENERAL


def _matches(value: str, kind: Category, field: str) -> bool:
    patterns = {"tasks": kind.tasks, "datasets": kind.datasets, "domains": kind.domains}[field]
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _labels(
    store: Store, options: SampleOptions
) -> tuple[Callable[[pa.Table], list[str]], list[str]]:
    """What the strata are made by, one text for each row of facts; and the facts it needs."""
    found = [_column(store, name) for name in options.strata]
    needed = [name for name, _ in found if name]

    def label_of(facts: pa.Table) -> list[str]:
        columns = [
            facts[name].to_pylist() if name else [held.get(id) for id in facts["id"].to_pylist()]
            for name, held in found
        ]
        if not columns:
            return ["all"] * facts.num_rows
        return [
            " ".join("-" if value is None else str(value) for value in values)
            for values in zip(*columns, strict=True)
        ]

    return label_of, needed


def _column(store: Store, name: str) -> tuple[str, dict[str, object]]:
    """The name of a column of the facts; or the values of a label, by id."""
    label = _LABEL.fullmatch(name)
    if label is None:
        allowed = [column for column in FACTS if column not in ("id", "content_hash")]
        if name not in allowed:
            fix = f"{did_you_mean(name, allowed)} or write a label as op@version:column"
            raise UserError(Problem("sample.strata", name, "is no column of the store", fix))
        return name, {}
    op, version, column = label.groups()
    found: dict[str, object] = {}
    for folder in store.folders:
        table = read_label(folder, op, int(version))
        if column not in table.column_names:
            raise UserError(unknown("sample.strata", column, set(table.column_names) - {"id"}))
        found |= dict(zip(table["id"].to_pylist(), table[column].to_pylist(), strict=True))
    return "", found


def _counts(values: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found
