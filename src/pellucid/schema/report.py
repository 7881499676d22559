"""A report: metrics with counts and intervals, and where each came from."""

from dataclasses import dataclass, field

MEANS = (
    "accuracy",
    "majority",
    "truncated",
    "malformed",
    "chose_think",
    "undecided",
    "unscored",
    "tokens",
    "thinking_tokens",
)
"""Means over items; two of one name over the same items can be paired."""

METRIC_NAMES = (
    *MEANS,
    "tokens_p50",
    "tokens_p95",
    "thinking_share",
    "gain",
    "auto_gain",
    "token_ratio",
    "mean_accuracy",
    "min_accuracy",
)
"""What an evaluation measures: the last part of a metric's id, so that recipes can be checked."""

OF_MODES = {"gain": ("think",), "auto_gain": ("auto",), "token_ratio": ("auto", "nothink")}
"""Metrics that compare modes, and the modes that they stand under."""

OF_POOLS = ("mean_accuracy", "min_accuracy")
"""Metrics that only a pool of tasks has."""


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
    """Short name of the checkpoint, e.g. `long`."""
    checkpoint_hash: str
    metrics: tuple[Metric, ...]
    timing: tuple[Metric, ...] = field(default=())
    """Latency metrics, apart because they differ from run to run."""
