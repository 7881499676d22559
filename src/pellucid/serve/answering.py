"""One answer on its way to the client: pieces that passed the filters, then how it ended.

The engine's stream is read in a thread of its own and handed to the event loop. A text is shown
only as far as no filter could still object to it; thinking is filtered before it is shown, too.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple, final

from pellucid.infer.stream import Delta, Stream
from pellucid.schema.rollout import Rollout
from pellucid.serve.filters import Filter

Channel = Literal["thinking", "answer"]


class Piece(NamedTuple):
    """Text that may be shown."""

    channel: Channel
    text: str


@final
class Gate:
    """Lets text through as far as no filter objects."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = filters
        self._held = ""
        self.blocked_by: str | None = None
        """Name of the filter that objected; nothing passes from then on."""

    def push(self, text: str, ended: bool = False) -> str:
        """What may be shown now that `text` has come; `ended` when nothing follows."""
        if self.blocked_by is not None:
            return ""
        self._held += text
        for filter_ in self._filters:
            if filter_.blocks(self._held, ended):
                self.blocked_by = filter_.name
                return ""
        cut = len(self._held)
        if not ended:
            cut = min([cut, *(filter_.safe(self._held) for filter_ in self._filters)])
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown


@final
class Answering:
    """Iterate once for the pieces; then `rollout` and `blocked_by` say how it ended."""

    def __init__(self, stream: Stream, filters: Sequence[Filter]) -> None:
        """Start reading; must be called in the event loop."""
        self._stream = stream
        self._gates: dict[Channel, Gate] = {"thinking": Gate(filters), "answer": Gate(filters)}
        self._deltas: asyncio.Queue[Delta | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.rollout: Rollout | None = None
        """The whole answer, after the last piece; None when the engine broke down."""
        self._thread = threading.Thread(target=self._pump, name="answer", daemon=True)
        self._thread.start()

    def wait(self) -> Rollout | None:
        """Block until the engine has let go of the request; the rollout."""
        self._thread.join()
        return self.rollout

    @property
    def blocked_by(self) -> str | None:
        """Name of the filter that stopped the answer."""
        return next((gate.blocked_by for gate in self._gates.values() if gate.blocked_by), None)

    def cancel(self) -> None:
        """Stop generating before the engine's next step."""
        self._stream.cancel()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        channel: Channel = "answer"
        while (delta := await self._deltas.get()) is not None:
            if self.blocked_by:
                continue  # the engine is stopping; wait for its last word
            if delta.channel == "control":
                shown = self._gates[channel].push("", ended=True)
            else:
                channel = delta.channel
                shown = self._gates[channel].push(delta.text)
            if shown:
                yield Piece(channel, shown)
            if self.blocked_by:
                self.cancel()
        shown = "" if self.blocked_by else self._gates[channel].push("", ended=True)
        if shown:
            yield Piece(channel, shown)

    def _pump(self) -> None:
        """Runs in a thread: every delta, then None when nothing more will come."""
        try:
            for delta in self._stream:
                self._tell(delta)
            self.rollout = self._stream.rollout()
        finally:
            self._tell(None)

    def _tell(self, delta: Delta | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deltas.put_nowait, delta)
        except RuntimeError:  # the event loop is closed: nobody listens any more
            self.cancel()
