"""Rules of RL's prompts: a range that holds something, and a probe on records that nobody learns.

Leaves out on purpose: what only the model can tell (how many prompts have the pass rate asked for).
"""

from collections.abc import Iterator

from pellucid.base.errors import Problem
from pellucid.recipe import held_out
from pellucid.recipe.recipe import Recipe
from pellucid.recipe.rl import Rewards, RlOptions


def prompts(recipe: Recipe, options: RlOptions) -> Iterator[Problem]:
    """Prompts can be chosen, and the probe shares no record with what is learnt from."""
    yield from _pass_rate(options)
    for name in sorted(options.rewards.own.keys() & Rewards.model_fields.keys()):
        rule = "is the name of a shipped term"
        yield Problem("rl.rewards.own", name, rule, "give it another name")
    probe = options.probe
    if probe is None or not {probe.mix, options.mix} <= recipe.data.mixes.keys():
        return
    yield from held_out.problems(recipe, "rl.probe", probe.mix)


def _pass_rate(options: RlOptions) -> Iterator[Problem]:
    chosen = options.pass_rate
    if chosen is None:
        return
    if chosen.low > chosen.high:
        rule = f"exceeds rl.pass_rate.high={chosen.high}"
        fix = "lower the first or raise the second"
        yield Problem("rl.pass_rate.low", chosen.low, rule, fix)
    if chosen.prompts < options.prompts_per_batch:
        rule = f"is fewer than rl.prompts_per_batch={options.prompts_per_batch}"
        yield Problem("rl.pass_rate.prompts", chosen.prompts, rule, "raise it")
