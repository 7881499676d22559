"""The rule of mixes that only measure: validation records, of sources whose own nobody learns."""

from collections.abc import Iterator

from pellucid.base.errors import Problem
from pellucid.recipe.recipe import Recipe


def problems(recipe: Recipe, reader: str, mix: str) -> Iterator[Problem]:
    """What stands against measuring with a mix.

    Args:
        recipe: the whole recipe.
        reader: the field that measures, e.g. `rl.probe`.
        mix: name of the mix; one that is not there is no problem of this rule.
    """
    learnt = {stage.mix for stage in recipe.train.stages} | (
        {recipe.rl.mix} if recipe.rl else set()
    )
    known = {
        take.source: name
        for name in sorted(learnt & recipe.data.mixes.keys())
        for take in recipe.data.mixes[name].take
        if take.split == "validation"
    }
    takes = recipe.data.mixes[mix].take if mix in recipe.data.mixes else ()
    for index, take in enumerate(takes):
        at = f"data.mixes.{mix}.take.{index}"
        if take.split != "validation":
            rule = f"feeds {reader}, which must ask what is not trained on"
            yield Problem(f"{at}.split", take.split, rule, "set validation")
        elif take.source in known:
            name = known[take.source]
            rule = f"feeds {reader}, and data.mixes.{name} trains on validation records of it"
            fix = f"let data.mixes.{name} take its train split"
            yield Problem(f"{at}.source", take.source, rule, fix)


def stages(recipe: Recipe) -> Iterator[Problem]:
    """Every stage that validates does so on what is not trained on."""
    for index, stage in enumerate(recipe.train.stages):
        if stage.validation:
            yield from problems(recipe, f"train.stages.{index}.validation", stage.validation.mix)
