"""`pellucid run`: do a recipe's jobs, skip what is done, leave a report."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RecipeName, Sets
from pellucid.cli.report import print_summary


def run(
    recipe: RecipeName,
    set_: Sets = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Do only this job or type of job. May be repeated."),
    ] = None,
    from_: Annotated[
        str, typer.Option("--from", help="Do this job or type of job and all after it.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Do the selected jobs again although they are done.")
    ] = False,
    track: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            help="Also tell tensorboard, mlflow or wandb; may be repeated.",
            metavar="KIND[:WHERE]",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Run a recipe from data to report. A killed run goes on where it was.

    Example: pellucid run smoke --set seed=1
    """
    from pellucid.flow import together
    from pellucid.flow.run import Selection
    from pellucid.flow.run import run as flow_run
    from pellucid.flow.summary import summarise
    from pellucid.recipe import load

    if not together.first():
        together.follow()
        return
    selection = Selection(tuple(only or ()), from_, force)
    with together.leading():
        result = flow_run(load(recipe, set_ or ()), home, selection, track or ())
    print_summary(summarise(result), json_)
