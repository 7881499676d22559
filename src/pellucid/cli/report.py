"""`pellucid report`: what a run came to, again."""

import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.base.errors import Problem, UserError
from pellucid.cli.options import DEFAULT_HOME, Home, Json, RunName
from pellucid.cli.show import print_json, print_table, print_wrapped

if TYPE_CHECKING:
    from pellucid.flow.summary import Summary


def report(
    run: RunName,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Print what a run came to, and where its page is. Nothing is run.

    Example: pellucid report smoke --open
    """
    from pellucid.flow.summary import summarise_run

    summary = summarise_run(home, run)
    print_summary(summary, json_)
    if open_:
        if not summary.page.is_file():
            rule = "has no report yet"
            raise UserError(Problem("run", run, rule, "run its recipe to the end"))
        if not webbrowser.open(summary.page.resolve().as_uri()):
            rule = "cannot be shown: there is no browser here"
            raise UserError(Problem("--open", str(summary.page), rule, "open the page elsewhere"))


def print_summary(summary: "Summary", json_: bool) -> None:
    """The end of a run: accuracy, verdict, and the path of the page."""
    if json_:
        print_json(summary.as_dict())
        return
    if summary.reports:
        from pellucid.flow.summary import COLUMNS

        print_table(COLUMNS, summary.rows())
    if summary.outdated:
        told = f"verdict and page are about an earlier {', '.join(summary.outdated)};"
        print_wrapped(told, "run the recipe again, to its end")
        return
    if summary.verdict:
        print(f"verdict: {summary.verdict.outcome}")
        for check in summary.verdict.checks:
            print_wrapped(f"  {check.outcome:<12} {check.name}:", check.why)
    if summary.missing:
        print_wrapped("done:   ", ", ".join(summary.result.artifacts) or "nothing")
        print_wrapped("missing:", ", ".join(summary.missing) + "; run the recipe again to go on")
    page = summary.page.is_file()
    print(f"report:  {summary.page}" if page else f"run:     {summary.result.folder}")
