"""Slice `release`: the checks of the gate and the entry in the catalog."""

from typing import Annotated, Literal

from pydantic import Field

from pellucid.recipe.base import Options


class FloorCheck(Options):
    """The lower bound of a metric's interval must reach a floor."""

    kind: Literal["floor"] = "floor"
    metric: str
    """Metric id; `final` stands for the last checkpoint."""
    at_least: float
    """The floor."""


class CeilingCheck(Options):
    """The upper bound of a metric's interval must stay under a ceiling."""

    kind: Literal["ceiling"] = "ceiling"
    metric: str
    """Metric id; `final` stands for the last checkpoint."""
    at_most: float
    """The ceiling."""


class NoRegressionCheck(Options):
    """Paired on the same items: new minus old, lower bound above minus a margin."""

    kind: Literal["no_regression"] = "no_regression"
    metric: str
    """Metric id of the new checkpoint."""
    baseline: str
    """Metric id of the old checkpoint, on the same items and the same scorer."""
    margin: float = Field(0.02, ge=0)
    """Largest loss that is accepted."""


Check = Annotated[FloorCheck | CeilingCheck | NoRegressionCheck, Field(discriminator="kind")]


class ReleaseOptions(Options):
    """The gate and what it guards."""

    model: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Name of the model in the catalog."""
    checks: dict[str, Check] = Field(min_length=1)
    """The gate's checks by name."""
    alias: str = "candidate"
    """Alias that points at this version when the gate passes."""
