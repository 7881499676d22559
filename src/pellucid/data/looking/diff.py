"""Two versions of a set compared: what was added, removed, changed, and what was relabelled.

A record is *kept* when its id stands in both (the id is the hash of source key and content). Other
records are paired within one dataset, config and split: by the `id` that their rows gave
themselves, else by equal content, else by the number of the row, which says nothing where both rows
have ids of their own. Of several with one key, those of equal content go first, then those of one
task, in the order of their ids. A pair of equal content is *renumbered*, another one *changed*;
what is left is *removed* or *added*, so

    records of A = kept + renumbered + changed + removed
    records of B = kept + renumbered + changed + added

Leaves out on purpose: telling which change is better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from pellucid.data.looking.query import Asker, ask, label_columns
from pellucid.data.looking.records import fetch, lines

FACTS = ("licence", "revision", "group", "domain", "difficulty", "evidence", "lineage", "raw")
"""What may differ in a kept record: its id is made of the rest."""
CONTENT = ("messages", "images", "answer", "task")
"""What may differ in a changed record."""

_SOURCE = "dataset, config, split"
_KEY = f"{_SOURCE}, row"
_MEMORY = "96MB"
"""Most that DuckDB keeps; joins of more go through the disk."""
_TEXTS = {name: f"source.{name}" for name in ("dataset", "config", "split", "row", "licence")} | {
    name: name for name in ("id", "task", "content_hash")
}
_HASHED = {
    **{name: f"source.{name}" for name in ("licence", "revision", "group")},
    **{name: name for name in ("domain", "difficulty", "evidence", "lineage", "raw")},
    **{name: name for name in ("messages", "answer", "task")},
    "images": "list_transform(images, lambda i: i.sha256)",
}
_COLUMNS = ", ".join(
    [f'{column} AS "{name}"' for name, column in _TEXTS.items()]
    + ["TRY(json_extract_string(nullif(decode(raw), ''), '$.id')) AS own"]
    + [f"hash({column}) AS hash_{name}" for name, column in _HASHED.items()]
)
"""What is kept of a record: 64 bits of each column that is only compared. `own` is its row's id."""
_ONLY = """
CREATE TEMP TABLE {name}_only AS
SELECT {key}, task, id, content_hash, own FROM {name} ANTI JOIN {other} USING (id)
"""
_PAIRS = """
INSERT INTO pairs
WITH x AS (SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY task, id) AS nth FROM a_only
           WHERE id NOT IN (SELECT a FROM pairs)),
     y AS (SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY task, id) AS nth FROM b_only
           WHERE id NOT IN (SELECT b FROM pairs))
SELECT x.id, y.id, x.content_hash = y.content_hash AND x.task = y.task
FROM x JOIN y USING ({key}, nth) WHERE {where} ORDER BY x.id
"""
_ONE_NUMBER = "x.own IS NULL OR y.own IS NULL"
"""Rows that both have an id of their own are not one row because they stand in one place."""
_STEPS = (
    (f"{_SOURCE}, own, task, content_hash", "true"),
    (f"{_SOURCE}, own, task", "true"),
    (f"{_SOURCE}, own", "true"),
    (f"{_SOURCE}, task, content_hash", "true"),
    (f"{_KEY}, task", _ONE_NUMBER),
    (_KEY, _ONE_NUMBER),
)
"""What records are paired by, the surest first; a null in a key pairs nothing."""


@dataclass(frozen=True, slots=True)
class LabelDiff:
    """One operation's labels in both versions."""

    name: str
    """`op@version`."""
    a: int
    """Records that it labels in A; 0 where A has no such labels."""
    b: int
    changed: int
    """Records labelled in both whose labels differ."""


