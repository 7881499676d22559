"""One rollout batch: ask, score, reward, compare within each group, write down.

    rollouts/batch-00000.jsonl   one line per rollout: what was said, its scores and its advantage

The file is written whole or not at all and is read back before anything is learnt from it, so a run
that was killed after it was written goes on from the very same numbers.

A *group* is the rollouts of one prompt. Log-probabilities are the engine's and serve as the old
policy's: the engine runs the trainer's own weights with the same masks, so a second forward pass
would buy the same numbers again (`update` logs how far the two are apart).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid.base.paths import write_text
from pellucid.base.seeds import derive
from pellucid.recipe.rl import RlOptions
from pellucid.rl.advantages import group_advantages
from pellucid.rl.prompts import Prompt, question
from pellucid.rl.rewards import Reward, Term, reward
from pellucid.schema.evidence import Evidence
from pellucid.schema.ports import Generator
from pellucid.schema.record import Mode
from pellucid.schema.rollout import FinishReason, Outcome, Request, Rollout
from pellucid.store import Store

FOLDER = "rollouts"


@dataclass(frozen=True, slots=True)
class Sample:
    """One rollout with its scores, as a line of the file holds it."""

    request: str
    """`<prompt number>-<rollout of the group>`."""
    prompt: int
    """Number of the prompt; equal within a group."""
    record: str
    mode: Mode
    chosen: Mode | None
    prompt_hash: str
    prompt_tokens: int
    text: str
    thinking: str | None
    answer: str | None
    outcome: Outcome
    finish_reason: FinishReason
    error: str
    ids: tuple[int, ...]
    drawn_logprobs: tuple[float, ...]
    """Of each id under the distribution it was drawn from, the rollout temperature included."""
    scores: Mapping[str, Mapping[str, Any]]
    """Term -> its score."""
    paid: float | None
    shaping: float
    reward: float | None
    """None: the rollout does not count."""
    advantage: float | None
    """None: the rollout does not count. 0 in a group without signal."""
    signal: bool
    """Whether the group's paid rewards differed."""

    @property
    def failed(self) -> bool:
        """Whether the engine gave no answer; `error` says why."""
        return self.outcome == "failed"


def path_of(folder: Path, batch: int) -> Path:
    """Where the rollouts of a batch lie in a job's folder."""
    return folder / FOLDER / f"batch-{batch:05d}.jsonl"


def requests(
    options: RlOptions,
    prompts: Sequence[Prompt],
    samples: int,
    purpose: str,
    stores: Store,
    seed: int,
) -> Iterator[Request]:
    """What the engine is asked, group by group.

    The seed of a rollout depends on the run's seed, the purpose, its prompt's number and its place
    in the group, so two groups on the same record differ.

    Args:
        options: the recipe's slice.
        prompts: one group each.
        samples: rollouts of a group.
        purpose: what the rollouts are for; another purpose draws other answers.
        stores: hold the records.
        seed: of the run.
    """
    for prompt in prompts:
        record = stores.get(prompt.record)
        images = tuple(stores.image(image.sha256) for image in record.images)
        for member in range(samples):
            yield Request(
                id=f"{prompt.number:06d}-{member}",
                messages=question(record),
                images=images,
                mode=prompt.mode,
                max_new_tokens=options.max_new_tokens,
                temperature=options.temperature,
                top_p=options.top_p,
                seed=derive(seed, purpose, prompt.number, member),
                group=f"{prompt.number:06d}",
            )


def roll_out(
    options: RlOptions,
    prompts: Sequence[Prompt],
    stores: Store,
    generator: Generator,
    seed: int,
    path: Path,
    own: Mapping[str, Term] | None = None,
) -> None:
    """Generate and judge the rollouts of a batch, and write them to `path`.

    `own` are the user's rewards.
    """
    asked = requests(options, prompts, options.group_size, "rollout", stores, seed)
    answered = generator.generate(list(asked))
    lines = []
    for prompt in prompts:
        group = [next(answered) for _ in range(options.group_size)]
        record = stores.get(prompt.record)
        evidence = Evidence(record.answer, record.evidence, options.max_new_tokens)
        rewards = [reward(rollout, evidence, options.rewards, own) for rollout in group]
        lines += [
            json.dumps(asdict(sample), ensure_ascii=False, allow_nan=False) + "\n"
            for sample in _samples(prompt, group, rewards)
        ]
    write_text(path, "".join(lines))


def read_samples(path: Path) -> list[Sample]:
    """Read what `roll_out` wrote; floats come back to the bit."""
    found = []
    # Not splitlines: model text may hold line separators that JSON leaves as they are.
    for line in path.read_text("utf-8").rstrip("\n").split("\n"):
        fields = json.loads(line)
        for name in ("ids", "drawn_logprobs"):
            fields[name] = tuple(fields[name])
        found.append(Sample(**fields))
    return found


def _samples(
    prompt: Prompt, group: Sequence[Rollout], rewards: Sequence[Reward]
) -> Iterator[Sample]:
    compared = group_advantages(rewards)
    for rollout, earned, advantage in zip(group, rewards, compared.advantages, strict=True):
        yield Sample(
            request=rollout.request_id,
            prompt=prompt.number,
            record=prompt.record,
            mode=rollout.mode,
            chosen=rollout.chosen,
            prompt_hash=rollout.prompt_hash,
            prompt_tokens=rollout.prompt_tokens,
            text=rollout.text,
            thinking=rollout.thinking,
            answer=rollout.answer,
            outcome=rollout.outcome,
            finish_reason=rollout.finish_reason,
            error=rollout.error,
            ids=rollout.token_ids,
            drawn_logprobs=rollout.drawn_logprobs,
            scores={name: asdict(score) for name, score in earned.scores.items()},
            paid=earned.paid,
            shaping=earned.shaping,
            reward=earned.total,
            advantage=advantage,
            signal=compared.signal,
        )
