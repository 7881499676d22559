"""The answer is right by the scorer of its kind. A record without gold is unscored."""

from pellucid.recipe.rl import Rewards
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score
from pellucid.score import scorer_for


def accuracy(rollout: Rollout, evidence: Evidence, options: Rewards) -> Score:
    """The score of the final answer, in [0, 1]."""
    if evidence.answer is None:
        return Score("unscored", None, "accuracy", "", why="no gold answer")
    _, scorer = scorer_for(evidence.answer)
    return scorer(rollout, evidence)