@dataclass(frozen=True, slots=True)
class Example:
    """One record before and after; `before` or `after` is empty where there is none."""

    what: str
    """added, removed or changed."""
    before: str
    """Its id in A."""
    after: str
    """Its id in B."""
    text: str
    """The lines that differ, marked `-` and `+`; of an added or removed record all of them."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What became of A in B."""

    a: int
    b: int
    kept: int
    renumbered: int
    """Of equal content, from a row with another number."""
    changed: int
    removed: int
    added: int
    moved: int
    """Of the removed: their content is among the added, from the same row, in another split."""
    facts: Mapping[str, int]
    """Kept and renumbered records by what differs beside their id, of `FACTS`."""
    content: Mapping[str, int]
    """Changed records by what differs, of `CONTENT`."""
    licences: Sequence[tuple[str, str, int]]
    """(in A, in B, records), where the licence of a record that is in both differs."""
    labels: Sequence[LabelDiff]
    images_kept: int
    images_removed: int
    images_added: int
    examples: Sequence[Example]

    @property
    def same(self) -> bool:
        """Whether both hold the same records, images and labels; ledgers are not compared."""
        counts = (
            self.renumbered, self.changed, self.removed, self.added,
            self.images_removed, self.images_added,
        )  # fmt: skip
        labels = any(one.changed or one.a != one.b for one in self.labels)
        return not any(counts) and not self.facts and not labels


def diff(a: Sequence[Path], b: Sequence[Path], examples: int = 2) -> Diff:
    """Compare two versions, each of one or several stores.

    Args:
        a: folders of the older one.
        b: folders of the newer one.
        examples: how many records of each kind of change are shown.

    Raises:
        UserError: a file of a store is damaged.
        DiskError: a file cannot be read.
    """
    with ask(_MEMORY, a=a, b=b) as asker:
        counts = _pair(asker)
        images = asker.row(
            "SELECT count(a.sha256) AS a, count(b.sha256) AS b, "
            "count(CASE WHEN a.sha256 = b.sha256 THEN 1 END) AS kept "
            "FROM a_images a FULL JOIN b_images b ON a.sha256 = b.sha256"
        )
        found = Diff(
            **counts,
            moved=_moved(asker),
            facts=_facts(asker),
            content=_differing(asker, CONTENT, _TOLD.format(where="NOT pairs.same")),
            licences=_licences(asker),
            labels=_labels(asker, a, b),
            images_kept=images["kept"],
            images_removed=images["a"] - images["kept"],
            images_added=images["b"] - images["kept"],
            examples=_examples(asker, examples),
        )
    both = found.kept + found.renumbered + found.changed
    assert found.a == both + found.removed, "every record of A is told once"
    assert found.b == both + found.added, "every record of B is told once"
    return found


_PAIRED = "pairs JOIN a ON a.id = pairs.a JOIN b ON b.id = pairs.b"
_TOLD = f"{_PAIRED} WHERE {{where}}"


def _pair(asker: Asker) -> dict[str, int]:
    """Pair off the records that only one side has, and count."""
    for name in ("a", "b"):
        asker.do(f"CREATE TEMP TABLE {name} AS SELECT {_COLUMNS} FROM {name}_records LIMIT 0")
        for _ in asker.parts(name):
            asker.do(f"INSERT INTO {name} SELECT {_COLUMNS} FROM part_records")
    for name, other in (("a", "b"), ("b", "a")):
        asker.do(_ONLY.format(name=name, other=other, key=_KEY))
    asker.do("CREATE TEMP TABLE pairs (a VARCHAR, b VARCHAR, same BOOLEAN)")
    for key, where in _STEPS:
        asker.do(_PAIRS.format(key=key, where=where))
    total = asker.row(
        "SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b, "
        "(SELECT count(*) FROM a_only) AS a_only, (SELECT count(*) FROM b_only) AS b_only, "
        "(SELECT count(*) FROM pairs) AS pairs, (SELECT count(*) FROM pairs WHERE same) AS same"
    )
    return {
        "a": total["a"],
        "b": total["b"],
        "kept": total["a"] - total["a_only"],
        "renumbered": total["same"],
        "changed": total["pairs"] - total["same"],
        "removed": total["a_only"] - total["pairs"],
        "added": total["b_only"] - total["pairs"],
    }


def _moved(asker: Asker) -> int:
    """Removed rows that stand among the added ones with another split."""
    found: int = asker.row(
        "SELECT count(DISTINCT x.id) AS n FROM a_only x JOIN b_only y USING (dataset, config, row, "
        "task, content_hash) WHERE x.split <> y.split AND x.id NOT IN (SELECT a FROM pairs) "
        "AND y.id NOT IN (SELECT b FROM pairs)"
    )["n"]
    return found


