"""Rollouts as a generator would return them."""

from collections.abc import Callable

import pytest

from pellucid.schema.record import Mode
from pellucid.schema.rollout import FinishReason, Outcome, Rollout

Make = Callable[..., Rollout]


@pytest.fixture
def rollout() -> Make:
    def make(
        answer: str | None = None,
        outcome: Outcome = "answered",
        mode: Mode = "auto",
        chosen: Mode | None = "nothink",
        finish_reason: FinishReason = "stop",
        text: str = "",
    ) -> Rollout:
        return Rollout(
            request_id="1",
            mode=mode,
            chosen=chosen,
            prompt_hash="p",
            prompt_tokens=3,
            token_ids=(1, 2),
            logprobs=(0.0, 0.0),
            text=text or (answer or ""),
            thinking=None,
            answer=answer,
            outcome=outcome,
            finish_reason=finish_reason,
            thinking_tokens=0,
        )

    return make
