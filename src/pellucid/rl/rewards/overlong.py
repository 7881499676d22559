"""Soft over-long penalty (arXiv 2503.14476, equation 13).

0 up to max - buffer generated tokens, then linear to -1 at max; its weight is the recipe's
`factor`. The paper's third case (longer than max) cannot occur: generation stops at max.
"""

from pellucid.base.hashing import hash_json
from pellucid.recipe.rl import Rewards
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score

VERSION = 1


def overlong(rollout: Rollout, evidence: Evidence, options: Rewards) -> Score:
    """The penalty in [-1, 0]; unscored when the recipe has none."""
    shape = options.overlong
    if shape is None:
        return Score("unscored", None, "overlong", _hash(0, 0), why="not in the recipe")
    longest, length = evidence.max_new_tokens, len(rollout.token_ids)
    assert 0 < shape.buffer_tokens <= longest, f"buffer {shape.buffer_tokens} of {longest} tokens"
    excess = length - (longest - shape.buffer_tokens)
    value = -min(max(excess, 0), shape.buffer_tokens) / shape.buffer_tokens
    return Score(
        "scored",
        value,
        "overlong",
        _hash(shape.buffer_tokens, longest),
        why=f"{length} of {longest} tokens, buffer {shape.buffer_tokens}",
    )


def _hash(buffer_tokens: int, longest: int) -> str:
    return hash_json(
        {
            "scorer": "overlong",
            "version": VERSION,
            "buffer_tokens": buffer_tokens,
            "max_new_tokens": longest,
        }
    )
