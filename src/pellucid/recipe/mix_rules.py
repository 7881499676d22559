"""Rules of mixes: what a query asks can be asked.

Leaves out on purpose: whether the records allow it, which is seen when the mix is made.
"""

from collections.abc import Iterator

from pellucid.base.errors import Problem
from pellucid.base.lookup import unknown
from pellucid.recipe.mix import Mix, Where
from pellucid.recipe.recipe import Recipe

ROUNDING = 0.005
"""How far the shares of a whole mix may be from 1: published percentages are rounded."""


def mixes(recipe: Recipe) -> Iterator[Problem]:
    """Shares fit together; an order reaches someone who keeps to it."""
    for name, mix in recipe.data.mixes.items():
        yield from _shares(f"data.mixes.{name}", mix)
        yield from _own_labels(recipe, f"data.mixes.{name}", mix)
    asked = recipe.data.mixes.get(recipe.rl.mix) if recipe.rl else None
    if recipe.rl and asked and asked.order:
        rule = "feeds rl.mix, which asks its prompts in an order of its own"
        fix = "leave it out, or choose prompts with rl.pass_rate"
        yield Problem(f"data.mixes.{recipe.rl.mix}.order", asked.order.by, rule, fix)


def _own_labels(recipe: Recipe, at: str, mix: Mix) -> Iterator[Problem]:
    """Labels that operators of the recipe make have version 1 and the columns that they give."""
    asked = [
        (f"{here}.where.{index}", where.label, (where.column, where.best))
        for here, wheres in _wheres(at, mix)
        for index, where in enumerate(wheres)
    ]
    if mix.order and mix.order.label:
        asked.append((f"{at}.order", mix.order.label, (mix.order.column or "", None)))
    for place, label, columns in asked:
        name, _, version = label.partition("@")
        if (op := recipe.data.ops.get(name)) is None:
            continue
        if version != "1":
            rule = f"is made by data.ops.{name}, whose label is {name}@1"
            yield Problem(f"{place}.label", label, rule, "name that one")
        for column in columns:
            if column is not None and column not in op.gives:
                yield unknown(f"{place}.column", column, op.gives)


def _wheres(at: str, mix: Mix) -> Iterator[tuple[str, tuple[Where, ...]]]:
    """Conditions by their place in the recipe."""
    yield at, mix.where or ()
    for index, take in enumerate(mix.take):
        yield f"{at}.take.{index}", take.where or ()


def _shares(at: str, mix: Mix) -> Iterator[Problem]:
    shared = [take for take in mix.take if take.share is not None]
    for index, take in enumerate(mix.take):
        here = f"{at}.take.{index}"
        if take.share is not None and take.count is not None:
            given = {"share": take.share, "count": take.count}
            yield Problem(here, given, "says twice how many records", "leave one of them out")
        elif shared and take.share is None and take.count is None:
            rule = "takes all there is, which leaves the shares of the others nothing to refer to"
            yield Problem(f"{here}.count", None, rule, "give it a count or a share")
        if any(where.keep for where in take.where or ()):
            rule = "keeps one of a cluster in the whole mix, not in one ingredient"
            yield Problem(f"{here}.where", "keep", rule, f"move it to {at}.where")
        if take.max_repeat is not None and take.share is None:
            rule = "bounds what a share may repeat, and there is no share"
            yield Problem(f"{here}.max_repeat", take.max_repeat, rule, "use repeat")
        elif take.max_repeat is not None and take.max_repeat < take.repeat:
            rule = f"is under {here}.repeat={take.repeat}"
            yield Problem(f"{here}.max_repeat", take.max_repeat, rule, "raise it")
    if not shared:
        if mix.total is not None:
            rule = "deals out shares, and no ingredient has one"
            yield Problem(f"{at}.total", mix.total, rule, "give shares, or use count")
        return
    whole = sum(take.share or 0 for take in mix.take)
    counted = len(shared) < len(mix.take)
    if counted and whole >= 1:
        rule = "leave nothing for the ingredients with a count"
        yield Problem(f"{at}.take: share", round(whole, 6), rule, "lower them below 1 together")
    elif not counted and abs(whole - 1) > ROUNDING:
        right = ", ".join(f"{(take.share or 0) / whole:.4g}" for take in mix.take)
        rule = f"adds up to {whole:.4g}, not to 1"
        yield Problem(f"{at}.take: share", round(whole, 6), rule, f"set {right}")
