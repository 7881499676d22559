"""`pellucid data rebuild`: a published store made whole from local sources."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json
from pellucid.cli.show import print_json, print_wrapped

_SHOWN = 20
"""Differences that are printed."""


def rebuild(
    folder: Annotated[Path, typer.Argument(help="What publish made.", metavar="FOLDER")],
    to: Annotated[Path, typer.Option("--to", help="The store to make.", metavar="FOLDER")],
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="A recipe (.yaml) that makes the withheld rows, or a store that has them; "
            "may be repeated.",
            metavar="RECIPE|STORE",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Make the whole store again from its published part and sources of your own.

    Exit code 1 when they do not give the same store: every row that differs is named, with the
    hash that was expected and the one that was got, and nothing is written.

    Example: pellucid data rebuild public --from public/recipe.yaml --to whole
    """
    from dataclasses import asdict

    from pellucid.flow.published import rebuild_named

    done = rebuild_named(home, folder, from_ or [], to)
    if json_:
        print_json(asdict(done))
    elif done.differences:
        print(f"{len(done.differences)} differences; nothing was written")
        for one in done.differences[:_SHOWN]:
            print_wrapped("-", str(one))
        if len(done.differences) > _SHOWN:
            print(f"and {len(done.differences) - _SHOWN} more; --json has all")
    else:
        print(f"{done.records} records, the same store as before\nmanifest: {done.got}")
        print(f"folder:   {to}")
    if done.differences:
        raise typer.Exit(1)
