"""`pellucid data`: look at records as training sees them."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RunName
from pellucid.cli.show import print_json

app = typer.Typer(help="Look at the records of a run.", no_args_is_help=True)


@app.command("show")
def show(
    run: RunName,
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    task: Annotated[str, typer.Option("--task", help="Only this task.")] = "",
    record: Annotated[str, typer.Option("--id", help="Only this record (or a prefix).")] = "",
    split: Annotated[str, typer.Option("--split", help="Only this split.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many records.")] = 3,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Print records with what is supervised in colour («» where there is none).

    Example: pellucid data show smoke --source charts -n 2
    """
    import sys

    from pellucid.flow.look import Filter, look

    colour = sys.stdout.isatty() and not json_
    shown = look(home, run, Filter(source, task, record, split, count), colour)
    if json_:
        print_json([item.as_dict() for item in shown])
    else:
        print("\n\n".join(item.text for item in shown))
