"""Reward terms and their sum, by hand."""

import pytest

from pellucid.base.errors import UserError
from pellucid.recipe.rl import Overlong, Rewards
from pellucid.rl.rewards import TERMS, reward
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.rollout import Outcome, Rollout

EVIDENCE = Evidence(Answer("number", "7"), {}, max_new_tokens=10)


def said(answer: str | None, length: int = 3, outcome: Outcome = "answered") -> Rollout:
    return Rollout(
        request_id="r",
        mode="nothink",
        chosen="nothink",
        prompt_hash="",
        prompt_tokens=4,
        token_ids=(5,) * length,
        logprobs=(-1.0,) * length,
        text=f"<nothink>{answer}",
        thinking=None,
        answer=answer,
        outcome=outcome,
        finish_reason="length" if outcome == "truncated" else "stop",
        thinking_tokens=0,
    )


def test_accuracy_and_format_with_their_weights() -> None:
    weights = Rewards(accuracy=0.9, format=0.1)
    assert reward(said("7"), EVIDENCE, weights).total == pytest.approx(1.0)
    assert reward(said("8"), EVIDENCE, weights).total == pytest.approx(0.1)
    assert reward(said(None, outcome="malformed"), EVIDENCE, weights).total == 0.0


def test_a_truncated_rollout_is_scored_zero_and_a_failed_one_does_not_count() -> None:
    cut = reward(said(None, 10, "truncated"), EVIDENCE, Rewards())
    assert cut.total == 0.0 and cut.scores["accuracy"].status == "scored"
    failed = reward(said(None, 0, "failed"), EVIDENCE, Rewards())
    assert failed.total is None and failed.paid is None


def test_failure_never_counts_even_where_nothing_needs_the_answer() -> None:
    options = Rewards(accuracy=0, format=0, length=1.0)
    assert reward(said(None, 4, "failed"), EVIDENCE, options).total is None


def test_an_unscored_term_is_not_zero() -> None:
    nobody_knows = Evidence(Answer("number", "seven"), {}, 10)
    found = reward(said("7"), nobody_knows, Rewards())
    assert found.scores["accuracy"].status == "unscored" and found.total is None
    # At weight 0 the term is told, and does not decide whether the rollout counts.
    free = reward(said("7"), nobody_knows, Rewards(accuracy=0, format=1.0))
    assert free.scores["accuracy"].status == "unscored" and free.total == 1.0


@pytest.mark.parametrize(
    ("length", "penalty"), [(1, 0.0), (6, 0.0), (7, -0.25), (9, -0.75), (10, -1.0)]
)
def test_the_over_long_penalty_by_hand(length: int, penalty: float) -> None:
    # max 10, buffer 4: nothing up to 6 tokens, then a quarter for each token more.
    options = Rewards(overlong=Overlong(buffer_tokens=4, factor=0.5))
    assert TERMS["overlong"](said("7", length), EVIDENCE, options).value == penalty
    found = reward(said("7", length), EVIDENCE, options)
    assert found.shaping == pytest.approx(0.5 * penalty)
    assert found.paid == pytest.approx(1.0)
    assert found.total == pytest.approx(1.0 + 0.5 * penalty)


def test_length_pays_for_the_share_of_the_budget() -> None:
    options = Rewards(accuracy=0, format=0, length=2.0)
    assert reward(said("8", 4), EVIDENCE, options).total == pytest.approx(2.0 * 4 / 10)
    assert "length" not in reward(said("8", 4), EVIDENCE, Rewards()).scores


def test_every_score_names_the_scorer_and_its_hash() -> None:
    options = Rewards(length=0.1, overlong=Overlong(buffer_tokens=4))
    scores = reward(said("7"), EVIDENCE, options).scores
    assert scores.keys() == TERMS.keys()
    assert scores["accuracy"].scorer == "number"
    assert all(len(score.scorer_hash) == 64 for score in scores.values())
    other = Rewards(length=0.1, overlong=Overlong(buffer_tokens=5))
    assert reward(said("7"), EVIDENCE, other).scores["overlong"].scorer_hash not in {
        score.scorer_hash for score in scores.values()
    }


def test_a_reward_that_pays_nothing_is_refused() -> None:
    options = Rewards(accuracy=0, format=0, overlong=Overlong(buffer_tokens=4))
    with pytest.raises(UserError, match=r"rl\.rewards=.* pays for nothing"):
        reward(said("7"), EVIDENCE, options)
