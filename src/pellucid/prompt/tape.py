"""What a conversation is written on: ids, mask, spans and images grow together."""

from collections.abc import Sequence

from pellucid.prompt.plan.base import Plan
from pellucid.prompt.rendered import Rendered, Span, SpanKind
from pellucid.schema.record import Mode


class Tape:
    """Collects runs of ids; `finish` makes them a `Rendered`."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._supervised: list[bool] = []
        self._spans: list[Span] = []
        self._images: list[int] = []
        self._plans: list[Plan] = []

    def write(
        self, kind: SpanKind, turn: int, ids: Sequence[int], supervised: bool = False
    ) -> None:
        """Append a run; an empty one leaves no span."""
        if not ids:
            return
        start = len(self._ids)
        self._ids += ids
        self._supervised += [supervised] * len(ids)
        self._spans.append(Span(kind, turn, start, len(self._ids)))

    def image(self, turn: int, index: int, plan: Plan, placeholder: int) -> None:
        """Append the placeholders of one image."""
        self._images.append(index)
        self._plans.append(plan)
        self.write("image", turn, [placeholder] * plan.tokens)

    def finish(self, mode: Mode) -> Rendered:
        """Everything written, frozen."""
        return Rendered(
            ids=tuple(self._ids),
            supervised=tuple(self._supervised),
            spans=tuple(self._spans),
            images=tuple(self._images),
            plans=tuple(self._plans),
            mode=mode,
        )
