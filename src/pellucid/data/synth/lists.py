"""Lists of names and numbers without a picture: say which goes with which, in another order.

What looking things up is learnt from. A question has one thing to find in a hundred tokens; a list
that is said again in another order has one in every five (docs/LOG.md). Leaves out on purpose:
sentences, pictures, and anything that has to be worked out.
"""

from dataclasses import dataclass
from random import Random

from pellucid.base.seeds import derive
from pellucid.data.synth.base import Ask, Item, Scene, draw_data
from pellucid.data.synth.charts import COLOURS, LABELS
from pellucid.data.synth.documents import WITHHELD_DIGIT
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.recipe.data import ListsScene

VERSION = 2

_SHORT = tuple(sorted({*COLOURS, *(label for row in LABELS for label in row)}))


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    number: str


def draw(options: ListsScene, seed: int) -> Scene:
    """The list of one seed.

    Raises:
        UserError: the options leave no room for lists without the withheld combination.
    """
    pairs = draw_data("lists", seed, options.withheld, lambda rng: _data(options, rng), _holds)
    listed = ", ".join(f"{pair.name} {pair.number}" for pair in pairs) + "."
    rng = Random(derive(seed, "lists", "words"))
    facts = {"family": "lists", "pairs": [[pair.name, pair.number] for pair in pairs]}
    return Scene((), facts, (_again(pairs, listed, rng), _quiz(pairs, listed, rng)))


def _data(options: ListsScene, rng: Random) -> tuple[_Pair, ...]:
    """Pairs of which no two share a name or a number."""
    count = rng.randint(options.min_pairs, options.max_pairs)
    names: dict[str, None] = {}
    numbers: dict[str, None] = {}
    while len(names) < count:
        names[_name(rng)] = None
    while len(numbers) < count:
        numbers[_number(rng)] = None
    return tuple(_Pair(*pair) for pair in zip(names, numbers, strict=True))


def _name(rng: Random) -> str:
    """A word or two, what a button says, a label or a colour."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(WORDS)
    if kind == 1:
        return " ".join(rng.sample(WORDS, 2))
    if kind == 2:
        return rng.choice(COMMANDS)
    return rng.choice(_SHORT)


def _number(rng: Random) -> str:
    """A whole number or a price."""
    if rng.random() < 0.5:
        return str(rng.randint(1, 99))
    return f"{rng.choice((0, 0, rng.randint(1, 9)))}.{rng.randrange(100):02d}"


def _holds(pairs: tuple[_Pair, ...]) -> bool:
    """Whether a list has the combination that is withheld in documents: two words, this end."""
    return any(" " in pair.name and pair.number.endswith(WITHHELD_DIGIT) for pair in pairs)


def _turned(pairs: tuple[_Pair, ...], rng: Random) -> list[tuple[str, str]]:
    """What is named and what goes with it, in any order; as often the number as the name."""
    ways = [way for pair in pairs for way in ((pair.name, pair.number), (pair.number, pair.name))]
    rng.shuffle(ways)
    return ways


def _again(pairs: tuple[_Pair, ...], listed: str, rng: Random) -> Item:
    said = " ".join(f"{given} is {other}." for given, other in _turned(pairs, rng))
    question = rng.choice(("Say the list in another order.", "Say what goes with what."))
    return Item("again", (Ask(f"{listed}\n{question}", said),), None, pictures=())


def _quiz(pairs: tuple[_Pair, ...], listed: str, rng: Random) -> Item:
    (first, answer), *rest = _turned(pairs, rng)
    asks = (
        Ask(f"{listed}\nWhat goes with {first}?", answer),
        *(Ask(f"What goes with {given}?", other) for given, other in rest),
    )
    return Item("quiz", asks, None, pictures=())
