"""Rows: one answer of one checkpoint to one item in one mode, with its score. JSON lines.

    eval.json                        what was evaluated
    rows/<task>.<mode>/00000.jsonl   a chunk of items, in the task's order

A row holds all that a scorer reads of the rollout, so that rescoring needs no model; seconds are
not in it. Text is stored as it came; only what UTF-8 cannot hold (lone surrogates) is spelt out.

Leaves out on purpose: spreadsheets, databases, token ids.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.base.errors import boundary
from pellucid.base.hashing import canonical_json
from pellucid.base.paths import write_bytes
from pellucid.eval.tasks.base import Item
from pellucid.schema.evidence import Evidence
from pellucid.schema.ports import Scorer
from pellucid.schema.record import Mode
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score

HEAD = "eval.json"
ROWS = "rows"

Row = dict[str, Any]


def part_path(folder: Path, task: str, mode: str, chunk: int) -> Path:
    """File of one chunk."""
    return folder / ROWS / f"{task}.{mode}" / f"{chunk:05d}.jsonl"


def part_paths(folder: Path) -> list[Path]:
    """Files of all chunks, by task, mode and number."""
    return sorted((folder / ROWS).glob("*.*/*.jsonl"))


def make_row(task: str, item: Item, rollout: Rollout, max_new_tokens: int) -> Row:
    """The row of one rollout, scored."""
    record = item.record
    assert record.answer is not None, "an item has a gold answer"
    rollout = storable(rollout)
    evidence = item.evidence(max_new_tokens)
    score = item.scorer(rollout, evidence)
    return {
        **({} if item.made is None else {"made": dict(item.made)}),
        "task": task,
        "item": item.id,
        "record": record.id,
        "record_task": record.task,
        "domain": record.domain,
        "cluster": item.cluster,
        "difficulty": record.difficulty,
        "gold": record.answer.gold,
        "guess": item.guess,
        "majority": score_guess(item.scorer, rollout, item.guess, evidence),
        "mode": rollout.mode,
        "chosen": rollout.chosen,
        "prompt_hash": rollout.prompt_hash,
        "prompt_tokens": rollout.prompt_tokens,
        "text": rollout.text,
        "thinking": rollout.thinking,
        "answer": rollout.answer,
        "outcome": rollout.outcome,
        "finish_reason": rollout.finish_reason,
        "error": rollout.error,
        "tokens": len(rollout.token_ids),
        "thinking_tokens": rollout.thinking_tokens,
        **score_columns(score),
    }


def score_guess(
    scorer: Scorer, rollout: Rollout, guess: str | None, evidence: Evidence
) -> float | None:
    """What the majority answer would have scored in a rollout's place; None without one."""
    if guess is None:
        return None
    said = replace(
        rollout, text=guess, thinking=None, answer=guess, outcome="answered", finish_reason="stop"
    )
    return scorer(said, evidence).value


def score_columns(score: Score) -> Row:
    """The columns that a scorer fills."""
    return {
        "scorer": score.scorer,
        "scorer_hash": score.scorer_hash,
        "status": score.status,
        "score": score.value,
        "extracted": score.extracted,
        "why": score.why,
    }


def rollout_of(row: Mapping[str, Any]) -> Rollout:
    """The rollout that a row was made from, as far as scorers read it: without ids."""
    return Rollout(
        request_id=f"{row['item']}/{row['mode']}",
        mode=row["mode"],
        chosen=row["chosen"],
        prompt_hash=row["prompt_hash"],
        prompt_tokens=row["prompt_tokens"],
        token_ids=(),
        logprobs=(),
        text=row["text"],
        thinking=row["thinking"],
        answer=row["answer"],
        outcome=row["outcome"],
        finish_reason=row["finish_reason"],
        thinking_tokens=row["thinking_tokens"],
        error=row["error"],
    )


def storable(rollout: Rollout) -> Rollout:
    """The rollout with text that UTF-8 can hold, so that it scores alike before and after disk."""
    return replace(
        rollout,
        text=_utf8(rollout.text),
        thinking=None if rollout.thinking is None else _utf8(rollout.thinking),
        answer=None if rollout.answer is None else _utf8(rollout.answer),
        error=_utf8(rollout.error),
    )


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines atomically: sorted keys, no blanks."""
    with boundary("writing rows"):
        write_bytes(path, b"".join(canonical_json(row) + b"\n" for row in rows))


def read_lines(path: Path) -> list[Row]:
    """Rows of one file."""
    with boundary("reading rows"):
        # Only \n ends a row: a text may hold other line separators.
        return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def load_rows(folder: Path, task: str | None = None, mode: Mode | None = None) -> list[Row]:
    """Rows of an evaluation, by task, mode, and the task's order of items.

    Args:
        folder: of a finished or running evaluation.
        task: only this task; all when None.
        mode: only this mode; all when None.
    """
    wanted = [
        path
        for path in part_paths(folder)
        if task in (None, path.parent.name.rpartition(".")[0])
        and mode in (None, path.parent.name.rpartition(".")[2])
    ]
    return [row for path in wanted for row in read_lines(path)]


def select(rows: Sequence[Row], where: str | Mapping[str, Any]) -> list[Row]:
    """Rows that a metric aggregates.

    Args:
        rows: of one checkpoint.
        where: `Metric.rows`: column = value, or a list of values of which one must match.
    """
    columns = json.loads(where) if isinstance(where, str) else where
    return [
        row
        for row in rows
        if all(
            row[name] in value if isinstance(value, list) else row[name] == value
            for name, value in columns.items()
        )
    ]


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
