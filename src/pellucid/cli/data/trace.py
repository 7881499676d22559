"""`pellucid data trace`: one record's whole way."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, StoreName
from pellucid.cli.show import print_json


def trace(
    store: StoreName,
    id: Annotated[str, typer.Argument(help="The record's id, or the start of it.", metavar="ID")],
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Follow one record from its source row through every step and label to the mixes of a run.

    Of a number in a report, `pellucid trace` tells the same.

    Example: pellucid data trace smoke:charts 00aa3f
    """
    from pellucid.flow.record import record_way

    found = record_way(home, store, id)
    if json_:
        print_json(found.as_dict())
    else:
        print(found.text())
