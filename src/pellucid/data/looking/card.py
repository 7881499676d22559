"""A datasheet for a store, written from its lineage and its counts: equal stores, equal bytes.

Front matter as the Hugging Face hub reads it, then the sections of "Datasheets for Datasets"
(arXiv 1803.09010). Every number comes out of the store. What no store can know (why a set was made,
who was asked, who will answer for it) is not guessed: the card says that a person has to write it.
Leaves out on purpose: dates, and paths of the machine that wrote it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pellucid import store
from pellucid.data.looking.query import ask
from pellucid.data.looking.stats import KEPT, NONE, Stats, stats

_HUB_LICENCES = frozenset(
    "apache-2.0 mit cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 "
    "cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 "
    "cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 bsd bsd-2-clause bsd-3-clause gpl gpl-2.0 "
    "gpl-3.0 lgpl-2.1 lgpl-3.0 agpl-3.0 mpl-2.0 odc-by odbl pddl isc unlicense".split()
)
"""Names of licences that the hub's front matter knows; others are `other`."""
_HUB_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip
_ROWS = 40
"""Rows of a table of the card; more are counted in a last line."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """What a published store leaves behind."""

    licences: Mapping[str, int]
    """Records by licence."""
    untold: int
    """Input rows that became no record and whose reason is withheld."""
    shared_images: int
    """Published images that withheld records show too."""
    original: str
    """Manifest hash of the whole store."""
    recipe: bool
    """Whether the recipe that makes it lies beside the card."""


def card(name: str, folders: Sequence[Path], withheld: Withheld | None = None) -> str:
    """The card, as Markdown.

    Args:
        name: what the set is called.
        folders: finished stores as one.
        withheld: what was left behind, for a published part of a store.

    Raises:
        UserError: a file of a store is damaged.
        DiskError: a file cannot be read.
    """
    found, origins = stats(folders), _origins(folders)
    told = [
        _front_matter(name, found),
        f"# {_plain(name)}",
        *_motivation(),
        *_composition(found),
        *_collection(found, origins),
        *_processing(found),
        *_uses(found),
        *_distribution(found, origins, withheld),
        *_maintenance(store.manifest(*folders)),
    ]
    return "\n\n".join(told) + "\n"


def _origins(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Records by dataset, config, revision and licence."""
    with ask(store=folders) as asker:
        return asker.rows(
            "SELECT source.dataset AS dataset, source.config AS config, "
            "source.revision AS revision, source.licence AS licence, count(*) AS n "
            "FROM store_records GROUP BY ALL ORDER BY ALL"
        )


def _front_matter(name: str, found: Stats) -> str:
    licences = sorted({part for one in found.tables["licence"] for part in _hub_licence(one)})
    tree: dict[str, Any] = {"pretty_name": name}
    if licences:
        tree["license"] = licences if len(licences) > 1 else licences[0]
    tree["task_categories"] = _categories(found)
    tree["size_categories"] = [
        next((told for most, told in _HUB_SIZES if found.records < most), "n>1T")
    ]
    tree["configs"] = [{"config_name": "default", "data_files": "records/*.parquet"}]
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---"


def _hub_licence(licence: str) -> list[str]:
    """The hub's names for a licence.

    >>> _hub_licence("CC-BY-4.0 AND MIT"), _hub_licence("our own")
    (['cc-by-4.0', 'mit'], ['other'])
    """
    parts = [part.strip("() ").lower() for part in licence.split(" AND ")]
    return parts if _HUB_LICENCES.issuperset(parts) else ["other"]


def _categories(found: Stats) -> list[str]:
    """The hub's task categories: by whether records show images, and hold a gold answer."""
    without = found.tables["images"].get("0", 0)
    told = []
    if without < found.records:
        told += ["visual-question-answering", "image-text-to-text"]
    if without:
        told += ["question-answering", "text-generation"]
    return told


def _motivation() -> list[str]:
    return [
        "## Motivation",
        _PERSON.format(what="For what purpose, by whom and for whom it was made"),
    ]


_PERSON = "*{what}: a store does not say; whoever publishes it writes it here.*"


def _composition(found: Stats) -> list[str]:
    shown = found.tables["images"]
    without = shown.get("0", 0)
    told = [
        "## Composition",
        f"{found.records:,} records. A record is a conversation with its images and, where there "
        f"is one, a gold answer. {found.records - without:,} records show images, {without:,} are "
        f"text alone. {found.images:,} image files are stored ({found.image_bytes:,} bytes), of "
        f"{found.pictures:,} different pictures.",
    ]
    for title, name in (
        ("Split", "split"), ("Task", "task"), ("Domain", "domain"),
        ("Mode of the last turn", "mode"), ("Kind of gold answer", "answer"),
        ("Messages", "turns"), ("Images", "images"),
    ):  # fmt: skip
        told.append(_table((title, "records"), found.tables[name].items()))
    rows = [
        (name, one.records, one.least, one.median, one.p95, one.most)
        for name, one in found.lengths.items()
        if one.records
    ]
    heads = ("characters of", "records", "least", "median", "95 % up to", "most")
    told += ["Lengths, in characters:", _table(heads, rows)]
    if found.images:
        told.append(f"Image sizes ({found.sizes.different:,} different ones):")
        told.append(_table(("megapixels", "images"), found.sizes.megapixels.items()))
    return told


