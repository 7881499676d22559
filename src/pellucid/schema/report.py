"""A report: metrics with counts and intervals, and where each came from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Metric:
    """One aggregate. A metric without n, interval and seed is not printed."""

    id: str
    """Dotted: `eval.<checkpoint>.<task>.<mode>.<group>.<name>`; `group` is `all` or a family."""
    value: float | None
    """None when nothing was scored."""
    low: float | None
    high: float | None
    """Bounds of the 95 % interval."""
    n: int
    scored: int
    unscored: int
    failed: int
    """Rollouts that the generator could not finish."""
    method: str
    """How the interval was made ("wilson", "paired-bootstrap", ...)."""
    seed: int
    unit: str = "share"
    scorer_hash: str = ""
    rows: str = ""
    """Which rows it aggregates: a JSON object of column = value, for `trace`."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one evaluation measured."""

    checkpoint: str
    """Name of the checkpoint's job, e.g. `train.long`."""
    checkpoint_hash: str
    metrics: tuple[Metric, ...]
    timing: tuple[Metric, ...] = field(default=())
    """Latency metrics, apart because they differ from run to run."""
