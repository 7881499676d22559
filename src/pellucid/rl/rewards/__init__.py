"""The reward of a rollout: weighted terms over scores, and one penalty near the length limit.

    paid     accuracy, format, length and the user's own, each with its weight from the recipe
    shaping  overlong

Terms that cost nothing to know (accuracy, format) are scored and logged even at weight 0.
"""

from collections.abc import Mapping

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.rl import Rewards
from pellucid.rl.rewards.accuracy import accuracy
from pellucid.rl.rewards.base import Reward, Term
from pellucid.rl.rewards.format import format
from pellucid.rl.rewards.length import length
from pellucid.rl.rewards.overlong import overlong
from pellucid.rl.rewards.own import own_hashes, own_terms
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout

TERMS: Mapping[str, Term] = {
    "accuracy": accuracy,
    "format": format,
    "length": length,
    "overlong": overlong,
}

__all__ = ["TERMS", "Reward", "Term", "own_hashes", "own_terms", "reward", "weights"]


def weights(options: Rewards) -> dict[str, float]:
    """What each paid term is multiplied with.

    Raises:
        UserError: nothing is paid, so no group could ever have a signal.
    """
    found = {"accuracy": options.accuracy, "format": options.format, "length": options.length}
    found |= {name: own.weight for name, own in options.own.items()}
    if not any(found.values()):
        fix = "give accuracy, format, length or a term of your own a weight"
        raise UserError(Problem("rl.rewards", found, "pays for nothing", fix))
    return found


def reward(
    rollout: Rollout, evidence: Evidence, options: Rewards, own: Mapping[str, Term] | None = None
) -> Reward:
    """Score a rollout by every term and add up what it is paid; `own` are the user's terms.

    >>> from pellucid.schema.record import Answer
    >>> said = Rollout("r", "nothink", "nothink", "", 3, (5, 2), (-1.0, -1.0), "<nothink>7",
    ...     None, "7", "answered", "stop", 0)
    >>> evidence = Evidence(Answer("number", "7"), {}, max_new_tokens=8)
    >>> reward(said, evidence, Rewards(accuracy=0.9, format=0.1)).total
    1.0
    """
    paying = weights(options)
    shown = [name for name in paying if paying[name] or name != "length"]
    terms = {**TERMS, **(own or {})}
    scores = {name: terms[name](rollout, evidence, options) for name in shown}
    if options.overlong:
        scores["overlong"] = TERMS["overlong"](rollout, evidence, options)
    values = [
        None if score.value is None else paying[name] * score.value
        for name, score in scores.items()
        if paying.get(name)
    ]
    counts = rollout.outcome != "failed" and None not in values
    penalty = scores["overlong"].value if options.overlong else None
    return Reward(
        scores=scores,
        paid=sum(value for value in values if value is not None) if counts else None,
        shaping=options.overlong.factor * (penalty or 0.0) if options.overlong else 0.0,
    )
