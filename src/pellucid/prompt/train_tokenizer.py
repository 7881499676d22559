"""Trains the shipped tokenizer from the text beside it; the same text gives the same bytes.

    python -m pellucid.prompt.train_tokenizer

Words keep the space before them, digits stand alone, and marks between numbers take the spaces on
both sides ("3 + 4" is "3", " + ", "4"), so that sums are cheap and every digit is seen.

Leaves out on purpose: characters beyond printable ASCII and newline; they become their bytes.
"""

import json
from collections.abc import Iterable, Iterator

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from pellucid.base.paths import ASSETS, write_text
from pellucid.prompt.format import PELLUCID
from pellucid.prompt.tokenizer import BYTES

FOLDER = ASSETS / "tokenizer"
SIZE = 2048
CONTROLS = 32
"""Ids kept for control strings; those without a name yet are reserved."""
ROLES = ("system", "user", "assistant")

_ALPHABET = ["\n", *(chr(code) for code in range(32, 127))]
_PIECES = "|".join(
    (
        r" ?\p{L}+(?:'\p{L}+)*",  # a word, with its apostrophes
        r"\p{N}",  # one digit
        r" ?[^\s\p{L}\p{N}]+(?: (?=\p{N}))?",  # marks, and the space between them and a digit
        r"\n+",
        r"\s+(?=\s\S)",  # spaces, but for the last, which belongs to what follows
        r"\s",
    )
)
_WEIGHT = 1000
"""How often each role name and each drawn word is read; enough to make it one entry."""


def controls() -> list[str]:
    """The control strings by id: those of the format, then reserved ones."""
    named = list(PELLUCID.controls)
    return named + [f"<|reserved_{number}|>" for number in range(CONTROLS - len(named))]


def corpus_lines() -> Iterator[str]:
    """The text that the tokenizer learns from, the words that scenes draw, and the role names."""
    for name in ("scenes.txt", "english.txt"):
        with (FOLDER / "corpus" / name).open(encoding="utf-8") as file:
            yield from file
    words = (FOLDER / "corpus" / "words.txt").read_text(encoding="utf-8").splitlines()
    for word in (*words, *ROLES):
        yield from [word] * _WEIGHT


def train(lines: Iterable[str]) -> str:
    """A `tokenizers` file.

    Args:
        lines: text to learn from; the order does not matter.
    """
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        show_progress=False,
        special_tokens=[AddedToken(name, special=True) for name in (*controls(), *BYTES)],
        initial_alphabet=_ALPHABET,
        limit_alphabet=len(_ALPHABET),
    )
    tokenizer.train_from_iterator(lines, trainer)
    tree = json.loads(tokenizer.to_str())
    # Byte entries belong to the model alone: as added tokens they would be found in text.
    tree["added_tokens"] = tree["added_tokens"][:CONTROLS]
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write `tokenizer.json`."""
    write_text(FOLDER / "tokenizer.json", train(corpus_lines()))


if __name__ == "__main__":
    main()
