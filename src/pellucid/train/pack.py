"""Packing under two budgets, tokens and image patches: best fit decreasing, bettered where it can.

Best fit decreasing leaves a little room in most packs where no example is short. Where it needs
more packs than the tokens alone would, each pack is filled anew, as full as any choice of examples
makes it (subset sums, as in the minimum-bin-slack rule of Gupta and Ho, 1999); fewer packs win.

Pure and deterministic. Leaves out on purpose: splitting an example (nothing is ever cut), and
padding (a pack is exactly as long as what it holds).
"""

from collections.abc import Iterator, Sequence

import numpy as np

Pack = tuple[int, ...]
"""Indices of the examples that share one sequence, ascending."""


def pack(
    tokens: Sequence[int], patches: Sequence[int], max_tokens: int, max_patches: int
) -> list[Pack]:
    """Deal examples to few packs.

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

    Best-fit-decreasing puts 5 beside 4, where nothing fits any more, and needs three packs here:

    >>> pack([5, 4, 3, 3, 3, 2], [0] * 6, max_tokens=10, max_patches=5)
    [(0, 2, 5), (1, 3, 4)]
    """
    found = _best_fit(tokens, patches, max_tokens, max_patches)
    least = -(-sum(map(int, tokens)) // max_tokens)
    if len(found) > least:
        filled = _filled(tokens, patches, max_tokens, max_patches)
        if filled is not None and len(filled) < len(found):
            return filled
    return found


def _best_fit(
    tokens: Sequence[int], patches: Sequence[int], max_tokens: int, max_patches: int
) -> list[Pack]:
    """The largest example first, into the open pack that it leaves fullest.

    The largest has the greater of its two budget shares; ties go to the earlier example and pack.
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


def _filled(
    tokens: Sequence[int], patches: Sequence[int], max_tokens: int, max_patches: int
) -> list[Pack] | None:
    """One pack after the other: the longest example that is left, and those that fill it best.

    None where a pack so filled has too many patches.
    """
    left = sorted(range(len(tokens)), key=lambda index: (-int(tokens[index]), index))
    packs: list[Pack] = []
    while left:
        first, rest = left[0], left[1:]
        room = max_tokens - int(tokens[first])
        chosen = {first, *_fullest([int(tokens[at]) for at in rest], rest, room)}
        if sum(int(patches[at]) for at in chosen) > max_patches:
            return None
        packs.append(tuple(sorted(chosen)))
        left = [at for at in left if at not in chosen]
    return packs


def _fullest(lengths: list[int], names: list[int], room: int) -> Iterator[int]:
    """Names of a choice of lengths with the largest sum that fits; long ones before short ones.

    Bit `n` of a number stands for the sum `n`: after each length, the sums that can be made.
    """
    mask, sums = (1 << (room + 1)) - 1, [1]
    for length in lengths:
        sums.append(sums[-1] | (sums[-1] << length) & mask)
        if sums[-1] >> room:
            break  # filled to the last token
    total = sums[-1].bit_length() - 1
    for at in range(len(sums) - 1, 0, -1):
        if not sums[at - 1] >> total & 1:  # it cannot be made without this one
            yield names[at - 1]
            total -= lengths[at - 1]


def occupancy(used_tokens: int, packs: int, max_tokens: int) -> float:
    """Share of the token budget of `packs` packs that holds tokens.

    >>> occupancy(15, packs=2, max_tokens=10)
    0.75
    """
    return used_tokens / (packs * max_tokens)
