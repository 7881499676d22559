"""What an importer takes for a gold answer, its scorer can read: every gold accepts itself."""

import pytest

from pellucid.data.llava import parse_answer
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.score import scorer_for

GOLDS = [
    {"kind": "number", "gold": 7},
    {"kind": "number", "gold": "-1e3"},
    {"kind": "choice", "gold": "B", "aliases": ["the blue one"]},
    {"kind": "text", "gold": "Total due"},
    {"kind": "box", "gold": [0.1, 0.2, 0.5, 0.9]},
    {"kind": "point", "gold": [0.1, 0.2, 0.5, 0.9]},
    {"kind": "expression", "gold": "2x + 1"},
]


@pytest.mark.parametrize("value", GOLDS, ids=lambda value: value["kind"])
def test_an_imported_gold_is_scored_right_by_its_own_text(value: dict[str, object]) -> None:
    answer = parse_answer(value)
    rollout = Rollout(
        request_id="1", mode="nothink", chosen="nothink", prompt_hash="", prompt_tokens=1,
        token_ids=(), logprobs=(), text=answer.gold, thinking=None, answer=answer.gold,
        outcome="answered", finish_reason="stop", thinking_tokens=0,
    )  # fmt: skip
    _, scorer = scorer_for(answer)
    score = scorer(rollout, Evidence(answer))
    assert (score.status, score.value) == ("scored", 1.0), score.why
