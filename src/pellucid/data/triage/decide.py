"""From error rates to classes and a consequence: which rule of the policy fires, and how surely.

A pure function of rates, category and policy. Leaves out on purpose: where the rates come from,
automatic signals or a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.data.triage.interval import Estimate
from pellucid.recipe.triage import (
    CLASSES,
    Category,
    Consequence,
    Limits,
    Rule,
    SetClass,
    Suspicion,
    TriageOptions,
)

GENERAL = "general"
"""Category of sets of which no label says more."""
DEFAULT_RULE = "nothing_wrong"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a set."""

    classes: tuple[SetClass, ...]
    """`excellent`, or all that are present."""
    consequence: Consequence
    rule: str
    """Name of the rule that fired."""
    sure: bool
    """Whether every rate that lies inside its interval would give the same consequence."""


def category(name: str, options: TriageOptions) -> Category:
    """The category of that name.

    Raises:
        UserError: there is none.
    """
    if name == GENERAL:
        return options.other
    if name not in options.categories:
        fix = did_you_mean(name, [*options.categories, GENERAL])
        raise UserError(Problem("category", name, "is not known", fix))
    return options.categories[name]


def decide(
    rates: Mapping[Suspicion, Estimate], category_name: str, options: TriageOptions
) -> Decision:
    """Classes and consequence of a set.

    Args:
        rates: the rate of each of the four faults.
        category_name: a name in `options.categories`, or `general`.
        options: the policy.

    Raises:
        UserError: there is no such category.
    """
    expected = category(category_name, options)
    limits = {name: _limits(expected, name) for name in CLASSES}
    levels = {name: _level(rates[name].rate, rates[name].low, limits[name]) for name in CLASSES}
    present: tuple[SetClass, ...] = tuple(name for name in CLASSES if levels[name])
    rule = _first(options.rules, levels)
    lowest = {name: _level(rates[name].low, rates[name].low, limits[name]) for name in CLASSES}
    highest = {name: _level(rates[name].high, rates[name].high, limits[name]) for name in CLASSES}
    then = rule.then if rule else "keep"
    # Each fault alone at either end of its interval, the others as they were estimated.
    others = {
        found.then if (found := _first(options.rules, {**levels, name: end[name]})) else "keep"
        for end in (lowest, highest)
        for name in CLASSES
    }
    return Decision(
        present or ("excellent",), then, rule.name if rule else DEFAULT_RULE, others == {then}
    )


def _limits(expected: Category, name: Suspicion) -> Limits:
    found: Limits = getattr(expected, name)
    return found


def _level(rate: float, low: float, limits: Limits) -> int:
    """0 absent, 1 present, 2 severe. Severe needs the interval's lower end: it cannot be undone."""
    if low >= limits.severe:
        return 2
    return int(rate >= limits.present)


def _first(rules: tuple[Rule, ...], levels: Mapping[Suspicion, int]) -> Rule | None:
    return next((rule for rule in rules if _holds(rule, levels)), None)


def _holds(rule: Rule, levels: Mapping[Suspicion, int]) -> bool:
    return (
        all(levels[name] == 2 for name in rule.severe)
        and all(levels[name] >= 1 for name in rule.present)
        and all(levels[name] == 0 for name in rule.absent)
    )
