"""Task `store`: records of one split of one source, scored by the kind of their gold answers or by
a scorer of the user's.

The last assistant turn is the answer that is asked for: it is hidden, and so are images that only
it shows. Earlier turns stay as they are.

Each item knows the majority answer: the most frequent gold of the same record task among the
source's training records.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from pellucid.base.errors import Problem, UserError
from pellucid.base.seeds import derive
from pellucid.eval.tasks.base import Item
from pellucid.recipe.eval import StoreTask
from pellucid.schema.record import Answer, ImageRef, Part, Record, Split, Turn
from pellucid.score import KINDS, Checked, own_scorer, scorer_for
from pellucid.store import Store


def items(name: str, options: StoreTask, store: Store, seed: int) -> list[Item]:
    """Items of the task, in the order of the store; a larger limit only adds to them.

    Args:
        name: of the task.
        options: split, tasks of the records, limit.
        store: of the source.
        seed: chooses which items stay below the limit.

    Raises:
        UserError: no record has a gold answer, no scorer checks one of them, or the user's own is
            not there.
    """
    records = _with_golds(store, options.split, tuple(options.tasks))
    _refuse(name, options, records)
    guesses = majorities(store)
    own = own_of(name, options, [one.answer for one in records if one.answer])
    chosen = [_item(name, options, record, guesses, own) for record in records]
    if options.limit is None:
        return chosen
    # By record, so that tasks over one source ask the same: blank pictures beside real ones.
    drawn = sorted(chosen, key=lambda item: derive(seed, "limit", item.record.id))[: options.limit]
    kept = {item.id for item in drawn}
    return [item for item in chosen if item.id in kept]


@lru_cache(maxsize=16)
def _with_golds(store: Store, split: Split, tasks: tuple[str, ...]) -> tuple[Record, ...]:
    """Records that have a gold answer; kept, since every checkpoint is asked the same."""
    found = store.records(split=split, tasks=tasks)
    return tuple(record for record in found if record.answer is not None)


def _refuse(name: str, options: StoreTask, records: Sequence[Record]) -> None:
    field = f"eval.tasks.{name}"
    if not records:
        of_tasks = f"task {', '.join(options.tasks)}" if options.tasks else "a gold answer"
        rule = f"finds no {options.split} records of {options.source} with {of_tasks}"
        fix = "choose another split, or tasks whose records have gold answers"
        raise UserError(Problem(field, options.model_dump(exclude_defaults=True), rule, fix))
    if options.scorer:
        return
    kinds = {record.answer.kind for record in records if record.answer is not None}
    unknown = sorted(kinds - set(KINDS))
    if unknown:
        rule = "has answers of kinds that no scorer checks"
        raise UserError(Problem(field, unknown, rule, "choose other tasks of the source"))


def majorities(store: Store) -> dict[str, str]:
    """Record task -> its most frequent gold in the training split; ties go to the lesser text."""
    found: dict[str, Counter[str]] = {}
    for row in store.facts().select(["split", "task", "gold"]).to_pylist():
        if row["split"] == "train" and row["gold"] is not None:
            found.setdefault(row["task"], Counter())[row["gold"]] += 1
    return {
        task: min(counts, key=lambda gold: (-counts[gold], gold)) for task, counts in found.items()
    }


def own_of(task: str, options: StoreTask, golds: Iterable[Answer] = ()) -> Checked | None:
    """The user's scorer of a task; None when answers are scored by their kind.

    Args:
        task: its name, for messages.
        options: of the task.
        golds: that the scorer is tried on first.

    Raises:
        UserError: there is no such file or function, it cannot be run, or fails on a gold.
    """
    own = options.scorer
    if own is None:
        return None
    return own_scorer(f"eval.tasks.{task}.scorer", own.path, own.options, golds)


def _item(
    task: str,
    options: StoreTask,
    record: Record,
    guesses: Mapping[str, str],
    own: Checked | None,
) -> Item:
    assert record.answer is not None, "an item has a gold answer"
    turns = record.messages
    asked = turns[:-1] if turns[-1].role == "assistant" else turns
    messages, images = _shown(asked, record.images)
    return Item(
        f"{task}/{record.id}",
        record,
        messages,
        images,
        own or scorer_for(record.answer)[1],
        guesses.get(record.task),
        options.picture == "blank",
    )


def _shown(
    messages: tuple[Turn, ...], images: tuple[ImageRef, ...]
) -> tuple[tuple[Turn, ...], tuple[ImageRef, ...]]:
    """The messages with their image indices counted anew, and the images that they show."""
    seen = {part.image for turn in messages for part in turn.content if part.type == "image"}
    kept = [index for index in range(len(images)) if index in seen]
    places = {index: place for place, index in enumerate(kept)}

    def moved(part: Part) -> Part:
        return part if part.image is None else replace(part, image=places[part.image])

    return (
        tuple(replace(turn, content=tuple(map(moved, turn.content))) for turn in messages),
        tuple(images[index] for index in kept),
    )
