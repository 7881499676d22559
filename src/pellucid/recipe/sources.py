"""The sources of a recipe without the rest of it: what makes stores again.

A file may be a whole recipe, or only its `seed` and `data.sources`, as `pellucid data publish`
writes it.
"""

from pydantic import Field, ValidationError

from pellucid.base.errors import UserError
from pellucid.recipe.base import Options
from pellucid.recipe.data import SourceOptions
from pellucid.recipe.explain import explain
from pellucid.recipe.load import read_tree


class Sources(Options):
    """Sources by name, and the seed of their splits."""

    seed: int = Field(0, ge=0, lt=2**48)
    """The recipe's seed."""
    sources: dict[str, SourceOptions] = Field(min_length=1)
    """Each becomes one record store."""


def load_sources(name: str) -> Sources:
    """The sources of a recipe.

    Args:
        name: path of a YAML file, or the name of a shipped recipe.

    Raises:
        UserError: there is no such recipe, or its sources have problems; all are told.
    """
    tree = read_tree(name)
    data = tree.get("data")
    sources = data.get("sources") if isinstance(data, dict) else None
    told = {"seed": tree.get("seed", 0), "sources": {} if sources is None else sources}
    try:
        return Sources.model_validate(told)
    except ValidationError as error:
        raise UserError([explain(detail, Sources) for detail in error.errors()]) from None
