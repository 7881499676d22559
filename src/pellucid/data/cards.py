"""Data cards: what is known of rows that are not here yet; counts alone, and who says so."""

from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import did_you_mean
from pellucid.base.paths import resolve
from pellucid.recipe.base import Options


class Part(Options):
    """Rows that are counted together."""

    records: int = Field(ge=1)
    """How many are trained on: what is held out is not among them."""
    tokens: int | None = Field(None, ge=1)
    """Of all of them, images included; absent where nobody said."""
    patches: int | None = Field(None, ge=0)
    """Image patches of all of them; absent where nobody said."""
    datasets: dict[str, tuple[str, ...]] = {}
    """Names of what they came from, by kind."""


class Card(Options):
    """A card."""

    name: str
    """What it speaks of."""
    source: str
    """Who says so."""
    parts: dict[str, Part]
    """Rows by part."""


def read_part(reference: str) -> Part:
    """A part of a card.

    Args:
        reference: `file.yaml:part`.

    Raises:
        UserError: there is no such part, or the file is no card.
        DiskError: the file cannot be read.
    """
    file, _, part = reference.rpartition(":")
    if not file or not part:
        rule, fix = "names no file and part", "write file.yaml:part"
        raise UserError(Problem("card", reference, rule, fix))
    path = resolve(file)
    with boundary("reading the data card"):
        source = path.read_bytes()
    try:
        card = Card.model_validate(yaml.safe_load(source))
    except (yaml.YAMLError, ValidationError) as error:
        told = " ".join(str(error).split())[:200]
        fix = "see assets/cards for two that are"
        raise UserError(Problem("card", str(path), f"is no data card: {told}", fix)) from error
    if part not in card.parts:
        rule = f"has no part {part!r}"
        raise UserError(Problem("card", str(path), rule, did_you_mean(part, card.parts)))
    return card.parts[part]


def is_there(path: str, function: bool = False) -> bool:
    """Whether the rows of a source are here: a file, or that of a function, `file.py:name`."""
    return Path(resolve(path.rpartition(":")[0] if function else path)).exists()
