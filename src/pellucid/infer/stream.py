"""One answer on its way: pieces of text as they become certain, and the rollout at the end.

A stream is fed by whoever steps the engine and read by whoever asked, maybe in another thread.
Left out on purpose: waiting with `async`; a server reads a stream in a worker thread.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal, final

from pellucid.prompt.render import Renderer
from pellucid.prompt.tokenizer import Detokenizer
from pellucid.schema.record import Mode
from pellucid.schema.rollout import Request, Rollout

Channel = Literal["thinking", "answer", "control"]


@dataclass(frozen=True, slots=True)
class Delta:
    """What one token added to the text. The texts of a channel, joined, are that part."""

    text: str
    """Often empty: a character may need several byte tokens."""
    channel: Channel
    """`control` spells mode tokens, `</think>` and the end out; they are never part of a text."""
    token_id: int | None
    """None for what was held back of a character that never became whole."""


@final
class Channels:
    """Sorts generated ids into channels by the control tokens among them."""

    def __init__(self, renderer: Renderer, mode: Mode) -> None:
        """Start where a prompt in `mode` ends: a forced mode token is prefilled."""
        self._tokenizer, self._lead = renderer.tokenizer, renderer.format.lead
        self._switches: dict[int, Channel] = {
            renderer.think_id: "thinking",
            renderer.think_close_id: "answer",
            renderer.nothink_id: "answer",
        }
        self._channel: Channel = "thinking" if mode == "think" else "answer"
        self._text = Detokenizer(self._tokenizer)
        self._opened = False

    def push(self, id_: int) -> list[Delta]:
        """The deltas of one more id."""
        if not self._tokenizer.is_control(id_):
            return [Delta(self._led(self._text.push(id_)), self._channel, id_)]
        deltas = self.finish()
        if id_ in self._switches:
            self._channel, self._opened = self._switches[id_], False
        return [*deltas, Delta(self._tokenizer.decode([id_]), "control", id_)]

    def finish(self) -> list[Delta]:
        """What is still held back."""
        left = self._led(self._text.finish())
        self._text = Detokenizer(self._tokenizer)
        return [Delta(left, self._channel, None)] if left else []

    def _led(self, text: str) -> str:
        """The text without the format's lead, if it opens a channel."""
        if self._opened or not text:
            return text
        self._opened = True
        return text.removeprefix(self._lead)


@final
class Stream:
    """An answer being generated. Iterate for its deltas; then ask for the rollout."""

    def __init__(self, request: Request, renderer: Renderer, advance: Callable[[], bool]) -> None:
        """Made by `Engine.submit`.

        Args:
            request: what was asked.
            renderer: of the model that answers.
            advance: does one step of the engine, or returns False when another thread does.
        """
        self.request = request
        self.cancelled = False
        self._advance = advance
        self._channels = Channels(renderer, request.mode)
        self._deltas: SimpleQueue[Delta | None] = SimpleQueue()
        self._closed = threading.Event()
        self._rollout: Rollout | None = None
        self._started = time.perf_counter()

    def __iter__(self) -> Iterator[Delta]:
        while (delta := self._next()) is not None:
            yield delta
        self._deltas.put(None)

    def cancel(self) -> None:
        """Give the slot back before the next step; a finished answer stays as it is."""
        self.cancelled = True

    def rollout(self) -> Rollout:
        """The whole answer; waits for it."""
        while not self._closed.is_set():
            if not self._advance():
                self._closed.wait()
        assert self._rollout is not None, "a closed stream has its rollout"
        return self._rollout

    @property
    def age_s(self) -> float:
        """Seconds since the request came."""
        return time.perf_counter() - self._started

    def push(self, id_: int) -> None:
        """Called by the engine: one more generated id."""
        for delta in self._channels.push(id_):
            self._deltas.put(delta)

    def close(self, rollout: Rollout) -> None:
        """Called by the engine, once: nothing more will come."""
        for delta in self._channels.finish():
            self._deltas.put(delta)
        self._rollout = rollout
        self._closed.set()
        self._deltas.put(None)

    def _next(self) -> Delta | None:
        while self._deltas.empty() and self._advance():
            pass
        return self._deltas.get()
