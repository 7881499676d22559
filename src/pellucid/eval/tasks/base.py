"""An item: one question that a task asks, in every mode.

Leaves out on purpose: prompts of its own. The question is the record's, word for word.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

from pellucid.schema.evidence import Evidence
from pellucid.schema.record import ImageRef, Mode, Record, Turn
from pellucid.schema.rollout import Request
from pellucid.score import Checked
from pellucid.store import Store


@dataclass(frozen=True, slots=True)
class Item:
    """A question and what its answer is checked with."""

    id: str
    """`<task>/<record id>`."""
    record: Record
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

    @property
    def cluster(self) -> str:
        """What it shares with other items (a scene, a picture), else its id."""
        return self.record.source.group or self.id

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


Items = Callable[[str, Any, Store, int], list[Item]]
"""Items of a task, from its name, its options, its store and the seed of the evaluation."""
