"""What a store holds, counted: by source, task, licence, split, mode, lengths, image sizes, ledger.

One pass over the columns of the records, one over the index of the images, one over the ledger; no
record is ever in memory. Lengths are in characters (Unicode code points), which every reader
counts alike; tokens depend on a model, and `pellucid plan` counts those. Leaves out on purpose:
judgement, which is the business of labels and mixes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.data.looking.query import Asker, ask, label_columns

NONE = "none"
"""Stands where a record says nothing: no answer, no mode."""
TABLES = ("source", "task", "domain", "licence", "split", "mode", "answer", "turns", "images")
"""Breakdowns of the records: `mode` is the last turn's, `answer` the kind of the gold, `turns` the
number of messages, `images` the number of images."""
TEXTS = ("question", "reply", "thinking")
"""Texts whose length is counted: all that users, assistants and their reasoning say."""
KEPT = "kept"
"""What the ledger says of a row that became a record."""
SHOWN_SIZES = 20
"""Image sizes that are listed, most frequent first."""
_FEW = 12
"""A label column with more different values than this is not broken down."""

_TOLD = 5
"""Fewer values of a label column say nothing about whether they are categories."""
_NEARLY_ALL = 0.8
"""Share of different values above which a label column holds texts, not categories."""
_BROKEN_DOWN = ("BOOLEAN", "VARCHAR", "INTEGER", "BIGINT", "VARCHAR[]")
"""Types of label columns that are counted by value."""

_SAID = (
    "list_sum(list_transform(list_filter(messages, lambda m: m.role = '{role}'), lambda m: {it}))"
)
_TEXT = "coalesce(list_sum(list_transform(m.content, lambda p: coalesce(length(p.text), 0))), 0)"
_FACTS = f"""
SELECT
    source.dataset AS source, task, domain, source.licence AS licence, source.split AS split,
    coalesce(messages[-1].mode, '{NONE}') AS mode, coalesce(answer.kind, '{NONE}') AS answer,
    len(messages) AS turns, len(images) AS images,
    coalesce({_SAID.format(role="user", it=_TEXT)}, 0) AS question,
    coalesce({_SAID.format(role="assistant", it=_TEXT)}, 0) AS reply,
    coalesce({_SAID.format(role="assistant", it="coalesce(length(m.reasoning), 0)")}, 0) AS thinking
