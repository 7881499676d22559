"""The typed recipe: what a run is told, checked whole before anything starts.

One file per slice. Options classes of every plug-in kind live here too, so that a recipe can be
validated without importing what it configures.
"""

from pellucid.recipe.load import dump, json_schema, load, to_yaml
from pellucid.recipe.recipe import Recipe
from pellucid.recipe.sources import load_sources

__all__ = ["Recipe", "dump", "json_schema", "load", "load_sources", "to_yaml"]
