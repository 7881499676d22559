"""Draws depend on (seed, position, logits) alone; log-probabilities are the full softmax's."""

import math
from collections import Counter

import pytest
import torch

from pellucid.infer.sampling import Drawn, draw, forbid, uniform

ODDS = torch.tensor([0.5, 0.25, 0.15, 0.1])


def rows(count: int, odds: torch.Tensor = ODDS) -> torch.Tensor:
    return odds.log().repeat(count, 1)


def column(count: int, value: float) -> torch.Tensor:
    return torch.full((count,), value, dtype=torch.float64)


def draws(count: int, temperature: float, top_p: float, odds: torch.Tensor = ODDS) -> Drawn:
    numbers = torch.tensor([uniform(seed, 0) for seed in range(count)], dtype=torch.float64)
    return draw(rows(count, odds), column(count, temperature), column(count, top_p), numbers)


def test_the_inverse_of_the_cumulative_distribution_by_hand() -> None:
    # cumulative 0.5, 0.75, 0.9, 1.0
    numbers = torch.tensor([0.0, 0.4999, 0.5001, 0.7499, 0.7501, 0.8999, 0.9001, 1 - 2**-52])
    drawn = draw(rows(8), column(8, 1.0), column(8, 1.0), numbers.double())
    assert drawn.tokens.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    for token, logprob in zip(drawn.tokens.tolist(), drawn.logprobs.tolist(), strict=True):
        assert logprob == pytest.approx(math.log(ODDS[token]), abs=1e-6)


def test_greedy_takes_the_first_maximum_and_needs_no_randomness() -> None:
    logits = torch.tensor([[0.0, 2.0, 2.0, 1.0], [3.0, 0.0, 0.0, 0.0]])
    first = draw(logits, column(2, 0.0), column(2, 1.0), column(2, 0.1))
    second = draw(logits, column(2, 0.0), column(2, 1.0), column(2, 0.9))
    assert first.tokens.tolist() == second.tokens.tolist() == [1, 0]
    assert first.logprobs[1].item() == pytest.approx(3 - math.log(math.exp(3) + 3), abs=1e-9)


def test_frequencies_follow_the_tempered_distribution() -> None:
    count = 20_000
    for temperature in (1.0, 0.5):
        powers = [odds ** (1 / temperature) for odds in ODDS.tolist()]
        expected = [power / sum(powers) for power in powers]
        seen = Counter(draws(count, temperature, 1.0).tokens.tolist())
        for token, share in enumerate(expected):
            error = 4 * math.sqrt(share * (1 - share) / count)
            assert abs(seen[token] / count - share) < error, (temperature, token)


def test_logprobs_at_temperature_one_and_under_the_drawing_distribution() -> None:
    # softmax(log p / 0.5) is p^2 / sum p^2 = p^2 / 0.345
    drawn = draws(50, 0.5, 1.0)
    for token, plain, tempered in zip(*(part.tolist() for part in drawn), strict=True):
        odds = ODDS[token].item()
        assert plain == pytest.approx(math.log(odds), abs=1e-6)
        assert tempered == pytest.approx(math.log(odds**2 / 0.345), abs=1e-6)
    same = draws(50, 1.0, 1.0)
    assert torch.equal(same.logprobs, same.drawn_logprobs)


def test_top_p_draws_from_the_smallest_sufficient_set() -> None:
    # 0.5 alone is under 0.6, 0.5 + 0.25 is over it: tokens 0 and 1, at 2 : 1.
    seen = Counter(draws(9_000, 1.0, 0.6).tokens.tolist())
    assert set(seen) == {0, 1}
    assert abs(seen[0] / 9_000 - 2 / 3) < 0.02
    assert set(draws(500, 1.0, 0.5).tokens.tolist()) == {0}


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(16, 500, generator=generator) * 3
    temperature = torch.tensor([0.0, 0.7, 1.0, 1.3] * 4, dtype=torch.float64)
    top_p = torch.tensor([1.0, 1.0, 1.0, 0.5] * 4, dtype=torch.float64)
    numbers = torch.tensor([uniform(9, row) for row in range(16)], dtype=torch.float64)
    together = draw(logits, temperature, top_p, numbers)
    order = torch.randperm(16, generator=generator)
    moved = draw(logits[order], temperature[order], top_p[order], numbers[order])
    for before, after in zip(together, moved, strict=True):
        assert torch.equal(before[order], after)
    for row in range(16):
        cut = slice(row, row + 1)
        alone = draw(logits[cut], temperature[cut], top_p[cut], numbers[cut])
        for before, after in zip(together, alone, strict=True):
            assert torch.equal(before[cut], after)


def test_uniform_is_a_function_of_seed_and_position() -> None:
    numbers = [uniform(seed, position) for seed in range(40) for position in range(40)]
    assert len(set(numbers)) == 1600
    assert all(0 <= number < 1 for number in numbers)
    assert abs(sum(numbers) / 1600 - 0.5) < 0.03


def test_forbidden_tokens_are_never_drawn_and_leave_the_normalisation() -> None:
    logits = forbid(rows(2000), torch.tensor([0]))
    numbers = torch.tensor([uniform(seed, 1) for seed in range(2000)], dtype=torch.float64)
    drawn = draw(logits, column(2000, 1.0), column(2000, 1.0), numbers)
    assert 0 not in drawn.tokens.tolist()
    first = drawn.tokens.tolist().index(1)
    assert drawn.logprobs[first].item() == pytest.approx(math.log(0.25 / 0.5), abs=1e-6)
    assert forbid(rows(1), torch.tensor([0])).argmax().item() == 1
