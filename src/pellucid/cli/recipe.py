"""`pellucid recipe`: look at a recipe as a run would see it."""

import typer

from pellucid.cli.options import RecipeName, Sets
from pellucid.cli.show import print_json

app = typer.Typer(help="Check and show recipes, and their JSON Schema.", no_args_is_help=True)


@app.command("show")
def show(recipe: RecipeName, set_: Sets = None) -> None:
    """Print a recipe with `extends`, `--set` and all defaults resolved.

    Example: pellucid recipe show smoke
    """
    from pellucid.recipe import dump, load

    print(dump(load(recipe, set_ or ())), end="")


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of recipe files, for editors.

    Example: pellucid recipe schema > pellucid.schema.json
    """
    from pellucid.recipe import json_schema

    print_json(json_schema())


@app.command("list")
def list_recipes() -> None:
    """List the shipped recipes.

    Example: pellucid recipe list
    """
    from pellucid.recipe.load import SHIPPED

    for path in sorted(SHIPPED.glob("*.yaml")):
        print(path.stem)
