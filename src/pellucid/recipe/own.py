"""Code of the user's own, as a recipe names it."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pellucid.recipe.base import Options

ColumnKind = Literal["number", "text", "flag"]
"""What stands in a column of labels; any of them may be absent (null)."""


class OwnFunction(Options):
    """A function in a Python file; the file's hash is part of every key that it decides."""

    path: str
    """`file.py:function`; the file's path is relative to the recipe."""
    options: dict[str, str | int | float | bool] = {}
    """Keyword arguments of the function."""


class OwnOperator(OwnFunction):
    """A function `(record, images, **options)` that says something of one record.

    What it says becomes the label `NAME@1` of every source that a mix asks for it.
    """

    kind: Literal["python"] = "python"
    gives: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ColumnKind] = Field(
        {"value": "number"}, min_length=1
    )
    """Columns of the label, and what stands in each; `id` is the record's own. With one column the
    function may return its value alone; with several it returns a mapping."""

    @field_validator("gives")
    @classmethod
    def _no_id(cls, gives: dict[str, ColumnKind]) -> dict[str, ColumnKind]:
        if "id" in gives:
            raise ValueError("id is the column of the record's own name; choose another")
        return gives
