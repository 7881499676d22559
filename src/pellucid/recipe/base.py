"""The base of all options: frozen, keyword-only, no unknown fields, a doc line under each."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Frozen options; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )
