"""Pick the next token of every slot, and say how probable it was.

A drawn token is a function of (request seed, position, logits) and of nothing else: the randomness
is one uniform number hashed from (seed, position) and turned into a token by the inverse of the
cumulative distribution, row by row. No generator state exists that a neighbour could advance.
Arithmetic is float64, so the cumulative sum of a large vocabulary keeps its small terms.

Left out on purpose: top-k, min-p, repetition penalties, beams. Truncated sampling biases the
ratios of reinforcement learning, and nothing here needs them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pellucid.base.seeds import derive
from pellucid.prompt.render import Renderer


class Drawn(NamedTuple):
    """The next token of every slot."""

    tokens: Int[Tensor, " slots"]
    logprobs: Float[Tensor, " slots"]
    """Of each token under softmax(logits), that is at temperature 1."""
    drawn_logprobs: Float[Tensor, " slots"]
    """Of each token under softmax(logits / temperature), before any top-p; what a policy
    ratio needs. Equal to `logprobs` at temperature 1; meaningless for a greedy row."""


def uniform(seed: int, position: int) -> float:
    """The random number in [0, 1) that draws the token at `position` (0 is the first generated).

    52 bits, so that `uniform * total` is below `total` in float64 for every total.

    >>> uniform(3, 0) == uniform(3, 0), uniform(3, 0) == uniform(3, 1)
    (True, False)
    """
    return (derive(seed, "token", position) >> 11) / 2**52


def banned(renderer: Renderer, vocabulary: int) -> list[int]:
    """Ids that are never generated: image placeholder, padding, and rows without a token.

    Args:
        renderer: knows the tokens.
        vocabulary: rows of the model's head, which may be more than there are tokens.
    """
    never = {renderer.image_id, renderer.pad_id}
    return [id_ for id_ in range(vocabulary) if id_ in never or not renderer.tokenizer.knows(id_)]


def forbid(logits: Float[Tensor, "slots v"], never: Int[Tensor, " b"]) -> Float[Tensor, "slots v"]:
    """Logits with the tokens that may never be generated at minus infinity.

    A trainer that compares its log-probabilities with those of rollouts applies the same.
    """
    return logits.index_fill(-1, never, float("-inf"))


def draw(
    logits: Float[Tensor, "slots v"],
    temperature: Float[Tensor, " slots"],
    top_p: Float[Tensor, " slots"],
    uniforms: Float[Tensor, " slots"],
) -> Drawn:
    """One token per row; temperature 0 is greedy (the first of equal maxima).

    Args:
        logits: next-token logits, banned tokens at minus infinity (see `forbid`).
        temperature: at least 0.
        top_p: share of the probability that may be drawn from, in (0, 1]; 1 is all of it.
        uniforms: one number in [0, 1) per row (see `uniform`); not read for greedy rows.
    """
    # Apple's backend has no float64.
    wide = (logits.cpu() if logits.device.type == "mps" else logits).double()
    temperature, top_p, uniforms = (
        column.to(wide.device, torch.float64) for column in (temperature, top_p, uniforms)
    )
    greedy = temperature == 0
    # What is skipped here for all rows at once would change no bit of any row.
    tokens, plain = wide.argmax(-1), wide.log_softmax(-1)
    tempered = plain
    if not bool(greedy.all()):
        divisor = torch.where(greedy, 1.0, temperature)
        if bool((divisor != 1).any()):
            tempered = (wide / divisor[:, None]).log_softmax(-1)
        tokens = torch.where(greedy, tokens, _invert(tempered.exp(), top_p, uniforms))
    return Drawn(
        tokens,
        plain.gather(-1, tokens[:, None])[:, 0],
        tempered.gather(-1, tokens[:, None])[:, 0],
    )


def _invert(
    probabilities: Float[Tensor, "slots v"],
    top_p: Float[Tensor, " slots"],
    uniforms: Float[Tensor, " slots"],
) -> Int[Tensor, " slots"]:
    """The token at which the cumulative probability passes the uniform number."""
    if bool((top_p < 1).any()):
        probabilities = probabilities * _nucleus(probabilities, top_p)
    cumulative = probabilities.cumsum(-1)
    target = uniforms * cumulative[:, -1]
    # With NaN no comparison holds; the caller sees the log-probability and fails.
    return (cumulative <= target[:, None]).sum(-1).clamp(max=probabilities.shape[-1] - 1)


def _nucleus(
    probabilities: Float[Tensor, "slots v"], top_p: Float[Tensor, " slots"]
) -> Bool[Tensor, "slots v"]:
    """The smallest set of most probable tokens that holds `top_p` of the probability.

    A row with top_p = 1 keeps everything exactly, whatever its neighbours ask.
    """
    ordered, index = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    kept = (before < top_p[:, None]) | (top_p >= 1)[:, None]
    return torch.zeros_like(kept).scatter(-1, index, kept)
