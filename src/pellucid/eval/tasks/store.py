"""Task `store`: records of one split of one source, scored by the kind of their gold answers or by
a scorer of the user's.

The last assistant turn is the answer that is asked for: it is hidden, and so are images that only
it shows. Earlier turns stay as they are.

Each item knows the majority answer: the most frequent gold of the same record task among the
source's training records.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from pellucid.base.errors import Problem, UserError
from pellucid.eval.tasks.base import Item, check_kinds, drawn, most_frequent, own_of
from pellucid.recipe.eval import StoreTask
from pellucid.schema.record import ImageRef, Part, Record, Split, Turn
from pellucid.score import Checked, scorer_for
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
    if not records:
        raise _nothing(name, options)
    golds = [one.answer for one in records if one.answer]
    check_kinds(name, options, golds)
    guesses, own = majorities(store), own_of(name, options, golds)
    every = [_item(name, options, record, guesses, own) for record in records]
    return drawn(every, options.limit, seed)


@lru_cache(maxsize=16)
def _with_golds(store: Store, split: Split, tasks: tuple[str, ...]) -> tuple[Record, ...]:
    """Records that have a gold answer; kept, since every checkpoint is asked the same."""
    found = store.records(split=split, tasks=tasks)
    return tuple(record for record in found if record.answer is not None)


def _nothing(name: str, options: StoreTask) -> UserError:
    of_tasks = f"task {', '.join(options.tasks)}" if options.tasks else "a gold answer"
    rule = f"finds no {options.split} records of {options.source} with {of_tasks}"
    fix = "choose another split, or tasks whose records have gold answers"
    given = options.model_dump(exclude_defaults=True)
    return UserError(Problem(f"eval.tasks.{name}", given, rule, fix))


def majorities(store: Store) -> dict[str, str]:
    """Record task -> its most frequent gold in the training split; ties go to the lesser text."""
    rows = store.facts().select(["split", "task", "gold"]).to_pylist()
    learnt = (row for row in rows if row["split"] == "train" and row["gold"] is not None)
    return most_frequent((row["task"], row["gold"]) for row in learnt)


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