def _facts(asker: Asker) -> dict[str, int]:
    kept = _differing(asker, FACTS, "a JOIN b ON a.id = b.id")
    renumbered = _differing(asker, FACTS, _TOLD.format(where="pairs.same"))
    summed = {name: kept.get(name, 0) + renumbered.get(name, 0) for name in FACTS}
    return {name: count for name, count in summed.items() if count}


def _differing(asker: Asker, names: Sequence[str], joined: str) -> dict[str, int]:
    """How many joined records differ in each of some columns; only those that some differ in."""
    told = ", ".join(
        f'count(CASE WHEN a.hash_{name} <> b.hash_{name} THEN 1 END) AS "{name}"' for name in names
    )
    row = asker.row(f"SELECT {told} FROM {joined}")
    return {name: count for name, count in row.items() if count}


def _licences(asker: Asker) -> list[tuple[str, str, int]]:
    rows = asker.rows(
        "SELECT x, y, count(*) AS n FROM ("
        "SELECT a.licence AS x, b.licence AS y FROM a JOIN b ON a.id = b.id UNION ALL "
        f"SELECT a.licence AS x, b.licence AS y FROM {_PAIRED}) "
        "WHERE x IS DISTINCT FROM y GROUP BY ALL ORDER BY ALL"
    )
    return [(row["x"], row["y"], row["n"]) for row in rows]


def _labels(asker: Asker, a: Sequence[Path], b: Sequence[Path]) -> list[LabelDiff]:
    sides = {"a": label_columns(a), "b": label_columns(b)}
    found = []
    for number, key in enumerate(sorted({*sides["a"], *sides["b"]})):
        counts, views = {"a": 0, "b": 0}, []
        for side, columns in sides.items():
            if key in columns:
                views.append(f"{side}_label_{number}")
                asker.view(views[-1], columns[key], ", union_by_name = true")
                counts[side] = asker.row(f"SELECT count(*) AS n FROM {views[-1]}")["n"]
        changed = _relabelled(asker, *views) if len(views) == 2 else 0
        found.append(LabelDiff(f"{key[0]}@{key[1]}", **counts, changed=changed))
    return found


def _relabelled(asker: Asker, a: str, b: str) -> int:
    """Records whose labels differ; a column that one side lacks differs where it says anything."""
    columns = [
        {row["column_name"] for row in asker.rows(f"DESCRIBE {view}")} - {"id", "filename"}
        for view in (a, b)
    ]
    told = [
        f"{_column('x', name, columns[0])} IS DISTINCT FROM {_column('y', name, columns[1])}"
        for name in sorted(columns[0] | columns[1])
    ]
    found: int = asker.row(
        f"SELECT count(*) AS n FROM {a} x JOIN {b} y ON x.id = y.id "
        f"WHERE {' OR '.join(told) or 'false'}"
    )["n"]
    return found


def _column(table: str, name: str, columns: set[str]) -> str:
    return f'{table}."{name}"' if name in columns else "NULL"


def _examples(asker: Asker, count: int) -> list[Example]:
    """The first records of each kind, by source key."""
    wanted = {
        "changed": f"SELECT pairs.a AS x, pairs.b AS y FROM pairs JOIN a_only ON id = pairs.a "
        f"WHERE NOT pairs.same ORDER BY {_KEY}, task, x",
        "removed": "SELECT id AS x, '' AS y FROM a_only WHERE id NOT IN (SELECT a FROM pairs) "
        f"ORDER BY {_KEY}, task, x",
        "added": "SELECT '' AS x, id AS y FROM b_only WHERE id NOT IN (SELECT b FROM pairs) "
        f"ORDER BY {_KEY}, task, y",
    }
    return [
        _example(asker, what, row)
        for what, sql in wanted.items()
        for row in asker.rows(f"{sql} LIMIT {count}")
    ]


def _example(asker: Asker, what: str, row: Mapping[str, Any]) -> Example:
    before = lines(fetch(asker, "a", [row["x"]])[0]) if row["x"] else []
    after = lines(fetch(asker, "b", [row["y"]])[0]) if row["y"] else []
    told = [line for line in unified_diff(before, after, lineterm="", n=0)][2:]
    text = "\n".join(line for line in told if not line.startswith("@@"))
    return Example(what, row["x"], row["y"], text)
