"""`pellucid data publish`: what licences allow of a store."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, StoreName
from pellucid.cli.show import print_json, print_table, print_wrapped


def publish(
    store: StoreName,
    to: Annotated[Path, typer.Option("--to", help="The folder to make.", metavar="FOLDER")],
    allow: Annotated[
        list[str],
        typer.Option("--allow", help="A licence whose rows may go; repeat it.", metavar="LICENCE"),
    ],
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Write the rows that licences allow, with a datasheet, and for the rest how to get them.

    The folder is a store in itself. Of withheld rows it holds ids and hashes, and the recipe that
    makes them where a run tells it; `pellucid data rebuild` makes the whole store again.

    Example: pellucid data publish smoke:real --to public --allow MIT --allow CC0-1.0
    """
    from dataclasses import asdict

    from pellucid.flow.published import publish_named

    done = publish_named(home, store, to, allow)
    if json_:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    counts = {**dict.fromkeys(done.withheld_licences, 0), **done.licences}
    rows = [(one, n, done.withheld_licences.get(one, 0)) for one, n in sorted(counts.items())]
    print_table(("licence", "published", "withheld"), [*rows, ("all", done.records, done.withheld)])
    for one in done.unmatched:
        print_wrapped("note:", f"no record has the licence {one}")
    if done.shared_images:
        told = f"{done.shared_images} published images are shown by withheld records too"
        print_wrapped("note:", told)
    if done.untold:
        told = f"why {done.untold} input rows became no record is withheld too"
        print_wrapped("note:", told)
    print(f"images:   {done.images}\nmanifest: {done.published}\nwhole:    {done.original}")
    print(f"folder:   {done.folder}")
