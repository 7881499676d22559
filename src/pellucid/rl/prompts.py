"""Which questions a rollout batch asks: a pure function of the mix, the seed and its number.

Prompts are the mix's records that have a gold answer which a scorer can check, in the Feistel order
of each epoch; a record that the mix repeats stands in it as often. What cannot be used is left out
before anything is generated and counted in `dropped.jsonl`, as is what `pass_rate` leaves out. Left
out on purpose: changing the choice while training goes on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, final

from pellucid.base.errors import Problem, UserError
from pellucid.base.paths import write_text
from pellucid.prompt.render import Renderer
from pellucid.prompt.rendered import Rendered
from pellucid.prompt.turns import thinks
from pellucid.recipe.rl import RlOptions
from pellucid.schema.record import Mode, Record, Turn
from pellucid.score import scorer_for
from pellucid.store import MixRow, Store
from pellucid.train import order

DROPPED = "dropped.jsonl"
_SHOWN = 3


class Prompt(NamedTuple):
    """One place in the global order of prompts."""

    number: int
    """From 0, over all batches and epochs."""
    record: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Budget:
    """What a prompt and its longest answer must fit into."""

    max_new_tokens: int
    pack_tokens: int
    context_tokens: int

    @property
    def prompt_tokens(self) -> int:
        """Longest prompt."""
        return min(self.pack_tokens, self.context_tokens) - self.max_new_tokens


class Entry(NamedTuple):
    """A record that can be asked."""

    record: str
    mode: Mode
    repeat: int
    """How often it stands in an epoch."""
    tokens: int
    """Length of its prompt."""


class Left(NamedTuple):
    """A record that is not asked, and why."""

    record: str
    reason: str


class Survey(NamedTuple):
    """A mix, looked through."""

    entries: tuple[Entry, ...]
    left: tuple[Left, ...]


@final
class Prompts:
    """The chosen prompts of a mix, in an endless order."""

    def __init__(self, entries: Sequence[Entry], per_batch: int, seed: int) -> None:
        """Put the prompts in order.

        Args:
            entries: what may be asked.
            per_batch: prompts in a rollout batch.
            seed: of the order.
        """
        self._entries = [entry for entry in entries for _ in range(entry.repeat)]
        self._per_batch, self._seed = per_batch, seed
        self.longest = longest(entries)
        """Tokens of the longest prompt."""

    def __len__(self) -> int:
        return len(self._entries)

    def batch(self, number: int) -> list[Prompt]:
        """The prompts of one rollout batch (from 0); an epoch ends where it ends."""
        count, found = len(self._entries), []
        for place in range(number * self._per_batch, (number + 1) * self._per_batch):
            epoch, position = divmod(place, count)
            entry = self._entries[order.permute(position, count, self._seed, epoch)]
            found.append(Prompt(place, entry.record, entry.mode))
        return found


def survey(
    name: str,
    options: RlOptions,
    rows: Sequence[MixRow],
    stores: Store,
    renderer: Renderer,
    context_tokens: int,
    field: str = "rl.mix",
) -> Survey:
    """Look through a mix for what can be asked and rewarded.

    Args:
        name: of the mix.
        options: the recipe's slice.
        rows: of the mix.
        stores: holds its records.
        renderer: decides the lengths.
        context_tokens: longest sequence of the model.
        field: the recipe's field that names the mix.

    Raises:
        UserError: no prompt is left.
    """
    budget = Budget(options.max_new_tokens, options.pack_tokens, context_tokens)
    entries, left = [], []
    for row in rows:
        record = stores.get(row.id)
        mode = prompt_mode(options, row, record)
        tokens = len(rendered_prompt(record, mode, renderer).ids)
        reason = _unusable(record) or _over(tokens, budget)
        if reason:
            left.append(Left(row.id, reason))
        else:
            entries.append(Entry(row.id, mode, row.repeat, tokens))
    if not entries:
        shown = "; ".join(f"{one.record}: {one.reason}" for one in left[:_SHOWN])
        rule = f"gives no prompt: all {len(left)} records were left out ({shown or 'none'})"
        fix = "choose a mix of records with gold answers, or raise the budgets"
        raise UserError(Problem(field, name, rule, fix))
    return Survey(tuple(entries), tuple(left))


def unique(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without those that ask a record in the same mode once more."""
    found: dict[tuple[str, Mode], Entry] = {}
    for entry in entries:
        found.setdefault((entry.record, entry.mode), entry)
    return list(found.values())


def longest(entries: Sequence[Entry]) -> int:
    """Tokens of the longest prompt."""
    return max(entry.tokens for entry in entries)


def write_left(folder: Path, left: Mapping[str, Sequence[Left]]) -> None:
    """Write `dropped.jsonl`: what was left out of which mix (name -> records), and why."""
    lines = [
        json.dumps({"mix": mix, **one._asdict()}, ensure_ascii=False) + "\n"
        for mix, found in left.items()
        for one in found
    ]
    write_text(folder / DROPPED, "".join(lines))


def question(record: Record) -> tuple[Turn, ...]:
    """The record's conversation without the answer that is to be found."""
    turns = record.messages
    return turns[:-1] if turns[-1].role == "assistant" else turns


def prompt_mode(options: RlOptions, row: MixRow, record: Record) -> Mode:
    """The recipe's mode, else the mix's, else the record's own; `auto` when it has none."""
    if options.mode != "as_is":
        return options.mode
    if row.mode != "as_is":
        return row.mode
    last = record.messages[-1]
    if last.role != "assistant":
        return "auto"
    return "think" if thinks(last) else "nothink"


def rendered_prompt(record: Record, mode: Mode, renderer: Renderer) -> Rendered:
    """The prompt as the engine will render it."""
    sizes = [(image.width, image.height) for image in record.images]
    return renderer.prompt(question(record), sizes, mode)


def _unusable(record: Record) -> str:
    """Why a record's answer cannot be rewarded; empty when it can."""
    if record.answer is None:
        return "no gold answer"
    try:
        scorer_for(record.answer)
    except UserError as error:
        return str(error)
    return ""


def _over(tokens: int, budget: Budget) -> str:
    if tokens <= budget.prompt_tokens:
        return ""
    return (
        f"{tokens} prompt tokens > {budget.prompt_tokens}, which rl.pack_tokens "
        f"{budget.pack_tokens} and the context of {budget.context_tokens} leave beside "
        f"rl.max_new_tokens {budget.max_new_tokens}"
    )
