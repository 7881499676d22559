"""Choose answered items to show: by seed, with enough wrong ones among them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.base.seeds import derive
from pellucid.eval.page_input import Sample
from pellucid.schema.record import Record
from pellucid.store import Store

COUNT = 12
WRONG = 4
"""At least this many wrong answers are shown, if there are as many."""

Row = dict[str, Any]


def choose_rows(
    rows: Sequence[Row], seed: int, count: int = COUNT, wrong: int = WRONG
) -> list[Row]:
    """Rows to show, in a seeded order.

    Each item is shown once, in one mode. Wrong ones are taken first until there are `wrong`, the
    rest as they come.
    """
    shuffled = sorted(rows, key=lambda row: derive(seed, "sample", row["item"], row["mode"]))
    by_item: dict[str, Row] = {}
    for row in shuffled:
        by_item.setdefault(f"{row['task']}/{row['item']}", row)
    pool = list(by_item.values())
    must = [row for row in pool if row["score"] is not None and row["score"] < 1][:wrong]
    rest = [row for row in pool if row not in must]
    chosen = [*must, *rest][:count]
    return sorted(chosen, key=pool.index)


def sample(row: Row, checkpoint: str, store: Store) -> Sample:
    """A row with the pictures and the question of its record, or those that a function made."""
    record, made = store.get(row["record"]), row.get("made")
    shown = record.images if made is None else [record.images[at] for at in made["images"]]
    return Sample(
        item=row["item"],
        checkpoint=checkpoint,
        task=f"{row['task']} / {row['record_task']}",
        mode=row["mode"],
        images=tuple(store.image(image.sha256) for image in shown),
        question=_question(record) if made is None else made["question"],
        thinking=row["thinking"],
        answer=row["answer"],
        gold=row["gold"],
        outcome=row["outcome"],
        right=None if row["score"] is None else row["score"] >= 1,
        written=row["text"],
    )


def samples(
    rows: Sequence[Row], checkpoint: str, stores: Mapping[str, Store], seed: int
) -> list[Sample]:
    """Twelve samples of one checkpoint; `stores` by task."""
    return [sample(row, checkpoint, stores[row["task"]]) for row in choose_rows(rows, seed)]


def _question(record: Record) -> str:
    """What was said before the last answer."""
    turns = [turn for turn in record.messages if turn.role != "system"]
    if turns[-1].role == "assistant":
        turns = turns[:-1]
    if len(turns) == 1:
        return turns[0].text
    return "\n".join(f"{turn.role}: {turn.text}" for turn in turns)
