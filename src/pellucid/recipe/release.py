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


class BetterCheck(Options):
    """Paired on the same items: one metric minus another, lower bound at or above `by`."""

    kind: Literal["better"] = "better"
    metric: str
    """Metric id of what should be better: a mode, or a later checkpoint."""
    than: str
    """Metric id of the other, on the same items and the same scorer."""
    by: float = 0.0
    """Smallest difference that the lower bound must reach."""


class NoOverlapCheck(Options):
    """No test record of an evaluated source stands in anything that the model learnt from.

    Compared by (pixel hashes, question, gold) with every mix of the run, and by pixel hash with
    what the first checkpoint says that it was trained on.
    """

    kind: Literal["no_overlap"] = "no_overlap"


Check = Annotated[
    FloorCheck | CeilingCheck | NoRegressionCheck | BetterCheck | NoOverlapCheck,
    Field(discriminator="kind"),
]


def metrics_of(check: Check) -> dict[str, str]:
    """Ids of the metrics that a check reads, by the field that names them."""
    told = {field: getattr(check, field, None) for field in ("metric", "baseline", "than")}
    return {field: id for field, id in told.items() if id is not None}


def pair_of(check: Check) -> tuple[str, str] | None:
    """The two metrics whose paired difference a check reads: new, old; None for other checks."""
    if check.kind == "no_regression":
        return check.metric, check.baseline
    return (check.metric, check.than) if check.kind == "better" else None


class ReleaseOptions(Options):
    """The gate and what it guards."""

    model: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Name of the model in the catalog; the recipe's name when absent."""
    checks: dict[str, Check] = Field(min_length=1)
    """The gate's checks by name."""
    alias: str = "candidate"
    """Alias that points at this version when the gate passes."""
