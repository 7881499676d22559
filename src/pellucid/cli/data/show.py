"""`pellucid data show`: records as training sees them, or as a store holds them."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, StoreName
from pellucid.cli.show import print_json


def show(
    store: StoreName,
    source: Annotated[
        str, typer.Option("--source", help="Only this source; in a store's folder, a dataset.")
    ] = "",
    task: Annotated[str, typer.Option("--task", help="Only this task.")] = "",
    record: Annotated[str, typer.Option("--id", help="Only this record (or a prefix).")] = "",
    split: Annotated[str, typer.Option("--split", help="Only this split.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many records.")] = 3,
    like: Annotated[
        str,
        typer.Option("--like", help="Of a store's folder: mark what this run would supervise."),
    ] = "",
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Print records with what is supervised in colour («» where there is none).

    That depends on a conversation format: a run has one. Of a store's folder, records are told
    plainly, or with --like as that run would see them.

    Example: pellucid data show smoke --source charts -n 2
    """
    import sys

    from pellucid.flow.look import Filter, look

    colour = sys.stdout.isatty() and not json_
    shown = look(home, store, Filter(source, task, record, split, count), colour, like)
    if json_:
        print_json([item.as_dict() for item in shown])
    else:
        print("\n\n".join(item.text for item in shown))
