"""How long a record is to a model in every mode that it may be seen in, from headers alone.

Rendered twice at most: as it is equals one of the two modes, whichever the last answer has. Leaves
out on purpose: keeping what was found (`store/lengths`), and budgets (`train/lengths`).
"""

from typing import Literal, TypedDict

from pellucid.prompt.render import Renderer
from pellucid.prompt.turns import assistants, overridden, thinks
from pellucid.schema.record import Record

Shown = Literal["nothink", "think"]


class ExampleLength(TypedDict):
    """One example."""

    mode: str
    """Of its last turn."""
    tokens: int
    patches: int
    supervised: int
    """Tokens that are learnt."""


class RecordLengths(TypedDict):
    """One record."""

    id: str
    own: Shown | None
    """The mode that it is seen in as it is; None where it cannot be rendered so."""
    nothink: list[ExampleLength] | None
    """Its examples when the last answer is given without thinking; None where they cannot be."""
    think: list[ExampleLength] | None
    """The same with thinking; None where there is no reasoning."""


def measure(record: Record, renderer: Renderer) -> RecordLengths:
    """Lengths of one record; what cannot be rendered is None, and says why when it is asked for.

    Raises:
        UserError: an image strategy of the user's own fails on it.
    """
    turns = assistants(record.messages)
    last = record.messages[turns[-1]] if turns else None
    able = last is not None and bool(last.reasoning)
    return RecordLengths(
        id=record.id,
        own=_own(record, last is not None and thinks(last)),
        nothink=_examples(record, renderer, "nothink"),
        think=_examples(record, renderer, "think") if able else None,
    )


def _own(record: Record, thinking: bool) -> Shown | None:
    try:
        overridden(record, "as_is")
    except ValueError:
        return None
    return "think" if thinking else "nothink"


def _examples(record: Record, renderer: Renderer, mode: Shown) -> list[ExampleLength] | None:
    try:
        examples = renderer.examples(record, mode)
    except ValueError:
        return None
    return [
        ExampleLength(
            mode=one.mode,
            tokens=len(one.ids),
            patches=sum(plan.patches for plan in one.plans),
            supervised=sum(one.supervised),
        )
        for one in examples
    ]
