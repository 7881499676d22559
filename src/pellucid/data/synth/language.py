"""Writes the language of the scenes, as text for the tokenizer to learn from.

    python -m pellucid.data.synth.language

Everything that is said of the scenes of some seeds: captions, questions, steps and answers. These
seeds are far from those that recipes use, and no model is trained on this text. What was written is
frozen with the tokenizer: writing it again gives every token another id, and no checkpoint from
before fits. A test says when the scenes' language has moved too far from it.
"""

from collections.abc import Iterator
from itertools import chain

from pellucid.base.paths import ASSETS, write_text
from pellucid.data.synth import FAMILIES
from pellucid.data.synth.charts import COLOURS, LABELS, TITLES
from pellucid.data.synth.documents import HEADINGS
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.recipe.data import ScenesSource

FILE = ASSETS / "tokenizer" / "corpus" / "scenes.txt"
DRAWN = FILE.with_name("words.txt")
FIRST_SEED = 2**40
SILENT = {"lists", "pages"}
"""Words and numbers that others say too."""
REPEATED = "statements"
"""What these say, questions and answers say too."""
SCENES = 40
"""Scenes told of each family."""


def scene_text() -> str:
    """All that is said, a blank line after each scene; the same text on every machine."""
    told = [
        "\n".join(_lines(family, FIRST_SEED + number)) + "\n"
        for family in sorted(set(FAMILIES) - SILENT)
        for number in range(SCENES)
    ]
    return "\n".join(told)


def _lines(family: str, seed: int) -> Iterator[str]:
    """What is said of one scene, each text once."""
    options = ScenesSource.model_validate(
        {"kind": "scenes", "scene": {"kind": family}, "scenes": 1}
    )
    scene = FAMILIES[family].draw(options.scene, seed)
    asks = [ask for item in scene.items if item.task != REPEATED for ask in item.asks]
    said = [text for ask in asks for text in (ask.question, ask.reasoning, ask.reply) if text]
    yield from dict.fromkeys(said)


def drawn_words() -> str:
    """Every word that a picture can show, one to a line, each after the space that texts put there.

    A word that is one token is looked up and copied in one step.
    """
    shown = chain(WORDS, COMMANDS, *LABELS, TITLES, *HEADINGS.values(), COLOURS)
    return "".join(f" {word}\n" for word in sorted(set(shown)))


def main() -> None:
    """Write `scenes.txt` and `words.txt`."""
    write_text(FILE, scene_text())
    write_text(DRAWN, drawn_words())


if __name__ == "__main__":
    main()
