"""Three splits, dealt by group, and the check that nothing crosses them.

A group (a scene seed, a picture, what shares a picture) is dealt by a hash of the seed and the
group's name: adding, removing or reordering other rows moves nothing. Leaves out on purpose:
near duplicates; the check here is exact on (pixel hashes, question, gold).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, final

from pellucid.base.seeds import derive
from pellucid.recipe.rows import SplitShares
from pellucid.schema.record import SPLITS, Split
from pellucid.store import Store


def deal(seed: int, group: str, shares: SplitShares) -> Split:
    """The split of a group: a point in [0, 1) against the shares, test first.

    >>> deal(0, "a", SplitShares(validation=0, test=0.999999))
    'test'
    """
    point = derive(seed, "split", group) / 2**63
    if point < shares.test:
        return "test"
    return "validation" if point < shares.test + shares.validation else "train"


@final
class Groups:
    """Joins names into groups: what shares a name, directly or through others, is one group."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, names: Sequence[str]) -> None:
        """Put all `names` into one group."""
        roots = [self.root(name) for name in names]
        least = min(roots)
        for root in roots:
            self._parent[root] = least

    def root(self, name: str) -> str:
        """The group of a name: its least name, whatever the order of the joins."""
        parent = self._parent.setdefault(name, name)
        while parent != self._parent[parent]:
            parent = self._parent[parent]
        self._parent[name] = parent
        return parent


class Key(NamedTuple):
    """What two records share when one gives the other away; case and spacing do not count."""

    pixels: tuple[str, ...]
    """Hashes of the pixels of all images, in order."""
    question: str
    """All that the user says."""
    gold: str
    """The gold; the last reply when there is no gold answer."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """One (pixel hashes, question, gold) that stands in more than one split."""

    question: str
    gold: str
    ids: tuple[tuple[Split, str], ...]
    """Split and id of every record that has it, sorted."""


@lru_cache(maxsize=64)
def content_keys(store: Store) -> Mapping[Split, Mapping[str, Key]]:
    """The key of every record by split and record id; without reading what keys leave out.

    A store is read once: its files never change, and every mix of a run asks for all of them.
    """
    found: dict[Split, dict[str, Key]] = {split: {} for split in SPLITS}
    for one in store.asked():
        pixels = tuple(store.pixel_hash(sha256) for sha256 in one.images)
        found[one.split][one.id] = Key(pixels, plain(one.question), plain(one.gold))
    return found


def overlaps(stores: Iterable[Store]) -> list[Overlap]:
    """Every key that stands in more than one split, over all stores; empty when sound."""
    found: dict[Key, set[tuple[Split, str]]] = {}
    for store in stores:
        for split, by_id in content_keys(store).items():
            for id, key in by_id.items():
                found.setdefault(key, set()).add((split, id))
    crossing = [
        Overlap(key.question, key.gold, tuple(sorted(ids)))
        for key, ids in found.items()
        if len({split for split, _ in ids}) > 1
    ]
    return sorted(crossing, key=lambda overlap: overlap.ids)


def plain(text: str) -> str:
    """A text without what does not count: case and spacing.

    >>> plain(" How  MANY? ")
    'how many?'
    """
    return " ".join(text.casefold().split())
