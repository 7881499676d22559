"""Score stored rows again, without the model: what would the scorers of today have said?

With unchanged scorers the rows and the report come out byte for byte as they were. The result is a
folder of its own, for files of a finished evaluation never change; seconds stay where they were
measured.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import pick
from pellucid.base.paths import sweep_temporaries, write_bytes
from pellucid.eval.report import build_report
from pellucid.eval.rows import (
    HEAD,
    Row,
    part_paths,
    read_lines,
    rollout_of,
    score_columns,
    score_guess,
    write_lines,
)
from pellucid.recipe.eval import EvalOptions
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.report import Report
from pellucid.score import Checked, scorer_for
from pellucid.store import Store


def rescore(
    folder: Path,
    stores: Mapping[str, Store],
    target: Path,
    own: Mapping[str, Checked] | None = None,
) -> Report:
    """Fill `target` with the rows of `folder`, scored anew, and their report.

    Args:
        folder: a finished evaluation.
        stores: by name of the source; those that its tasks read.
        target: another folder; one that was left half-filled is completed.
        own: the user's scorers by task, for tasks that name one.

    Raises:
        UserError: a task names a scorer of the user's, and it is not given.
    """
    assert target.resolve() != folder.resolve(), "a finished evaluation is not changed in place"
    with boundary("rescoring"):
        sweep_temporaries(target)
        head = (folder / HEAD).read_bytes()
        options = EvalOptions.model_validate(json.loads(head)["options"])
        scorers = dict(own or {})
        for name, task in options.asking.items():
            if task.scorer and name not in scorers:
                field, rule = f"eval.tasks.{name}.scorer", "is not given"
                raise UserError(Problem(field, task.scorer.path, rule, "hand it over in `own`"))
        for path in part_paths(folder):
            rows = [_again(row, options, stores, scorers) for row in read_lines(path)]
            write_lines(target / path.relative_to(folder), rows)
        write_bytes(target / HEAD, head)
    return build_report(target)


def _again(
    row: Row,
    options: EvalOptions,
    stores: Mapping[str, Store],
    own: Mapping[str, Checked],
) -> Row:
    source = pick(options.asking, row["task"], "eval.tasks").source
    record = pick(stores, source, f"eval.tasks.{row['task']}.source").get(row["record"])
    gold = record.answer
    if made := row.get("made"):
        gold = Answer(made["kind"], row["gold"], tuple(made["aliases"]), made["tolerance"])
    assert gold is not None, "an item has a gold answer"
    evidence = Evidence(gold, record.evidence, options.max_new_tokens)
    scorer = own.get(row["task"]) or scorer_for(gold)[1]
    rollout = rollout_of(row)
    majority = score_guess(scorer, rollout, row["guess"], evidence)
    return {**row, "majority": majority, **score_columns(scorer(rollout, evidence))}
