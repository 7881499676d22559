"""`pellucid init`: a folder to begin with."""

import sys
from pathlib import Path
from shutil import which
from typing import Annotated

import typer

from pellucid.base.errors import boundary
from pellucid.cli.options import Json
from pellucid.cli.show import print_json


def init(
    folder: Annotated[Path, typer.Argument(help="A folder that is new or empty.", metavar="DIR")],
    json_: Json = False,
) -> None:
    """Make a folder with a first recipe, example rows, and copies of the shipped recipes.

    Example: pellucid init my-model
    """
    from pellucid.flow.start import start

    with boundary("making the folder"):
        made = start(folder)
    if json_:
        print_json({"folder": str(folder), "files": made})
        return
    print(f"made {folder}")
    print("  recipe.yaml, rows.json with its pictures, copies of the shipped recipes\n")
    print("next:")
    command = sys.argv[0] if "/" in sys.argv[0] and not which("pellucid") else "pellucid"
    for words in (
        f"data check {folder}/rows.json",
        f"plan {folder}/recipe.yaml",
        f"run {folder}/recipe.yaml",
        f"chat mine --mode nothink --image {folder}/images/nlvr/test-4090-0-0.png",
    ):
        print(f"  {command} {words}")
