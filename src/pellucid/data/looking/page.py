"""The statistics of a store as one HTML file: pictures, each with its numbers as a table.

Needs no network, no script and no pointer; every picture has a text that says what it shows. Names
out of a data set go through Jinja's escaping; nothing is marked safe but our own plots, which are
base64. Leaves out on purpose: records (`pellucid data show`).
"""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from pellucid.data.looking.plots import bars, grid, histogram
from pellucid.data.looking.stats import TABLES, TEXTS, Stats

TEMPLATE = "page.html.jinja"
SHOWN = 15
"""Bars of a picture; the table beside it has up to `_LISTED` rows."""
_LISTED = 200
_WORDS = {
    "source": "By source", "task": "By task", "domain": "By domain", "licence": "By licence",
    "split": "By split", "mode": "By mode of the last turn", "answer": "By kind of gold answer",
    "turns": "By number of messages", "images": "By number of images",
    "question": "Length of what is asked", "reply": "Length of the replies",
    "thinking": "Length of the thinking",
}  # fmt: skip


class Picture(NamedTuple):
    """A plot with the numbers that it shows."""

    title: str
    uri: str
    alt: str
    column: str
    """What the rows of its table are."""
    rows: tuple[tuple[str, int, float], ...]
    """(value, number, percent)."""
    more: int
    """Rows that the table leaves out."""
    note: str = ""


def html(name: str, found: Stats) -> bytes:
    """The page, UTF-8.

    Args:
        name: what the store is called.
        found: its statistics.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(["jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count="{:,}".format, percent="{:.1f} %".format)
    page = environment.get_template(TEMPLATE).render(
        name=name,
        stats=found,
        kept=found.ledger.get("kept", 0),
        rows_in=sum(found.ledger.values()),
        records=list(_records(found)),
        lengths=list(_lengths(found)),
        images=list(_images(found)),
        ledger=_counted("Ledger", "input rows", found.ledger, "rows"),
        labels=list(_labels(found)),
    )
    return page.encode("utf-8")


def _records(found: Stats) -> Iterator[Picture]:
    for name in TABLES:
        if found.tables[name]:
            yield _counted(_WORDS[name], name, found.tables[name], "records")
    if found.steps:
        yield _counted("By operation that made them", "operation", found.steps, "records")


def _lengths(found: Stats) -> Iterator[Picture]:
    for name in TEXTS:
        one = found.lengths[name]
        if one.records:
            note = (
                f"{one.records:,} records; least {one.least:,}, median {one.median:,}, 95 % up to "
                f"{one.p95:,}, most {one.most:,} characters."
            )
            plot = histogram(one.bins, "characters", "records")
            yield _picture(_WORDS[name], "characters", one.bins, plot, "records", note)


def _images(found: Stats) -> Iterator[Picture]:
    if not found.images:
        return
    sizes = found.sizes
    yield _picture(
        "Width and height", "megapixels", sizes.megapixels,
        grid(sizes.grid, "width, pixels", "height, pixels"), "images",
        f"{sizes.different:,} different sizes; sides are rounded down to a power of two.",
    )  # fmt: skip
    shown = dict(list(sizes.sizes.items())[:SHOWN])
    note = "The most frequent sizes." if sizes.different > len(shown) else ""
    yield _picture(
        "Most frequent sizes", "width x height", sizes.sizes, bars(shown, "images"), "images",
        note, found.images,
    )  # fmt: skip


def _labels(found: Stats) -> Iterator[Picture]:
    for label in found.labels:
        for column, values in label.columns.items():
            yield _counted(f"{label.name}: {column}", column, values, "records")


def _counted(title: str, column: str, counts: Mapping[str, int], what: str) -> Picture:
    shown = dict(list(counts.items())[:SHOWN])
    left = len(counts) - len(shown)
    note = f"The first {len(shown)} of {len(counts):,}." if left > 0 else ""
    return _picture(title, column, counts, bars(shown, what), what, note)


def _picture(
    title: str,
    column: str,
    counts: Mapping[str, int],
    plot: bytes,
    what: str,
    note: str = "",
    total: int | None = None,
) -> Picture:
    total = total or sum(counts.values())
    told = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN])
    rows = [(name, count, 100 * count / (total or 1)) for name, count in counts.items()]
    uri = f"data:image/svg+xml;base64,{base64.b64encode(plot).decode('ascii')}"
    alt = f"{title}, {what}: {told}{', and more' if len(counts) > SHOWN else ''}."
    return Picture(
        title, uri, alt, column, tuple(rows[:_LISTED]), max(0, len(rows) - _LISTED), note
    )
