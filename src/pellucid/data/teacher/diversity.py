"""How different answers are: the share of word trigrams that two of them do not share.

Cheap and without a model: it sees other words, not other ideas. Used to choose which answers to one
question are kept, and told in the label.
"""

from collections.abc import Sequence
from itertools import combinations


def distance(one: str, two: str) -> float:
    """0 for texts of the same word trigrams, 1 for texts that share none.

    >>> distance("a b c d", "a b c e")
    0.6666666666666667
    """
    first, second = _trigrams(one), _trigrams(two)
    both = len(first | second)
    return 1.0 - len(first & second) / both if both else 0.0


def diversity(texts: Sequence[str]) -> float | None:
    """Mean distance of all pairs; None for fewer than two texts."""
    pairs = [distance(one, two) for one, two in combinations(texts, 2)]
    return sum(pairs) / len(pairs) if pairs else None


def spread(texts: Sequence[str], most: int | None) -> list[int]:
    """Places of up to `most` texts, each as far from those before it as can be.

    The first text is always in; equal texts are taken once. In the order of their places.
    """
    left = [place for place, text in enumerate(texts) if text not in texts[:place]]
    chosen = left[:1]
    while left and len(chosen) < min(len(left), most or len(left)):
        rest = [place for place in left if place not in chosen]
        far = max(
            rest,
            key=lambda place: (min(distance(texts[place], texts[one]) for one in chosen), -place),
        )
        chosen.append(far)
    return sorted(chosen)


def _trigrams(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    if len(words) < 3:
        return {tuple(words)} if words else set()
    return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}
