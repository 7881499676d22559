"""What the report of a run shows, as plain values: whoever knows where artifacts lie fills them in.

Leaves out on purpose: anything that is computed from these values; that is `page_numbers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pellucid.schema.report import Metric, Report
from pellucid.schema.verdict import Verdict


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job of the run."""

    name: str
    type: str
    key: str
    content_hash: str
    parents: Mapping[str, str]
    """Job name -> content hash."""
    seconds: float | None = None
    """How long it took, when it was built; differs from run to run."""


@dataclass(frozen=True, slots=True)
class MixLine:
    """One mix and what was counted while it was made."""

    name: str
    job: str
    summary: Mapping[str, Any]
    """Numbers, and mappings from names to counts, at any depth; each mapping becomes one bar."""


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The log of one training job."""

    name: str
    job: str
    steps: Sequence[Mapping[str, Any]]
    """One mapping per step, with a number under `step` and one under each plotted key."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered item, shown with its pictures."""

    item: str
    checkpoint: str
    task: str
    mode: str
    images: tuple[bytes, ...]
    """Encoded pictures, in order."""
    question: str
    thinking: str | None
    answer: str | None
    """None when the rollout gave no answer; `outcome` says why."""
    gold: str
    outcome: str
    """How the rollout ended: answered, truncated, malformed, failed."""
    right: bool | None
    """None when unscored."""
    written: str
    """Everything generated, control tokens spelt out; shown where it came to no answer."""


@dataclass(frozen=True, slots=True)
class CatalogLine:
    """Where the released model stands in the catalog."""

    reference: str
    version: str
    outcome: str
    aliases: tuple[str, ...]
    evidence_hash: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A number that the gate measured itself."""

    id: str
    """`release.<check>.difference`, or `release.overlap`."""
    metric: Metric
    sides: Mapping[str, str]
    """The two metrics that a difference compares, new first: id -> rows, as in `Metric.rows`."""


TaskKind = Literal["family", "withheld", "shown"]


@dataclass(frozen=True, slots=True)
class TaskLine:
    """What an evaluated task is, for the table of stages."""

    name: str
    kind: TaskKind
    """`family`: what gates may read; `withheld`: a combination that training never shows; `shown`:
    anything else that stands apart (a real slice, a slice of training)."""
    pool: bool = False
    """Whether it pools other tasks."""
    blank: str = ""
    """The task that asks the same over blank pictures, if there is one."""


@dataclass(frozen=True, slots=True)
class PageInput:
    """Everything the page shows."""

    name: str
    recipe: str
    """The resolved recipe, YAML."""
    commit: str
    dirty: bool
    seed: int
    jobs: Sequence[JobLine]
    mixes: Sequence[MixLine]
    logs: Sequence[TrainingLog]
    """One per training stage, in order."""
    rl: TrainingLog | None
    reports: Sequence[Report]
    """One per evaluated checkpoint; the last is the final one."""
    verdict: Verdict | None
    samples: Sequence[Sample]
    entry: CatalogLine | None
    tasks: Sequence[TaskLine] = ()
    """Tasks of the table of stages, in the recipe's order."""
    judged: Sequence[Judged] = ()
    reinforced: Sequence[Metric] = ()
    """What the RL job says of itself (`reinforcement`)."""