def _collection(found: Stats, origins: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (row["dataset"], row["config"], row["revision"], row["licence"], row["n"])
        for row in origins
    ]
    return [
        "## Collection process",
        "Where the records come from; a row that says no revision was imported without one.",
        _table(("dataset", "config", "revision", "licence", "records"), rows),
        f"The originals of imported rows are kept in the column `raw` ({found.raw_bytes:,} bytes). "
        "Records by the operation that made or changed them, with its version:",
        _table(("operation", "records"), found.steps.items()),
    ]


def _processing(found: Stats) -> list[str]:
    rows_in, kept = sum(found.ledger.values()), found.ledger.get(KEPT, 0)
    told = [
        "## Preprocessing, cleaning, labelling",
        f"{rows_in:,} input rows: {kept:,} became records, {rows_in - kept:,} were left out.",
    ]
    left = [(reason, count) for reason, count in found.ledger.items() if reason != KEPT]
    if left:
        told += [
            "Left out, by reason (values and numbers masked):",
            _table(("reason", "rows"), left),
        ]
    if not found.labels:
        told.append("The store holds no labels: what its records hold was not judged.")
    for label in found.labels:
        told.append(f"Labels `{_plain(label.name)}`: {label.records:,} records.")
        told += [
            _table((column, "records"), values.items()) for column, values in label.columns.items()
        ]
    return told


def _uses(found: Stats) -> list[str]:
    golds = found.records - found.tables["answer"].get(NONE, 0)
    splits = found.tables["split"]
    return [
        "## Uses",
        f"{splits.get('train', 0):,} records are for training, {splits.get('validation', 0):,} for "
        f"choosing, {splits.get('test', 0):,} for reports and never for choosing. {golds:,} "
        "records have a gold answer and can be scored.",
        _PERSON.format(what="What it should not be used for, and what could go wrong"),
    ]


def _distribution(
    found: Stats, origins: Sequence[Mapping[str, Any]], withheld: Withheld | None
) -> list[str]:
    told = [
        "## Distribution",
        "Each record carries the licence of its source. Who passes records on names these:",
        *_attribution(origins),
    ]
    if withheld is None:
        return told
    behind = sum(withheld.licences.values())
    told.append(
        f"This is the part of a larger store that licences allow to publish: {found.records:,} of "
        f"{found.records + behind:,} records. Of the {behind:,} that stay behind, "
        "`withheld.parquet` has the id, the source key, the licence and the hashes."
    )
    if withheld.licences:
        told.append(_table(("withheld licence", "records"), sorted(withheld.licences.items())))
    if withheld.untold:
        told.append(
            f"Of {withheld.untold:,} input rows that became no record, the reason is withheld too, "
            "as it may quote them."
        )
    if withheld.shared_images:
        told.append(
            f"{withheld.shared_images:,} of the published images are shown by withheld records too."
        )
    how = (
        "recipe.yaml, its paths filled in" if withheld.recipe else "a store with the withheld rows"
    )
    told.append(
        f"Who has the sources makes the whole again: `pellucid data rebuild FOLDER --from` ({how})."
        f" Its manifest hash is then `{withheld.original}`."
    )
    return told


def _attribution(origins: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found: dict[tuple[str, str], int] = {}
    for row in origins:
        key = (row["dataset"], row["licence"])
        found[key] = found.get(key, 0) + row["n"]
    yield "\n".join(
        f"- {_plain(dataset)}, licence {_plain(licence)}: {count:,} records"
        for (dataset, licence), count in found.items()
    )


def _maintenance(manifest: store.StoreManifest) -> list[str]:
    parts = manifest.parts()
    rows = [(name, f"{count:,}", f"`{sha256}`") for name, (count, sha256) in parts.items()]
    return [
        "## Maintenance",
        _PERSON.format(what="Who answers for it, and how errors are reported"),
        f"Manifest hash: `{manifest.hash}`. It is the same exactly when every record, image and "
        "row of the ledger is.",
        _table(("part", "rows", "SHA-256"), rows),
    ]


def _table(heads: Sequence[str], rows: Any) -> str:
    """A Markdown table, cut after `_ROWS` rows."""
    body = [tuple(row) for row in rows]
    told = [f"| {' | '.join(map(_plain, heads))} |", f"|{' --- |' * len(heads)}"]
    for row in body[:_ROWS]:
        cells = (f"{cell:,}" if isinstance(cell, int) else _plain(cell) for cell in row)
        told.append(f"| {' | '.join(cells)} |")
    if len(body) > _ROWS:
        told.append(f"| and {len(body) - _ROWS:,} more |{'  |' * (len(heads) - 1)}")
    return "\n".join(told)


def _plain(text: str) -> str:
    """A text as it stands, in Markdown: on one line, no table or tag begun by it."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
