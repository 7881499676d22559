"""What every objective owes: closed form, split invariance, silence without signal."""

import math
from typing import get_args

import pytest
import torch

from pellucid.recipe import rl as recipe
from pellucid.rl.objectives import OBJECTIVES, Piece

LENGTHS = (1, 2, 4, 3)
ADVANTAGES = (1.0, -1.0, 0.5, -0.5)


def default_options(kind: str) -> recipe.Objective:
    return {"gspo": recipe.Gspo()}[kind]


def logprobs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    old = -torch.rand(sum(LENGTHS), dtype=torch.float64, generator=generator)
    new = old + 1e-4 * torch.randn(sum(LENGTHS), dtype=torch.float64, generator=generator)
    return new.requires_grad_(), old


def run(kind: str, new: torch.Tensor, old: torch.Tensor, advantages: tuple[float, ...]) -> Piece:
    weights = torch.tensor(advantages, dtype=torch.float64)
    return OBJECTIVES[kind](new, old, LENGTHS, weights, len(LENGTHS), default_options(kind))


def test_every_objective_of_the_recipe_is_in_the_table() -> None:
    # A union of one member is that member, without union arguments.
    union = get_args(recipe.Objective)[0]
    kinds = {member.model_fields["kind"].default for member in (get_args(union) or (union,))}
    assert kinds == set(OBJECTIVES)


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_a_group_without_signal_gives_exactly_zero_gradient(kind: str) -> None:
    new, old = logprobs()
    run(kind, new, old, (0.0, 0.0, 0.0, 0.0)).loss.backward()
    assert torch.equal(new.grad, torch.zeros_like(new))


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_pieces_add_up_however_the_rollouts_are_split(kind: str) -> None:
    new, old = logprobs()
    whole = run(kind, new, old, ADVANTAGES)
    (gradient,) = torch.autograd.grad(whole.loss, new)
    for cut in (1, 2, 3):
        at = sum(LENGTHS[:cut])
        loss = torch.zeros((), dtype=torch.float64)
        for rows, tokens in (
            (slice(0, cut), slice(0, at)),
            (slice(cut, None), slice(at, None)),
        ):
            loss = (
                loss
                + OBJECTIVES[kind](
                    new[tokens],
                    old[tokens],
                    LENGTHS[rows],
                    torch.tensor(ADVANTAGES[rows], dtype=torch.float64),
                    len(LENGTHS),
                    default_options(kind),
                ).loss
            )
        torch.testing.assert_close(loss, whole.loss, rtol=1e-12, atol=1e-15)
        (split,) = torch.autograd.grad(loss, new)
        torch.testing.assert_close(split, gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_the_first_update_on_fresh_rollouts_never_clips(kind: str) -> None:
    _, old = logprobs()
    piece = run(kind, old.clone().requires_grad_(), old, ADVANTAGES)
    assert not piece.clipped.any()
    assert torch.equal(piece.ratios, torch.ones(4, dtype=torch.float64))


def test_gspo_on_four_rollouts_by_hand() -> None:
    # clip_low 3e-4, clip_high 4e-4; mean gaps per rollout:
    #   1: A = +1,   gap 1e-3              s = e^0.001  > 1.0004  -> clipped at 1.0004
    #   2: A = -1,   gaps (2e-4, 4e-4)     mean 3e-4; s A is the smaller branch -> free
    #   3: A = +0.5, gaps (-4e-3, 0, 0, 0) mean -1e-3; min takes s A (below 1 - low) -> free
    #   4: A = -0.5, gaps (-3e-3, 0, 0)    mean -1e-3; s < 0.9997 -> clipped at 0.9997
    gaps = [1e-3, 2e-4, 4e-4, -4e-3, 0.0, 0.0, 0.0, -3e-3, 0.0, 0.0]
    old = torch.linspace(-2, -1, 10, dtype=torch.float64)
    new = (old + torch.tensor(gaps, dtype=torch.float64)).requires_grad_()
    piece = run("gspo", new, old, ADVANTAGES)
    terms = [1.0004, -math.exp(3e-4), 0.5 * math.exp(-1e-3), -0.5 * 0.9997]
    assert piece.loss.item() == pytest.approx(-sum(terms) / 4, rel=1e-12)
    assert piece.clipped.tolist() == [True, False, False, True]
    expected = [math.exp(1e-3), math.exp(3e-4), math.exp(-1e-3), math.exp(-1e-3)]
    assert piece.ratios.tolist() == pytest.approx(expected, rel=1e-12)

    # d loss / d new_t = - A_i s_i / (|y_i| N) for a free rollout, 0 for a clipped one.
    piece.loss.backward()
    second, third = math.exp(3e-4) / (2 * 4), -0.5 * math.exp(-1e-3) / (4 * 4)
    by_hand = [0.0, second, second, third, third, third, third, 0.0, 0.0, 0.0]
    assert new.grad.tolist() == pytest.approx(by_hand, rel=1e-9, abs=1e-18)


def test_gspo_weighs_answers_equally_whatever_their_length() -> None:
    # Two fresh rollouts of 1 and 9 tokens with A = 1: each answer's gradient sums to -1/2.
    old = torch.zeros(10, dtype=torch.float64)
    new = old.clone().requires_grad_()
    ones = torch.ones(2, dtype=torch.float64)
    OBJECTIVES["gspo"](new, old, (1, 9), ones, 2, recipe.Gspo()).loss.backward()
    assert new.grad[0].item() == pytest.approx(-0.5)
    assert new.grad[1:].tolist() == pytest.approx([-0.5 / 9] * 9)


def test_gspo_divides_by_the_update_and_not_by_the_micro_batch() -> None:
    old = torch.zeros(2, dtype=torch.float64)
    ones = torch.ones(2, dtype=torch.float64)
    loss = OBJECTIVES["gspo"](old, old, (1, 1), ones, 8, recipe.Gspo()).loss
    assert loss.item() == pytest.approx(-2 / 8)
