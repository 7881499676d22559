"""Collation by hand."""

import numpy as np
import pytest

from pellucid.model.processor import Example
from pellucid.train.batch import collate


def example(ids: list[int], supervised: str, grid: tuple[int, int] | None = None) -> Example:
    """`supervised` marks targets with x."""
    count = grid[0] * grid[1] if grid else 0
    return Example(
        ids=np.array(ids, dtype=np.int64),
        supervised=np.array([mark == "x" for mark in supervised]),
        patches=np.full((count, 3), ids[0], dtype=np.float32),
        grids=np.array([grid] if grid else [], dtype=np.int64).reshape(-1, 2),
    )


def test_a_position_predicts_the_next_token_of_its_own_example() -> None:
    """In a b c | d e, c is seen from position 1, e from 3; position 2 would see d, a stranger."""
    batch = collate([example([10, 11, 12], "..x", (1, 2)), example([20, 21], ".x", (2, 1))], "cpu")
    assert batch.input_ids.tolist() == [[10, 11, 12, 20, 21]]
    assert batch.segments == (3, 2)
    assert batch.sources.tolist() == [1, 3]
    assert batch.targets.tolist() == [12, 21]
    assert batch.owners.tolist() == [0, 1]
    assert batch.grids.tolist() == [[1, 2], [2, 1]]
    assert batch.patches[:, 0].tolist() == [10, 10, 20, 20]


def test_several_targets_keep_their_order() -> None:
    batch = collate([example([1, 2, 3, 4], ".x.x"), example([5, 6], ".x")], "cpu")
    assert batch.sources.tolist() == [0, 2, 4]
    assert batch.targets.tolist() == [2, 4, 6]
    assert batch.owners.tolist() == [0, 0, 1]
    assert batch.patches.shape == (0, 3)
    assert batch.grids.shape == (0, 2)


def test_a_supervised_first_token_is_an_invariant() -> None:
    """Shifted blindly, it would be predicted by the last token of the example before it."""
    with pytest.raises(AssertionError, match="first token"):
        collate([example([1, 2], ".x"), example([3, 4], "xx")], "cpu")
