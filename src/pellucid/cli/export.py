"""`pellucid export`: a checkpoint of a run as a folder to ship or to start from."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RunName
from pellucid.cli.show import print_fields, print_json


def export(
    run: RunName,
    to: Annotated[Path, typer.Option("--to", help="New folder to write.", metavar="FOLDER")],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="init, a stage, rl, or final.", metavar="NAME")
    ] = "final",
    half: Annotated[bool, typer.Option("--half", help="Write 16-bit weights.")] = False,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            help="A published checkpoint that the run started from; write it as that is.",
            metavar="FOLDER",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Export a checkpoint with its recipe, log, hashes and the pictures it was trained on.

    Example: pellucid export smoke --to my-model --half
    """
    from pellucid.flow.export import export as exporting

    told = exporting(home, run, to, checkpoint, half, like).as_dict()
    print_json(told) if json_ else print_fields(told)
