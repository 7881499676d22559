"""`pellucid plan`: what a run would do, without doing it."""

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RecipeName, Sets
from pellucid.cli.show import print_json, print_table


def plan(
    recipe: RecipeName,
    set_: Sets = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Show the jobs of a recipe: which are done, which would run, what they build on.

    Example: pellucid plan smoke
    """
    from pellucid.flow.preview import preview
    from pellucid.recipe import load

    rows = preview(load(recipe, set_ or ()), home)
    if json_:
        print_json([row._asdict() for row in rows])
    else:
        print_table(
            ("job", "state", "builds on"),
            [(row.name, row.state, ", ".join(row.parents)) for row in rows],
        )
