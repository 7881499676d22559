"""`pellucid catalog`: released models, their versions and aliases."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json
from pellucid.cli.show import print_fields, print_json, print_table

app = typer.Typer(help="List released models and move their aliases.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="name, name@alias or name:hash.")]


@app.command("list")
def list_models(home: Home = DEFAULT_HOME, json_: Json = False) -> None:
    """List every version with its verdict and aliases.

    Example: pellucid catalog list
    """
    from pellucid.release.catalog import Catalog

    entries = Catalog(home / "catalog").list()
    if json_:
        print_json([entry.as_dict() for entry in entries])
    elif entries:
        print_table(
            ("model", "version", "verdict", "aliases"),
            [
                (entry.model, entry.version[:12], entry.outcome, ", ".join(entry.aliases))
                for entry in entries
            ],
        )
    else:
        print("the catalog is empty")


@app.command("show")
def show(model: Reference, home: Home = DEFAULT_HOME, json_: Json = False) -> None:
    """Show one version: where it lies, its verdict, its lineage.

    Example: pellucid catalog show smoke
    """
    from pellucid.release.catalog import Catalog

    entry = Catalog(home / "catalog").resolve(model)
    if json_:
        print_json(entry.as_dict())
    else:
        print_fields(entry.as_dict())


@app.command("alias")
def alias(
    model: Reference,
    alias: Annotated[str, typer.Argument(help="The alias to point at it.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Point an alias at a version whose gate passed.

    Example: pellucid catalog alias mine champion
    """
    from pellucid.release.catalog import Catalog

    entry = Catalog(home / "catalog").alias(model, alias)
    print(f"{entry.model}@{alias} -> {entry.version[:12]}")
