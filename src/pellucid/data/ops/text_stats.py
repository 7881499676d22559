"""Statistics of what a record says: lengths, signs, repetition; what text filters go by.

Leaves out on purpose: filtering. A mix asks for bounds on these columns (`where`).
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pellucid.data.duplicates import words
from pellucid.data.ops.base import Images, Over, Resources
from pellucid.data.statistics.measure import COUNTS, SHARES, measure
from pellucid.data.texts import spoken

Said = Literal["question", "reply", "all"]

BATCH_BYTES = 1 << 18
"""Text that is measured at a time, so that it stays in the cache of a core."""


@dataclass(frozen=True, slots=True)
class TextStats:
    """The operator; as `base.Operator`."""

    of: Said = "all"
    """Whose words: all that the user says, all that the assistant says (thinking first), or every
    turn."""
    version: int = field(default=1, init=False)
    over: Over = field(default="records", init=False)
    needs: tuple[str, ...] = field(
        default=(
            "id", "messages.list.element.role", "messages.list.element.content", "answer.gold",
            "messages.list.element.reasoning",
        ),
        init=False,
    )  # fmt: skip
    needs_images: bool = field(default=False, init=False)
    resources: Resources = field(default=Resources(), init=False)

    @property
    def name(self) -> str:
        """`text_stats`, or `question_stats` or `reply_stats`, which may stand beside it."""
        return "text_stats" if self.of == "all" else f"{self.of}_stats"

    @property
    def gives(self) -> pa.Schema:
        """Counts and shares; docs/text-statistics.md says what each is."""
        return pa.schema(
            [
                ("id", pa.string()),
                *((name, pa.int32()) for name in COUNTS),
                *((name, pa.float64()) for name in SHARES),
            ]
        )

    @property
    def params(self) -> dict[str, Any]:
        """What else decides the numbers."""
        return {"of": self.of}

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        """Statistics of a shard's records."""
        said = spoken(table)
        texts = {"question": said.question, "reply": said.reply, "all": said.all}[self.of]
        parts = [measure(batch) for batch in words.batches(texts, BATCH_BYTES)]
        columns = {
            name: np.concatenate([part[name] for part in parts] or [np.zeros(0)])
            for name in (*COUNTS, *SHARES)
        }
        return pa.table({"id": said.ids, **columns}).cast(self.gives)
