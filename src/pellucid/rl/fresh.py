"""Fresh answers of the policy as it stands, judged by accuracy alone, in chunks that survive kills.

    <folder>/00000.jsonl   the answers to a chunk of prompts; whole or absent

Which prompts a chunk holds follows from the arguments, and an answer does not depend on its
neighbours, so a killed call goes on after its last chunk and ends with the same rows. Leaves out on
purpose: rewards and advantages, which only what is learnt from needs.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pellucid.base.paths import write_text
from pellucid.base.progress import Progress
from pellucid.rl.prompts import Entry, Prompt, longest
from pellucid.rl.rewards import TERMS
from pellucid.rl.rollout import requests
from pellucid.rl.setting import Setting
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Mode
from pellucid.schema.rollout import FinishReason, Outcome, Rollout

CHUNK = 64
"""Prompts of a chunk."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """One answer."""

    record: str
    cluster: str
    """The record's source group: its picture, or the scene that it was made from."""
    mode: Mode
    chosen: Mode | None
    sample: int
    """From 0, among the answers to this prompt."""
    accuracy: float | None
    """Score of the answer by the record's scorer; None when it could not be scored."""
    tokens: int
    outcome: Outcome
    finish_reason: FinishReason
    text: str


def ask(
    setting: Setting, entries: Sequence[Entry], samples: int, purpose: str, folder: Path
) -> list[Fresh]:
    """Answers of the live weights, in the order of the entries.

    Args:
        setting: of the job.
        entries: what is asked; an entry's number is its place here.
        samples: answers to each.
        purpose: another purpose draws other answers.
        folder: of the chunks.
    """
    prompts = [Prompt(number, one.record, one.mode) for number, one in enumerate(entries)]
    generator, rows = setting.generator(longest(entries)), list[Fresh]()
    progress = Progress(purpose, len(prompts))
    chunks = [
        (folder / f"{at:05d}.jsonl", prompts[start : start + CHUNK])
        for at, start in enumerate(range(0, len(prompts), CHUNK))
    ]
    # One stream over all chunks: none waits for the longest answer of the one before.
    left = [prompt for path, some in chunks if not path.exists() for prompt in some]
    asked = requests(setting.options, left, samples, purpose, setting.stores, setting.seed)
    answered = generator.generate(asked)
    for path, some in chunks:
        if not path.exists():
            _write(path, _answers(setting, some, samples, answered))
        rows += _read(path)
        progress.at(len(rows) // samples)
    return rows


def _answers(
    setting: Setting, prompts: Sequence[Prompt], samples: int, answered: Iterator[Rollout]
) -> Iterator[Fresh]:
    for prompt in prompts:
        for sample in range(samples):
            yield _fresh(setting, prompt, sample, next(answered))


def _fresh(setting: Setting, prompt: Prompt, sample: int, rollout: Rollout) -> Fresh:
    record, options = setting.stores.get(prompt.record), setting.options
    evidence = Evidence(record.answer, record.evidence, options.max_new_tokens)
    score = TERMS["accuracy"](rollout, evidence, options.rewards)
    return Fresh(
        record=prompt.record,
        cluster=record.source.group or record.id,
        mode=prompt.mode,
        chosen=rollout.chosen,
        sample=sample,
        # A failed rollout is data, but nothing that the policy said.
        accuracy=None if rollout.outcome == "failed" else score.value,
        tokens=len(rollout.token_ids),
        outcome=rollout.outcome,
        finish_reason=rollout.finish_reason,
        text=rollout.text,
    )


def _write(path: Path, rows: Iterator[Fresh]) -> None:
    lines = [json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    write_text(path, "".join(lines))


def _read(path: Path) -> list[Fresh]:
    lines = path.read_text("utf-8").split("\n")
    return [Fresh(**json.loads(line)) for line in lines if line]
