"""An item: one question that a task asks, in every mode; and what all tasks share.

Leaves out on purpose: prompts of its own. The question is the record's, word for word, or what a
function of the user's makes of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.seeds import derive
from pellucid.recipe.eval import AskingTask
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer, ImageRef, Mode, Record, Turn
from pellucid.schema.rollout import Request
from pellucid.score import KINDS, Checked, own_scorer
from pellucid.store import Store


@dataclass(frozen=True, slots=True)
class Item:
    """A question and what its answer is checked with."""

    id: str
    """`<task>/<record id>`; of several of one record, the second and later end in `.1`, `.2`."""
    record: Record
    """What it is about; its answer is the gold of this item."""
    messages: tuple[Turn, ...]
    """What is asked: the conversation up to the answer, which is left out."""
    images: tuple[ImageRef, ...]
    """Images that `messages` show, in the order that their parts index."""
    scorer: Checked
    """What checks its answers."""
    guess: str | None = None
    """The most frequent gold of its kind in training; None where training has none."""
    blank: bool = False
    """Whether its pictures are hidden behind grey ones."""
    made: Mapping[str, Any] | None = None
    """Of an item that no record holds: its question, and the rest of its gold, for its rows."""

    @property
    def cluster(self) -> str:
        """What it shares with other items (a scene, a picture, its record), else its id."""
        alone = self.id if self.made is None else self.record.id
        return self.record.source.group or alone

    def request(self, store: Store, mode: Mode, max_new_tokens: int, seed: int) -> Request:
        """What a generator is asked: greedy, with the images' bytes.

        Args:
            store: that the record comes from.
            mode: of the answer.
            max_new_tokens: budget, thinking included.
            seed: of the evaluation.
        """
        return Request(
            id=f"{self.id}/{mode}",
            messages=self.messages,
            images=tuple(
                grey(image.width, image.height) if self.blank else store.image(image.sha256)
                for image in self.images
            ),
            mode=mode,
            max_new_tokens=max_new_tokens,
            seed=seed,
        )

    def evidence(self, max_new_tokens: int) -> Evidence:
        """What the scorer may know."""
        return Evidence(self.record.answer, self.record.evidence, max_new_tokens)


@lru_cache(maxsize=64)
def grey(width: int, height: int) -> bytes:
    """An evenly mid-grey PNG of a size in pixels."""
    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (width, height), (128, 128, 128)).save(out, "PNG")
    return out.getvalue()


def drawn(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most so many of the items, in their order; a larger limit only adds to them.

    Chosen by record, so that tasks over one source ask the same: blank pictures beside real ones.
    """
    if limit is None:
        return list(items)
    some = sorted(items, key=lambda item: derive(seed, "limit", item.record.id))[:limit]
    kept = {item.id for item in some}
    return [item for item in items if item.id in kept]


def most_frequent(golds: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Record task -> its most frequent gold, from pairs of both; ties go to the lesser text."""
    found: dict[str, Counter[str]] = {}
    for task, gold in golds:
        found.setdefault(task, Counter())[gold] += 1
    return {
        task: min(counts, key=lambda gold: (-counts[gold], gold)) for task, counts in found.items()
    }


def own_of(task: str, options: AskingTask, golds: Iterable[Answer] = ()) -> Checked | None:
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


def check_kinds(task: str, options: AskingTask, golds: Iterable[Answer]) -> None:
    """Check that something scores every gold.

    Raises:
        UserError: there are golds of a kind that no scorer checks.
    """
    unknown = set() if options.scorer else {gold.kind for gold in golds} - set(KINDS)
    if unknown:
        rule = "has answers of kinds that no scorer checks"
        fix = "choose other tasks of the source, or name a scorer of your own"
        raise UserError(Problem(f"eval.tasks.{task}", sorted(unknown), rule, fix))


Items = Callable[[str, Any, Store, int], list[Item]]
"""Items of a task, from its name, its options, its store and the seed of the evaluation."""