FROM part_records
"""
_REASON = (
    r"""regexp_replace(regexp_replace(reason, '^(.{77}\.\.\.|''([^''\\]|\\.)*''|"([^"\\]|\\.)*"|"""
    r"""-?[0-9.]+|None|True|False|\[.*\]|\{.*\}) ', ''), '(^|[ (])[0-9]+', '\1N', 'g')"""
)
"""A reason without the value that it speaks of, and without numbers: what rows have in common."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the texts of one kind are, in characters; records without such a text apart."""

    records: int
    """That have one."""
    least: int
    median: int
    p95: int
    most: int
    total: int
    bins: Mapping[str, int]
    """Records by length; a bin is a power of two wide: `4-7`."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the stored images are; each counts once, however many records show it."""

    sizes: Mapping[str, int]
    """Images by `width x height`, the most frequent ones."""
    different: int
    """How many different sizes there are."""
    megapixels: Mapping[str, int]
    """Images by millions of pixels."""
    grid: Sequence[tuple[int, int, int]]
    """(width, height, images); sides rounded down to a power of two."""


@dataclass(frozen=True, slots=True)
class Label:
    """One operation's label columns."""

    name: str
    """`op@version`."""
    records: int
    columns: Mapping[str, Mapping[str, int]]
    """Records by value, for columns with few values."""
    texts: Mapping[str, int]
    """Different values, for columns that hold texts or names instead: nearly every record its own,
    or JSON."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a store, or of several as one."""

    records: int
    images: int
    """Stored image files."""
    pictures: int
    """Different pictures among them: equal pixels count once."""
    image_bytes: int
    raw_bytes: int
    """Of the originals."""
    tables: Mapping[str, Mapping[str, int]]
    """Records by value, for each of `TABLES`."""
    licences: Sequence[tuple[str, str, int]]
    """(source, licence, records)."""
    steps: Mapping[str, int]
    """Records by operation of their lineage, `op@version`."""
    lengths: Mapping[str, Lengths]
    """For each of `TEXTS`."""
    sizes: Sizes
    ledger: Mapping[str, int]
    """Input rows kept, and left out by reason, values and numbers in the reason masked."""
    labels: Sequence[Label]


def stats(folders: Sequence[Path]) -> Stats:
    """Count what finished stores hold, as one.

    Raises:
        UserError: a file of a store is damaged.
        DiskError: a file cannot be read.
    """
    with ask(store=folders) as asker:
        tables = _tables(asker)
        raw = asker.each(
            "store", "SELECT coalesce(sum(octet_length(raw)), 0)::BIGINT AS n FROM part_records"
        )
        raw_bytes = sum(row["n"] for row in raw)
        images = asker.row(
            # 64 bits of a hash tell pictures apart and take a tenth of the memory of its text.
            "SELECT count(*) AS images, "
            "count(DISTINCT ('0x' || pixel_sha256[:16])::UBIGINT) AS pictures, "
            "coalesce(sum(length), 0)::BIGINT AS bytes FROM store_images"
        )
        return Stats(
            records=sum(tables["split"].values()),
            images=images["images"],
            pictures=images["pictures"],
            image_bytes=images["bytes"],
            raw_bytes=raw_bytes,
            tables={name: _ordered(name, tables[name]) for name in TABLES},
            licences=_licences(asker),
            steps=_steps(asker),
            lengths={name: _lengths(tables[name]) for name in TEXTS},
            sizes=_sizes(asker),
            ledger=_ledger(asker),
            labels=_labels(asker, folders),
        )


def bin_of(length: int) -> str:
    """The power-of-two bin of a length.

    >>> bin_of(0), bin_of(1), bin_of(5), bin_of(64)
    ('0', '1', '4-7', '64-127')
    """
    low = 1 << (length.bit_length() - 1) if length else 0
    return str(low) if low < 2 else f"{low}-{2 * low - 1}"


def _tables(asker: Asker) -> dict[str, Counter[Any]]:
    """Records by value of every column of `_FACTS`, all in one pass."""
    names = [*TABLES, *TEXTS]
    sets = ", ".join(f"({name})" for name in names)
    told = ", ".join(names)
    rows = asker.each(
        "store",
        f"SELECT {told}, GROUPING({told}) AS apart, count(*) AS n FROM ({_FACTS}) "
        f"GROUP BY GROUPING SETS ({sets}) ORDER BY ALL",
    )
    found: dict[str, Counter[Any]] = {name: Counter() for name in names}
    for row in rows:
        # The bit of the one column that is not grouped away is 0; the first column's is highest.
        place = ((1 << len(names)) - 1 - row["apart"]).bit_length()
        name = names[len(names) - place]
        found[name][row[name]] += row["n"]
    return found


def _ordered(name: str, counts: Mapping[Any, int]) -> dict[str, int]:
    """Numbers in their order; words most frequent first."""
    if name in ("turns", "images"):
        return {str(value): counts[value] for value in sorted(counts)}
    pairs = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return {str(value): count for value, count in pairs}


def _lengths(counts: Mapping[int, int]) -> Lengths:
    """From records by exact length."""
    said = sorted((int(length), n) for length, n in counts.items() if length)
    records = sum(n for _, n in said)
    if not records:
        return Lengths(0, 0, 0, 0, 0, 0, {})
    # Empty bins between full ones are told too, so that a picture has no gap that looks like none.
    places = range(said[0][0].bit_length(), said[-1][0].bit_length() + 1)
    bins = {bin_of(1 << (place - 1)): 0 for place in places}
    for length, n in said:
        bins[bin_of(length)] += n
    return Lengths(
        records=records,
        least=said[0][0],
        median=_quantile(said, records, 50),
        p95=_quantile(said, records, 95),
        most=said[-1][0],
        total=sum(length * n for length, n in said),
        bins=bins,
    )


def _quantile(said: Sequence[tuple[int, int]], records: int, percent: int) -> int:
    """The smallest length that at least this share of the records does not exceed.

    >>> _quantile([(1, 1), (2, 2), (9, 1)], 4, 50), _quantile([(1, 1), (2, 2), (9, 1)], 4, 95)
    (2, 9)
    """
    seen = 0
    for length, n in said:
        seen += n
        if 100 * seen >= percent * records:
            return length
    return said[-1][0]


def _licences(asker: Asker) -> list[tuple[str, str, int]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in asker.each(
        "store",
        "SELECT source.dataset AS source, source.licence AS licence, count(*) AS n "
        "FROM part_records GROUP BY ALL ORDER BY ALL",
    ):
        found[row["source"], row["licence"]] += row["n"]
    return [(*key, found[key]) for key in sorted(found)]


def _steps(asker: Asker) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in asker.each(
        "store",
        "SELECT name, count(*) AS n FROM (SELECT unnest(list_distinct(list_transform(lineage, "
        "lambda s: s.op || '@' || s.version))) AS name FROM part_records) "
        "GROUP BY name ORDER BY name",
    ):
        found[row["name"]] += row["n"]
    return {name: found[name] for name in sorted(found)}


def _sizes(asker: Asker) -> Sizes:
    sizes = asker.rows(
        "SELECT width, height, count(*) AS n FROM store_images GROUP BY width, height "
        f"ORDER BY n DESC, width, height LIMIT {SHOWN_SIZES}"
    )
    different = asker.row("SELECT count(DISTINCT (width, height)) AS n FROM store_images")
    mega = asker.rows(
        "SELECT floor(log2(width::DOUBLE * height / 1e6))::INTEGER AS low, count(*) AS n "
        "FROM store_images GROUP BY low ORDER BY low"
    )
    grid = asker.rows(
        "SELECT (1 << floor(log2(width))::INTEGER) AS w, (1 << floor(log2(height))::INTEGER) AS h, "
        "count(*) AS n FROM store_images GROUP BY ALL ORDER BY ALL"
    )
    return Sizes(
        sizes={f"{row['width']} x {row['height']}": row["n"] for row in sizes},
        different=different["n"],
        megapixels={
            f"{2.0 ** row['low']:.3g}-{2.0 ** (row['low'] + 1):.3g}": row["n"] for row in mega
        },
        grid=[(row["w"], row["h"], row["n"]) for row in grid],
    )


def _ledger(asker: Asker) -> dict[str, int]:
    rows = asker.rows(
        f"SELECT CASE decision WHEN '{KEPT}' THEN '{KEPT}' ELSE {_REASON} END AS why, "
        f"count(*) AS n FROM store_ledger GROUP BY why ORDER BY why = '{KEPT}' DESC, n DESC, why"
    )
    return {row["why"]: row["n"] for row in rows}


def _labels(asker: Asker, folders: Sequence[Path]) -> list[Label]:
    found = []
    for number, ((op, version), files) in enumerate(label_columns(folders).items()):
        view = f"label_{number}"
        asker.view(view, files, ", union_by_name = true")
        total = asker.row(f"SELECT count(*) AS n FROM {view}")["n"]
        columns, texts = {}, {}
        for row in asker.rows(f"DESCRIBE {view}"):
            name, type_ = row["column_name"], row["column_type"]
            if name in ("id", "filename") or type_ not in _BROKEN_DOWN:
                continue
            if type_.startswith("VARCHAR") and (different := _different(asker, view, name, type_)):
                texts[name] = different
            elif values := _values(asker, view, name):
                columns[name] = values
        found.append(Label(f"{op}@{version}", total, columns, texts))
    return found


def _different(asker: Asker, view: str, column: str, type_: str) -> int:
    """How many values a column of texts has; 0 where they are categories."""
    row = asker.row(
        # 64 bits of a hash tell texts apart and take less memory than they do.
        "SELECT count(v) AS n, count(DISTINCT hash(v)) FILTER (v IS NOT NULL) AS different, "
        "coalesce(bool_and(left(v::VARCHAR, 1) IN ('{', '[')), false) AS json "
        f'FROM (SELECT "{column}" AS v FROM {view})'
    )
    n, different = row["n"], row["different"]
    apart = n >= _TOLD and different > _NEARLY_ALL * n
    json = n and row["json"] and type_ == "VARCHAR"
    return different if different > _FEW or apart or json else 0


def _values(asker: Asker, view: str, column: str) -> dict[str, int]:
    """Records by value of a label column; empty where there are many values."""
    rows = asker.rows(
        f'SELECT "{column}" AS value, count(*) AS n FROM {view} GROUP BY ALL '
        f"ORDER BY n DESC, value LIMIT {_FEW + 1}"
    )
    return {} if len(rows) > _FEW else {str(row["value"]): row["n"] for row in rows}
