"""Looks ahead before anything is trained: what would be refused after it is refused now.

Rooms are imported inside the calls, as in `steps`. Leaves out on purpose: what the recipe alone
tells (`recipe/rules.py`), and what only a trained model can show.
"""

from collections.abc import Mapping, Sequence

from pellucid.base.errors import Problem, UserError
from pellucid.flow.job import Job
from pellucid.flow.lines import say
from pellucid.recipe import Recipe
from pellucid.recipe.eval import EvalOptions
from pellucid.schema.artifact import Artifact


def look_ahead(recipe: Recipe, wanted: Sequence[Job], artifacts: Mapping[str, Artifact]) -> None:
    """Check that what comes after the training can be done with the data that are there.

    Replies that an evaluation would cut off are said, and refused by nothing.

    Args:
        recipe: of the run.
        wanted: the jobs to do.
        artifacts: of the run so far; what is not among them is not looked at.

    Raises:
        UserError: a task has a name that no metric can carry, no record with a gold answer, or no
            scorer that checks one; RL has no prompt with a gold answer; or adapters lack peft.
    """
    types = {job.type for job in wanted}
    adapted = any(lora for stage in recipe.train.stages for _, lora in stage.lora or ())
    if "train" in types and adapted:
        from pellucid.train.lora import library

        library()
    if "eval" in types:
        _check_tasks(recipe.eval, artifacts)
        _warn_cut(recipe, artifacts)
    if "rl" in types and recipe.rl:
        probe = recipe.rl.probe
        named = {"rl.mix": recipe.rl.mix, **({"rl.probe.mix": probe.mix} if probe else {})}
        for field, name in named.items():
            _check_golds(field, name, artifacts)


def _check_tasks(options: EvalOptions, artifacts: Mapping[str, Artifact]) -> None:
    from pellucid.eval.run import check_names
    from pellucid.eval.tasks import items_of
    from pellucid.flow.stores import stores_of

    check_names(options)
    stores = stores_of(artifacts)
    for name, task in sorted(options.asking.items()):
        if task.source in stores:
            items_of(options, stores, name)


def _warn_cut(recipe: Recipe, artifacts: Mapping[str, Artifact]) -> None:
    from pellucid.flow.replies import too_long

    if found := too_long(recipe, artifacts):
        say(f"note: {found}")


def _check_golds(field: str, name: str, artifacts: Mapping[str, Artifact]) -> None:
    from pellucid.flow.stores import store_of
    from pellucid.store import read_mix

    mix = artifacts.get(f"mix.{name}")
    if mix is None:
        return
    stores = store_of(artifacts)
    if not any(stores.get(row.id).answer for row in read_mix(mix.path).rows):
        rule, fix = "has no record with a gold answer", "take records that have one"
        raise UserError(Problem(field, name, rule, fix))
