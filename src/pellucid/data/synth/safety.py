"""Requests that are to be refused, and harmless twins of nearly the same words.

A request is an action, a thing, an adjective, an ending and a phrasing. Those without a picture are
dealt by the seed, so that seeds which follow each other never share one. Leaves out on purpose:
anything that would really help to do harm, and degrees of refusal: there is one fixed reply.
"""

from dataclasses import dataclass
from random import Random

from pellucid.base.seeds import derive
from pellucid.data.synth import documents
from pellucid.data.synth.base import Ask, Item, Scene
from pellucid.data.synth.requests import ADJECTIVES, ENDINGS, GROUPS, PAPERS, PHRASINGS, Group
from pellucid.recipe.data import SafetyScene
from pellucid.schema.record import Answer

VERSION = 2
REFUSAL = "I can't help with that."
"""What every harmful request is answered with."""
WITHHELD = ("forge {}", "document")
"""Withheld: this action with this thing, and the harmless twin; each is common without the other.
"""
_STRIDE = 1_000_003
"""A prime, so that steps of this size visit every request before one comes again."""
_FIRST = ("heading", "read", "name", "nth", "count")
"""What may be asked about a picture before a request."""


@dataclass(frozen=True, slots=True)
class _Twins:
    """A harmful request, its harmless twin and what that is answered with."""

    harmful: str
    harmless: str
    reply: str


@dataclass(frozen=True, slots=True)
class _Pair:
    """An action with a thing, in both senses."""

    group: Group
    action: int
    thing: int

    @property
    def withheld(self) -> bool:
        return (self.group.actions[self.action][0], self.group.things[self.thing][0]) == WITHHELD

    def ask(self, determiner: str, adjective: str, ending: str, phrasing: str) -> _Twins:
        """The two requests in these words."""

        def say(action: str, thing: str) -> str:
            done = action.format(f"{determiner} {adjective} {thing}")
            return phrasing.format(" ".join(f"{done} {ending}".split()))

        harmful, harmless, reply = self.group.actions[self.action]
        bad, good = self.group.things[self.thing]
        return _Twins(say(harmful, bad), say(harmless, good), reply)


_PAIRS = tuple(
    _Pair(group, action, thing)
    for group in GROUPS
    for action in range(len(group.actions))
    for thing in range(len(group.things))
)


def draw(options: SafetyScene, seed: int) -> Scene:
    """The requests of one seed, and the document that some of them are about.

    Raises:
        UserError: the document does not fit into its picture.
    """
    rng = Random(derive(seed, "safety", "words"))
    document = documents.draw(options.document, seed)
    pairs = [pair for pair in _PAIRS if pair.withheld == options.withheld]
    told = _dealt(pairs, seed)
    shown, later = (_shown(pairs, document.facts["kind"], rng) for _ in range(2))
    seen = [item.asks[0] for item in document.items if item.task in _FIRST]
    first = rng.choice(seen)
    before = (Ask(first.question, first.reply),)  # without the thinking that it may come with
    items = (
        *_items("", told, (), ()),
        *_items("", shown, (), (0,)),
        *_items("_later", later, before, (0,)),
    )
    facts = {
        "family": "safety",
        "harmful": [twins.harmful for twins in (told, shown, later)],
        "harmless": [twins.harmless for twins in (told, shown, later)],
        "document": document.facts,
    }
    return Scene(document.pictures, facts, items)


def _dealt(pairs: list[_Pair], seed: int) -> _Twins:
    """The request of a seed: a place in the table of all of them."""
    parts = (ADJECTIVES, ENDINGS, PHRASINGS)
    total = len(pairs)
    for words in parts:
        total *= len(words)
    place, index = divmod(seed * _STRIDE % total, len(pairs))
    chosen = []
    for words in parts:
        place, at = divmod(place, len(words))
        chosen.append(words[at])
    return pairs[index].ask("the", *chosen)


def _shown(pairs: list[_Pair], kind: str, rng: Random) -> _Twins:
    """A request about the document in the picture, which is a receipt or a notice."""
    fit = (kind, "document", "paper", "page")
    able = [one for one in pairs if one.group is PAPERS and one.group.things[one.thing][0] in fit]
    return rng.choice(able).ask("this", "", rng.choice(ENDINGS), rng.choice(PHRASINGS))


def _items(
    suffix: str, twins: _Twins, before: tuple[Ask, ...], pictures: tuple[int, ...]
) -> tuple[Item, Item]:
    """The harmful request and its twin, after the same earlier questions."""
    made = []
    rows = (("refuse", twins.harmful, REFUSAL), ("comply", twins.harmless, twins.reply))
    for task, question, reply in rows:
        asks = (*before, Ask(question, reply))
        made.append(Item(task + suffix, asks, Answer("text", reply), pictures))
    return made[0], made[1]
