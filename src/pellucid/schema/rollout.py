"""A request to a generator and the rollout (one generated answer) that comes back."""

from dataclasses import dataclass
from typing import Literal

from pellucid.schema.record import Mode, Turn

Outcome = Literal["answered", "truncated", "malformed", "failed"]
FinishReason = Literal["stop", "length", "cancelled", "error"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a generator is asked."""

    id: str
    """Unique within one call; comes back on the rollout."""
    messages: tuple[Turn, ...]
    """The conversation, ending with a user turn."""
    images: tuple[bytes, ...]
    """Encoded image files, in the order that the parts index."""
    mode: Mode = "auto"
    """`think` and `nothink` prefill the mode token; `auto` lets the model choose."""
    max_new_tokens: int = 256
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    seed: int = 0
    group: str = ""
    """Requests with equal non-empty group have equal prompts, so the prefill may be shared."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One generated answer. A failed or truncated rollout is data, not an exception."""

    request_id: str
    mode: Mode
    """The mode that was asked for."""
    chosen: Mode | None
    """The mode that the text shows: `think`, `nothink`, or None when it opened with neither."""
    prompt_hash: str
    """Hash of the rendered prompt ids and the images."""
    prompt_tokens: int
    token_ids: tuple[int, ...]
    """Generated ids, the end token included when it was sampled; a prefilled mode token is not."""
    logprobs: tuple[float, ...]
    """Log-probability of each generated id under softmax(logits), that is at temperature 1, over
    the ids that may be generated (image placeholders and padding may not)."""
    text: str
    """Everything generated, control tokens spelt out, a prefilled mode token included."""
    thinking: str | None
    answer: str | None
    """None unless `outcome` is `answered`: truncated thinking is never an answer."""
    outcome: Outcome
    finish_reason: FinishReason
    thinking_tokens: int
    latency_s: float = 0.0
    """Wall-clock from request to last token; kept apart from what is compared bit by bit."""
    error: str = ""
    drawn_logprobs: tuple[float, ...] = ()
    """Log-probability of each generated id under softmax(logits / temperature), which is what a
    policy ratio needs; equal to `logprobs` at temperature 1. Empty when greedy or not known."""
