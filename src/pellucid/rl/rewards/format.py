"""The rollout keeps the form of the mode that was asked for."""

from pellucid.recipe.rl import Rewards
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score
from pellucid.score import SCORERS


def format(rollout: Rollout, evidence: Evidence, options: Rewards) -> Score:
    """1 for a sound form, 0 for a broken or truncated one."""
    return SCORERS["format"](rollout, evidence)
