"""`pellucid eval`: evaluate a checkpoint on a recipe's tasks."""

from pellucid.cli.options import DEFAULT_HOME, Home, Json, ModelName, RecipeName, Sets
from pellucid.cli.show import print_json, print_table


def evaluate(
    model: ModelName,
    recipe: RecipeName,
    set_: Sets = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Evaluate a model on a recipe's tasks and modes.

    Example: pellucid eval smoke smoke
    """
    from pellucid.flow.judge import evaluate_model
    from pellucid.flow.summary import COLUMNS, metric_rows
    from pellucid.recipe import load

    result = evaluate_model(model, load(recipe, set_ or ()), home)
    if json_:
        print_json(result.as_dict())
    else:
        print_table(COLUMNS[1:], metric_rows(result.report))
        print(f"rows: {result.artifact.path}")
