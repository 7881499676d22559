"""Best-fit-decreasing packing under two budgets: tokens and image patches.

Pure and deterministic. Leaves out on purpose: splitting an example (nothing is ever cut), and
padding (a pack is exactly as long as what it holds).
"""

from collections.abc import Sequence

import numpy as np

Pack = tuple[int, ...]
"""Indices of the examples that share one sequence, ascending."""


def pack(
    tokens: Sequence[int], patches: Sequence[int], max_tokens: int, max_patches: int
) -> list[Pack]:
    """Deal examples to as few packs as best-fit-decreasing finds.

    The largest example (the greater of its two budget shares) goes first, into the open pack that
    it leaves fullest; ties go to the earlier example and the earlier pack.

    Args:
        tokens: length of each example.
        patches: image patches of each example; 0 for text only.
        max_tokens: most tokens in a pack.
        max_patches: most patches in a pack.

    Returns:
        The packs, by their first-placed (largest) example.

    Four examples, ten tokens a pack: 7 opens a pack, 6 a second, 4 fits exactly beside 6 and 3
    exactly beside 7. Where 7 brings 4 patches and 3 brings 2, and five are allowed, 3 goes to the
    second pack and leaves no room for 4 there:

    >>> pack([3, 7, 4, 6], [0, 0, 0, 0], max_tokens=10, max_patches=5)
    [(0, 1), (2, 3)]
    >>> pack([3, 7, 4, 6], [2, 4, 0, 0], max_tokens=10, max_patches=5)
    [(1,), (0, 3), (2,)]
    """
    sizes = np.array([tokens, patches], dtype=np.int64).T.reshape(-1, 2)
    budgets = np.array([max_tokens, max_patches], dtype=np.int64)
    assert (sizes <= budgets).all(), "an example over budget reached the packer"
    shares = sizes * budgets[::-1]  # exact integers in place of tokens / max_tokens
    by_size = np.argsort(-shares.max(axis=1, initial=0), kind="stable")
    left = np.zeros_like(sizes)
    packs: list[list[int]] = []
    for index in by_size:
        after = left[: len(packs)] - sizes[index]
        room = (after * budgets[::-1]).sum(axis=1)
        room[(after < 0).any(axis=1)] = np.iinfo(np.int64).max
        best = int(room.argmin()) if len(packs) else 0
        if not packs or (after[best] < 0).any():
            best = len(packs)
            packs.append([])
            left[best] = budgets
        left[best] -= sizes[index]
        packs[best].append(int(index))
    return [tuple(sorted(one)) for one in packs]


def occupancy(used_tokens: int, packs: int, max_tokens: int) -> float:
    """Share of the token budget of `packs` packs that holds tokens.

    >>> occupancy(15, packs=2, max_tokens=10)
    0.75
    """
    return used_tokens / (packs * max_tokens)
