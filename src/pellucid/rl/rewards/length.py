"""Pays for length alone: the share of the budget that was used.

A deliberately bad reward. It exists so that a run can show what a gate does with a model that was
paid for the wrong thing.
"""

from pellucid.base.hashing import hash_json
from pellucid.recipe.rl import Rewards
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score

VERSION = 1


def length(rollout: Rollout, evidence: Evidence, options: Rewards) -> Score:
    """Generated tokens over `max_new_tokens`, in [0, 1]."""
    used, budget = len(rollout.token_ids), evidence.max_new_tokens
    return Score(
        "scored",
        min(used / budget, 1.0),
        "length",
        hash_json({"scorer": "length", "version": VERSION, "max_new_tokens": budget}),
        why=f"{used} of {budget} tokens",
    )
