"""Whether the replies that a model learns fit into what an evaluation lets it write.

A model writes what it has learnt to write, and what is cut off is no answer. So the replies to what
is asked later are counted before anything is trained: of records that a task asks about, or of all
where none is learnt. Leaves out on purpose: RL, whose limit may well be meant to shorten answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from pellucid.recipe.eval import EvalOptions, StoreTask
from pellucid.recipe.recipe import Recipe
from pellucid.schema.artifact import Artifact
from pellucid.schema.record import Mode

if TYPE_CHECKING:
    from pellucid.prompt.render import Renderer
    from pellucid.schema.record import Record
    from pellucid.store import MixRow

SAMPLE = 1000
"""Records whose replies are counted, at most."""
HOLDS = 0.99
"""Share of the replies that should fit."""


class Replies(NamedTuple):
    """How long learnt replies are, beside what an evaluation lets a model write."""

    limit: int
    """`eval.max_new_tokens`."""
    longer: float
    """Share of the replies that have more tokens."""
    holds: int
    """Tokens that `HOLDS` of them do not exceed."""
    counted: int

    def __str__(self) -> str:
        return (
            f"{self.longer:.0%} of the replies that are learnt, thinking included, are longer than "
            f"eval.max_new_tokens={self.limit}; an answer that is cut off counts as wrong; "
            f"{self.holds} would hold {HOLDS:.0%} of them ({self.counted:,} counted)"
        )


def too_long(recipe: Recipe, artifacts: Mapping[str, Artifact]) -> Replies | None:
    """What to say where more than one reply in a hundred does not fit; None where all is well.

    Args:
        recipe: of the run.
        artifacts: of the run so far; mixes that are not among them are not looked at.

    Raises:
        UserError: the model's files are missing or damaged.
    """
    from pellucid.flow.steps import renderer_of

    rows = list(_rows(recipe, artifacts))
    found = _lengths(recipe, artifacts, rows, renderer_of(recipe.model)) if rows else []
    if not found:
        return None
    found.sort()
    limit, holds = recipe.eval.max_new_tokens, found[ceil(HOLDS * len(found)) - 1]
    longer = sum(one > limit for one in found) / len(found)
    return Replies(limit, longer, holds, len(found)) if holds > limit else None


def _lengths(
    recipe: Recipe,
    artifacts: Mapping[str, Artifact],
    rows: "Sequence[MixRow]",
    renderer: "Renderer",
) -> list[int]:
    """Tokens that a model has to generate for the replies of some rows, of a sample of them."""
    from pellucid.flow.stores import store_of
    from pellucid.train import order

    if len(rows) > SAMPLE:
        rows = [rows[at] for at in sorted(order.window(0, SAMPLE, len(rows), 0, 0))]
    every, sources = store_of(artifacts), _sources(recipe.eval, artifacts, {row.id for row in rows})
    asked, others = list[int](), list[int]()
    for row in rows:
        record = every.get(row.id)
        modes = _modes(record, recipe.eval, sources)
        if length := _length(record, row, modes or {*recipe.eval.modes}, renderer):
            (asked if modes else others).append(length)
    return asked or others


def _rows(recipe: Recipe, artifacts: Mapping[str, Artifact]) -> "Iterator[MixRow]":
    """What the stages learn, each record once in a mode."""
    from pellucid.store import read_mix

    seen = set()
    for name in dict.fromkeys(stage.mix for stage in recipe.train.stages):
        job = artifacts.get(f"mix.{name}")
        for row in read_mix(job.path).rows if job else ():
            if (row.id, row.mode) not in seen:
                seen.add((row.id, row.mode))
                yield row


def _sources(
    options: EvalOptions, artifacts: Mapping[str, Artifact], wanted: set[str]
) -> dict[str, set[str]]:
    """Which of some records each source holds that a task asks about."""
    from pellucid.flow.stores import stores_of

    names = {task.source for task in options.asking.values()}
    return {
        name: {
            id
            for block in store.fact_blocks(["id"])
            for id in wanted.intersection(block["id"].to_pylist())
        }
        for name, store in stores_of(artifacts).items()
        if name in names
    }


def _modes(record: "Record", options: EvalOptions, sources: Mapping[str, set[str]]) -> set[Mode]:
    """Modes in which such records are asked about; none where no task asks about them."""
    found: set[Mode] = set()
    for name, task in options.asking.items():
        if not isinstance(task, StoreTask):
            continue  # a function of the user's asks something else
        fits = record.answer is not None and (not task.tasks or record.task in task.tasks)
        if fits and record.id in sources.get(task.source, ()):
            found |= {*options.modes_of(name)}
    return found


def _length(record: "Record", row: "MixRow", modes: set[Mode], renderer: "Renderer") -> int:
    """Tokens of the last reply that a model generates; 0 where it is never asked to.

    A mode that is forced is given, and not generated.
    """
    try:
        examples = renderer.examples(record, row.mode)
    except ValueError:
        return 0  # training refuses it, with its reason
    last = examples[-1] if examples else None
    if last is None or not {"auto", last.mode} & modes:
        return 0
    spans = [one for one in last.spans if one.turn == len(record.messages) - 1]
    learnt = [one for one in spans if last.supervised[one.start]]
    given = () if "auto" in modes else ("mode",)
    return sum(one.stop - one.start for one in learnt if one.kind not in given)
