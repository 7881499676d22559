"""`pellucid run`: do a recipe's jobs, skip what is done, leave a report."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RecipeName, Sets
from pellucid.cli.show import print_json, print_table, print_wrapped


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
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Run a recipe from data to report. A killed run goes on where it was.

    Example: pellucid run smoke --set seed=1
    """
    from pellucid.flow.run import REPORT, Selection
    from pellucid.flow.run import run as flow_run
    from pellucid.flow.summary import COLUMNS, summarise
    from pellucid.recipe import load

    selection = Selection(tuple(only or ()), from_, force)
    result = flow_run(load(recipe, set_ or ()), home, selection)
    summary = summarise(result)
    if json_:
        print_json(summary.as_dict())
        return
    if summary.reports:
        print_table(COLUMNS, summary.rows())
    if summary.verdict:
        print(f"verdict: {summary.verdict.outcome}")
        for check in summary.verdict.checks:
            print_wrapped(f"  {check.outcome:<12} {check.name}:", check.why)
    page = result.folder / REPORT / "index.html"
    print(f"report:  {page}" if page.is_file() else f"run:     {result.folder}")
