"""The typed recipe: what a run is told, checked whole before anything starts.

One file per slice. Options classes of every plug-in kind live here too, so that a recipe can be
validated without importing what it configures. `Recipe` and `load_sources` are imported when they
are first used: what reads one slice does without the others.
"""

from typing import TYPE_CHECKING, Any

from pellucid.recipe.load import dump, json_schema, load, to_yaml

if TYPE_CHECKING:
    from pellucid.recipe.recipe import Recipe
    from pellucid.recipe.sources import load_sources

__all__ = ["Recipe", "dump", "json_schema", "load", "load_sources", "to_yaml"]


def __getattr__(name: str) -> Any:
    if name == "Recipe":
        from pellucid.recipe.recipe import Recipe

        return Recipe
    if name == "load_sources":
        from pellucid.recipe.sources import load_sources

        return load_sources
    raise AttributeError(f"module 'pellucid.recipe' has no attribute {name!r}")
