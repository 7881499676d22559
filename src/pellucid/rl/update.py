"""One optimizer step on some groups of a rollout batch, and the line it leaves in the log.

The loss is divided by the rollouts of the whole update that count, after every mask; packs of any
size give the same gradient. Groups are never split over updates.

The first update of a batch runs on the weights that generated it, so its ratios must be 1 up to
rounding: `logprob_gap` is that self-check, and in float32 a large one stops the run, because it
would mean that engine and trainer do not compute the same model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.rl import RlOptions
from pellucid.rl.objectives import OBJECTIVES
from pellucid.rl.policy import Policy
from pellucid.rl.rollout import Sample
from pellucid.train.optim import Norms, Optimizers
from pellucid.train.schedule import factor

LARGEST_GAP = 1e-3
"""Mean gap of log-probabilities, in nats, that float32 arithmetic cannot explain."""


class Place(NamedTuple):
    """Where an update stands."""

    step: int
    """From 0, over the whole job."""
    batch: int
    first: bool
    """Whether the weights are still those that generated the batch."""
    total: int
    """Updates of the whole job."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the micro-batches of an update had to say, end to end."""

    loss: float
    gaps: Float[Tensor, " t"]
    """New minus old log-probability of each token."""
    ratios: Float[Tensor, " s"]
    clipped: Bool[Tensor, " s"]


def update(
    place: Place,
    samples: Sequence[Sample],
    options: RlOptions,
    policy: Policy,
    optimizers: Optimizers,
    dtype: str,
) -> dict[str, Any]:
    """Learn from some groups; without a rollout that counts, nothing moves.

    Returns:
        The line of the log.

    Raises:
        UserError: loss or gradient are not finite; nothing was updated.
    """
    counted = [sample for sample in samples if sample.advantage is not None]
    optimizers.zero()
    gathered = _backward(counted, options, policy)
    gap = float(gathered.gaps.abs().mean()) if counted else 0.0
    if place.first and dtype == "float32":
        assert gap < LARGEST_GAP, f"engine and trainer differ by {gap} nats per token"
    norms = optimizers.clip(options.clip_norm)
    if not (math.isfinite(gathered.loss) and math.isfinite(norms.total)):
        raise UserError(_not_finite(place, gathered.loss, norms))
    rates = optimizers.set_factor(factor(options.schedule, place.step, place.total))
    optimizers.step()
    line = {
        "step": place.step,
        "batch": place.batch,
        "first": place.first,
        "loss": gathered.loss,
        **_outcomes(samples),
        **_movement(gathered, len(counted)),
        "grad_norm": norms.total,
        "grad_norm_by_module": norms.by_module,
        "lr": rates,
    }
    return {**line, "logprob_gap": gap} if place.first else line


def _backward(counted: Sequence[Sample], options: RlOptions, policy: Policy) -> Gathered:
    """Sum the gradients of all packs."""
    objective = OBJECTIVES[options.objective.kind]
    losses, gaps, ratios, clipped = [], [torch.zeros(0)], [torch.zeros(0)], [torch.zeros(0).bool()]
    for row in policy.packs(counted):
        new = policy.logprobs(row)
        old = new.new_tensor([value for one in row for value in one.drawn_logprobs])
        advantages = new.new_tensor([one.advantage for one in row])
        lengths = [len(one.ids) for one in row]
        piece = objective(new, old, lengths, advantages, len(counted), options.objective)
        if piece.loss.requires_grad:  # not when only tower or projector learn and no image is here
            piece.loss.backward()
        losses.append(float(piece.loss.detach()))
        gaps.append((new.detach() - old).cpu())
        ratios.append(piece.ratios.cpu())
        clipped.append(piece.clipped.cpu())
    return Gathered(fsum(losses), torch.cat(gaps), torch.cat(ratios), torch.cat(clipped))


def _outcomes(samples: Sequence[Sample]) -> dict[str, Any]:
    """How the rollouts did, those that do not count included."""
    groups = {sample.prompt: sample.signal for sample in samples}
    lengths = [len(sample.ids) for sample in samples]
    return {
        "reward": _mean([one.reward for one in samples if one.reward is not None]),
        "scores": {name: _mean(values) for name, values in _by_term(samples).items()},
        "rollouts": len(samples),
        "not_counted": sum(one.advantage is None for one in samples),
        "failed": sum(one.outcome == "failed" for one in samples),
        "truncated": _mean([float(one.outcome == "truncated") for one in samples]),
        "malformed": _mean([float(one.outcome == "malformed") for one in samples]),
        "groups": len(groups),
        "zero_variance_groups": sum(not signal for signal in groups.values()),
        "tokens": sum(lengths),
        "length": _mean(lengths),
        "longest": max(lengths),
        "entropy": _entropy(samples),
    }


def _movement(gathered: Gathered, counted: int) -> dict[str, Any]:
    """How far the policy has moved from the one that generated."""
    if not counted:
        return {"clipped": None, "ratio": None, "kl": None}
    ratios, gaps = gathered.ratios.double(), gathered.gaps.double()
    return {
        "clipped": float(gathered.clipped.sum()) / counted,
        "ratio": {
            "min": float(ratios.min()),
            "mean": float(ratios.mean()),
            "max": float(ratios.max()),
        },
        # exp(d) - 1 - d with d = log new - log old, under the old policy: never negative.
        "kl": float((gaps.expm1() - gaps).mean()),
    }


def _by_term(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """The scored values of each term; an unscored one is in none."""
    found: dict[str, list[float]] = {}
    for sample in samples:
        for name, score in sample.scores.items():
            values = found.setdefault(name, [])
            if score["value"] is not None:
                values.append(score["value"])
    return found


def _entropy(samples: Sequence[Sample]) -> float | None:
    """Minus the mean log-probability of what was drawn: an unbiased estimate, in nats per token."""
    drawn = [value for sample in samples for value in sample.drawn_logprobs]
    mean = _mean(drawn)
    return None if mean is None else -mean


def _mean(values: Sequence[int | float]) -> float | None:
    return fsum(values) / len(values) if values else None


def _not_finite(place: Place, loss: float, norms: Norms) -> Problem:
    rule = f"is not finite at update {place.step} of {place.total} (gradient norm {norms.total})"
    return Problem("rl.loss", loss, rule, "lower the rates, or use dtype float32")
