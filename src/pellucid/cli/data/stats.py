"""`pellucid data stats`: what a store holds, counted."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, StoreName
from pellucid.cli.show import check_page, print_json, print_table, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.looking.stats import Stats

_SHOWN = 12
"""Rows of a table that are printed."""


def stats(
    store: StoreName,
    page: Annotated[
        Path | None, typer.Option("--page", help="Also write a page with pictures.", metavar="FILE")
    ] = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Count a store by source, task, licence, split, mode, lengths, image sizes and ledger.

    Lengths are in characters. The page is one HTML file that needs no network.

    Example: pellucid data stats smoke:charts --page stats.html
    """
    from dataclasses import asdict

    from pellucid.data.looking.stats import stats as count
    from pellucid.flow.named import named

    if page:
        check_page(page)
    folders = list(named(home, store).values())
    found = count(folders)
    if page:
        from pellucid.base.errors import boundary
        from pellucid.base.paths import write_bytes
        from pellucid.data.looking.page import html

        with boundary("writing the page"):
            write_bytes(page, html(store, found))
    if json_:
        print_json(asdict(found))
    else:
        _print(found)
    if page and not json_:
        print(f"\npage: {page}")


def _print(found: "Stats") -> None:
    megabytes = found.image_bytes / 1e6
    print(
        f"{found.records:,} records, {found.images:,} images of {found.pictures:,} different "
        f"pictures, {megabytes:,.1f} MB"
    )
    for name, counts in found.tables.items():
        _print_counts(name, counts, found.records)
    _print_counts("made by", found.steps, found.records)
    print()
    rows = [
        (name, *(f"{value:,}".rjust(8) for value in
         (one.records, one.least, one.median, one.p95, one.most, one.total)))
        for name, one in found.lengths.items()
    ]  # fmt: skip
    heads = ("records", "least", "median", "95 %", "most", "total")
    print_table(("characters of", *(head.rjust(8) for head in heads)), rows)
    _print_counts("width x height", found.sizes.sizes, found.images, found.sizes.different)
    _print_counts("megapixels", found.sizes.megapixels, found.images)
    _print_counts("ledger", found.ledger, sum(found.ledger.values()))
    for label in found.labels:
        print(f"\nlabels {label.name}: {label.records:,} records")
        for column, values in label.columns.items():
            _print_counts(column, values, label.records)
        if label.texts:
            print()
            told = ", ".join(f"{name} text, {n:,} distinct" for name, n in label.texts.items())
            print_wrapped("not counted:", told)


def _print_counts(
    name: str, counts: Mapping[str, int], total: int, different: int | None = None
) -> None:
    """A table of counts with shares, cut after `_SHOWN` rows."""
    if not counts:
        return
    print()
    rows = [
        (value, f"{count:,}".rjust(9), f"{count / total:.1%}".rjust(6))
        for value, count in list(counts.items())[:_SHOWN]
    ]
    print_table((name, "number".rjust(9), "share".rjust(6)), rows)
    left = (different or len(counts)) - len(rows)
    if left:
        print(f"and {left:,} more; --json and --page have more")
