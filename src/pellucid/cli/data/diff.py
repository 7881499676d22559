"""`pellucid data diff`: two versions of a set compared."""

from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json
from pellucid.cli.show import print_json, print_table, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.looking.diff import Diff


def diff(
    a: Annotated[str, typer.Argument(help="The older store, or RUN[:SOURCE].", metavar="A")],
    b: Annotated[str, typer.Argument(help="The newer one.", metavar="B")],
    count: Annotated[
        int, typer.Option("--count", "-n", min=0, help="Examples of each kind of change.")
    ] = 2,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Compare two versions of a set: records, contents, licences, labels and images.

    A changed record comes from the same row (told by its own `id`, else by its number) and has
    another content; a renumbered one has the same content in another place.

    Example: pellucid data diff before/store after/store
    """
    from dataclasses import asdict

    from pellucid.data.looking.diff import diff as compare
    from pellucid.flow.named import named

    found = compare(list(named(home, a).values()), list(named(home, b).values()), count)
    if json_:
        print_json({**asdict(found), "same": found.same})
    else:
        _print(found)


def _print(found: "Diff") -> None:
    if found.same:
        print(f"the same {found.a:,} records, {found.images_kept:,} images and labels")
        return
    rows = [
        ("kept", found.kept, found.kept, found.images_kept),
        *([("renumbered", found.renumbered, found.renumbered, "")] if found.renumbered else []),
        ("changed", found.changed, found.changed, ""),
        ("removed", found.removed, "", found.images_removed),
        ("added", "", found.added, found.images_added),
        ("all", found.a, found.b, ""),
    ]
    print_table(("", "records of A", "of B", "images"), rows)
    if found.moved:
        print_wrapped("note:", f"{found.moved} of the removed are among the added in another split")
    for name, counts in (("kept", found.facts), ("changed", found.content)):
        if counts:
            told = ", ".join(f"{field} {n}" for field, n in counts.items())
            print_wrapped(f"of the {name}, these differ:", told)
    for before, after, n in found.licences:
        print_wrapped("licence:", f"{before} became {after} in {n} records")
    for label in found.labels:
        print_wrapped(
            f"labels {label.name}:", f"{label.a} in A, {label.b} in B, {label.changed} changed"
        )
    for example in found.examples:
        print(f"\n{example.what} {example.before or example.after}\n{example.text}")
