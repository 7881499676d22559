"""The rules that every scorer shares, and its identity."""

import pytest

from pellucid.base.errors import UserError
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.score import KINDS, SCORERS, scorer_for, scorer_hash
from pellucid.score.base import AnswerScorer, Judgement


def test_gold_first_then_failure_then_form(rollout) -> None:
    check = SCORERS["number"]
    gold = Evidence(Answer("number", "3"))
    assert check(rollout("3"), gold).value == 1.0
    assert check(rollout("3"), Evidence(None)).status == "unscored"
    assert check(rollout(None, "truncated"), Evidence(None)).status == "unscored"
    assert check(rollout(None, "failed"), gold).status == "unscored"
    cut = check(rollout(None, "truncated", text="<think> 3"), gold)
    assert (cut.status, cut.value, cut.extracted) == ("scored", 0.0, None)
    assert "truncated" in cut.why
    assert check(rollout(None, "malformed"), gold).value == 0.0


def test_an_empty_answer_is_wrong_and_an_unreadable_gold_unscored(rollout) -> None:
    check = SCORERS["number"]
    silent = check(rollout(" \n"), Evidence(Answer("number", "3")))
    assert (silent.status, silent.value, silent.why) == ("scored", 0.0, "the answer is empty")
    score = check(rollout("3"), Evidence(Answer("number", "many")))
    assert score.status == "unscored" and "many" in score.why


def test_kinds_lead_to_scorers_and_unknown_kinds_are_refused() -> None:
    assert {name for name in KINDS.values()} == set(SCORERS) - {"format"}
    assert scorer_for(Answer("point", "[0, 0, 1, 1]"))[0] == "box"
    with pytest.raises(UserError, match="has no scorer"):
        scorer_for(Answer("json", "{}"))


def test_the_hash_follows_name_version_and_options() -> None:
    def judge(text: str, gold: Answer) -> Judgement:
        return Judgement(True, text, "")

    base = AnswerScorer("number", 1, lambda: {"a": 1}, judge)
    same = AnswerScorer("number", 1, lambda: {"a": 1}, judge)
    others = [
        AnswerScorer("text", 1, lambda: {"a": 1}, judge),
        AnswerScorer("number", 2, lambda: {"a": 1}, judge),
        AnswerScorer("number", 1, lambda: {"a": 2}, judge),
    ]
    assert base.hash == same.hash
    assert len({base.hash, *(other.hash for other in others)}) == 4
    hashes = [scorer_hash(name) for name in SCORERS]
    assert len(set(hashes)) == len(SCORERS)
    with pytest.raises(UserError, match="did you mean 'number'"):
        scorer_hash("numbr")
