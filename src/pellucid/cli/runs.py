"""`pellucid runs`: list what the workspace holds, and clean what no run uses."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json
from pellucid.cli.show import print_json, print_table

app = typer.Typer(help="List runs, and remove artifacts that no run uses.", no_args_is_help=True)


@app.command("list")
def list_runs(home: Home = DEFAULT_HOME, json_: Json = False) -> None:
    """List the runs of a workspace.

    Example: pellucid runs list
    """
    from pellucid.flow.runs import list_runs as listing

    rows = listing(home)
    if json_:
        print_json([row._asdict() for row in rows])
    elif rows:
        print_table(
            ("run", "jobs", "verdict", "MB", "report"),
            [(row.name, row.jobs, row.verdict, f"{row.megabytes:.1f}", row.report) for row in rows],
        )
    else:
        print(f"no runs in {home}")


@app.command("clean")
def clean(
    home: Home = DEFAULT_HOME,
    run: Annotated[
        list[str] | None,
        typer.Option("--run", help="Forget this run first. May be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Remove artifacts that no run uses, and what killed runs left. The catalog stays.

    Example: pellucid runs clean --dry-run
    """
    from pellucid.flow.runs import clean as cleaning

    removed = cleaning(home, tuple(run or ()), dry_run)
    if json_:
        print_json({"removed": removed, "dry_run": dry_run})
    else:
        verb = "would remove" if dry_run else "removed"
        print("\n".join(f"{verb} {name}" for name in removed) or "nothing to remove")
