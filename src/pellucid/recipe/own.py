"""Code of the user's own, as a recipe names it."""

from pellucid.recipe.base import Options


class OwnFunction(Options):
    """A function in a Python file; the file's hash is part of every key that it decides."""

    path: str
    """`file.py:function`; the file's path is relative to the recipe."""
    options: dict[str, str | int | float | bool] = {}
    """Keyword arguments of the function."""
