"""`pellucid trace`: from a number to what made it."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RunName
from pellucid.cli.show import print_json


def trace(
    run: RunName,
    number: Annotated[str, typer.Argument(help="Id of a number in report.json.")],
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows to print.")] = 5,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Trace a number of a report to its rows, rollouts, checkpoint, mix and sources.

    Example: pellucid trace smoke eval.final.charts.auto.all.accuracy
    """
    from pellucid.flow.trace import trace as follow

    found = follow(home, run, number)
    if json_:
        print_json(found.as_dict())
    else:
        print(found.text(rows))
