"""The in-process engine: continuous batching over a fixed number of slots.

    submit  ->  waiting  ->  prefill into a free slot  ->  one token per step  ->  rollout

One request's answer is the same to the last bit whatever is answered beside it (see `slots`,
`sampling`). `generate` (a whole list, in order) and `submit` (one stream) share one core: `step`.
Steps are done by whoever waits for an answer, or, after `start`, by a background thread.

What a caller gets wrong, and images that cannot be read, come back as failed rollouts. Left out on
purpose: preemption, priorities, and any cache that outlives a call (weights may change between
calls, and an old encoding would be silently wrong).
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_file, hash_json
from pellucid.infer.intake import Prompt, read
from pellucid.infer.sampling import draw, uniform
from pellucid.infer.slots import Prefilled, Slots
from pellucid.infer.stream import Stream
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.schema.rollout import FinishReason, Request, Rollout

UNREAD = Prompt(None, 0, "")
"""The prompt of a request that never got a slot."""


@dataclass(slots=True)
class Seat:
    """A conversation in a slot."""

    stream: Stream
    prompt: Prompt
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    drawn_logprobs: list[float] = field(default_factory=list)


class Shared(NamedTuple):
    """The newest prefill of a group, and the request that it belongs to."""

    request: Request
    prompt: Prompt
    prefilled: Prefilled


@final
class Engine:
    """Generates with one model. Implements `schema.ports.Generator`."""

    def __init__(
        self,
        model: PellucidForConditionalGeneration,
        processor: Processor,
        slots: int,
        context_tokens: int,
        model_id: str,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        """Allocate the slots.

        Args:
            model: in evaluation mode, on `device`; the engine sees its weights as they are when a
                step runs.
            processor: of the same checkpoint.
            slots: answers generated side by side. Answers do not depend on each other, but their
                last bits may depend on this number.
            context_tokens: longest conversation, answer included.
            model_id: what rollouts are said to come from.
            device: "cpu", "cuda" or "mps".
            dtype: arithmetic, "float32" or "bfloat16".
        """
        assert slots >= 1, f"an engine needs a slot, got {slots}"
        self._model, self._model_id = model, model_id
        self._device, self._dtype = device, dtype
        self._processor, self._renderer = processor, processor.renderer
        self._context_tokens = context_tokens
        self._slots = Slots(model, self._renderer, slots, context_tokens, device, dtype)
        self._seats: list[Seat | None] = [None] * slots
        self._waiting: deque[Stream] = deque()
        self._shared: Shared | None = None
        self._lock = threading.Lock()  # held while a step runs
        self._gate = threading.Lock()  # held while the queue changes; never across a step
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.steps = 0
        """Decoding steps done."""
        self.generated_tokens = 0
        """Tokens generated for all requests."""

    @classmethod
    def load(
        cls,
        folder: Path,
        slots: int,
        device: str = "cpu",
        dtype: str = "float32",
        context_tokens: int | None = None,
        at_most: int | None = None,
    ) -> "Engine":
        """An engine for a checkpoint folder.

        Args:
            folder: the checkpoint, in Hugging Face layout.
            slots: answers generated side by side.
            device: "cpu", "cuda" or "mps".
            dtype: of weights and arithmetic, "float32" or "bfloat16".
            context_tokens: longest conversation; what the model was built for when None.
            at_most: of that, where `context_tokens` is None: every slot reserves so much.

        Raises:
            UserError: the checkpoint is damaged, or has a shorter context than asked for.
            DiskError: a file is missing.
        """
        kind = torch.bfloat16 if dtype == "bfloat16" else torch.float32
        model, renderer = checkpoint.load(folder, device, kind)
        built = int(model.config.text_config.max_position_embeddings)
        longest = context_tokens or min(built, at_most or built)
        if longest > built:
            rule, fix = "is more than the model was built for", f"give at most {built}"
            raise UserError(Problem("context_tokens", longest, rule, fix))
        files = sorted(path for path in folder.iterdir() if path.is_file())
        model_id = hash_json({path.name: hash_file(path) for path in files})
        return cls(model, Processor(renderer), slots, longest, model_id, device, dtype)

    def resized(self, slots: int) -> "Engine":
        """Another engine on the same weights, with its own slots."""
        shared = self._model, self._processor, slots, self._context_tokens, self._model_id
        return Engine(*shared, self._device, self._dtype)

    @property
    def model_id(self) -> str:
        """Content hash of the checkpoint, or what the constructor was given."""
        return self._model_id

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._device

    @property
    def slots(self) -> int:
        """Answers generated side by side."""
        return len(self._seats)

    @property
    def cache_bytes(self) -> int:
        """Memory of the keys and values of all slots."""
        return self._slots.cache_bytes

    @property
    def active(self) -> int:
        """Slots in use."""
        return sum(seat is not None for seat in self._seats)

    @property
    def waiting(self) -> int:
        """Requests without a slot."""
        return len(self._waiting)

    def submit(self, request: Request) -> Stream:
        """Queue one request; without `start`, reading the stream does the work."""
        stream = Stream(request, self._renderer, self._advance)
        with self._gate:
            self._waiting.append(stream)
        self._wake.set()
        return stream

    def generate(self, requests: Iterable[Request]) -> Iterator[Rollout]:
        """Yield one rollout per request, in the order of the requests.

        Requests of one `group` should stand together: they share one prefill. At most two per
        slot are queued at once, so `latency_s` does not count the length of the list.
        """
        queued: deque[Stream] = deque()
        try:
            for request in requests:
                if len(queued) == 2 * len(self._seats):
                    yield queued.popleft().rollout()
                queued.append(self.submit(request))
            while queued:
                yield queued.popleft().rollout()
        finally:
            for stream in queued:
                stream.cancel()
            with self._lock:
                self._drop_cancelled()
                self._shared = None

    def start(self) -> None:
        """Let a background thread do the steps, until `stop`."""
        assert self._thread is None, "the engine was started already"
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background thread; what is unfinished comes back as failed."""
        thread = self._thread
        if thread is not None:
            self._stopping = True
            self._wake.set()
            thread.join()

    def step(self) -> bool:
        """Fill free slots, then generate one token in every used one; False when idle."""
        # Not inference mode: what the model keeps from a step (layouts) must serve training too.
        with self._lock, torch.no_grad():
            self._drop_cancelled()
            for slot in range(self._slots.count):
                while self._seats[slot] is None and (stream := self._pop()):
                    self._seat(slot, stream)
            if self.active:
                self._decode()
                return True
            self._shared = None
            return False

    def _advance(self) -> bool:
        """One step for a waiting reader, unless the background thread does them."""
        if self._thread is not None:
            return False
        self.step()
        return True

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                if not self.step():
                    self._wake.wait()
        finally:
            # Also after a bug of ours: no reader may wait for ever.
            self._thread = None
            with self._lock:
                self._abandon("the engine was stopped")

    def _seat(self, slot: int, stream: Stream) -> None:
        """Prefill a request into a free slot and draw its first token."""
        try:
            prompt, logits = self._prefill(slot, stream.request)
        except BaseException:
            # A bug of ours, or no memory: the caller hears of it, the reader is not left waiting.
            self._close(Seat(stream, UNREAD), "error", "the engine failed on this request")
            raise
        seat = Seat(stream, prompt)
        if logits is None:
            self._close(seat, "error", prompt.refusal)
            return
        self._seats[slot] = seat
        self._take({0: slot}, logits)

    def _prefill(self, slot: int, request: Request) -> tuple[Prompt, Float[Tensor, "1 v"] | None]:
        shared = self._shared
        if shared and _same_prompt(shared.request, request):
            return shared.prompt, self._slots.restore(slot, shared.prefilled)
        prompt = read(request, self._processor, self._context_tokens)
        if prompt.example is None:
            return prompt, None
        logits = self._slots.prefill(slot, prompt.example)
        if request.group:
            self._shared = Shared(request, prompt, self._slots.keep(slot, logits))
        return prompt, logits

    def _decode(self) -> None:
        last = [seat.ids[-1] if seat else None for seat in self._seats]
        logits = self._slots.decode(last)
        self.steps += 1
        self._take({slot: slot for slot, seat in enumerate(self._seats) if seat}, logits)

    def _take(self, rows: dict[int, int], logits: Float[Tensor, "n v"]) -> None:
        """Draw the next token of the slots whose logits stand in `rows` (row -> slot)."""
        temperature, top_p, numbers = [0.0] * len(logits), [1.0] * len(logits), [0.0] * len(logits)
        for row, slot in rows.items():
            seat = self._at(slot)
            request = seat.stream.request
            temperature[row], top_p[row] = request.temperature, request.top_p
            numbers[row] = uniform(request.seed, len(seat.ids))
        asked = torch.tensor([temperature, top_p, numbers], dtype=torch.float64)
        drawn = [column.tolist() for column in draw(logits, *asked)]
        for row, slot in rows.items():
            token, logprob, drawn_logprob = (column[row] for column in drawn)
            self._append(slot, token, logprob, drawn_logprob)

    def _append(self, slot: int, token: int, logprob: float, drawn_logprob: float) -> None:
        """Add a token to an answer, and finish the answer when it is whole."""
        seat = self._at(slot)
        request = seat.stream.request
        if not isfinite(logprob):
            self._slots.scrub(slot)
            self._finish(slot, "error", "the model's logits are not finite")
            return
        seat.ids.append(token)
        seat.logprobs.append(logprob)
        if request.temperature > 0:
            seat.drawn_logprobs.append(drawn_logprob)
        self.generated_tokens += 1
        seat.stream.push(token)
        room = self._context_tokens - seat.prompt.tokens
        if token == self._renderer.end_id:
            self._finish(slot, "stop")
        elif len(seat.ids) >= min(request.max_new_tokens, room):
            self._finish(slot, "length")

    def _finish(self, slot: int, reason: FinishReason, error: str = "") -> None:
        seat = self._at(slot)
        self._seats[slot] = None
        self._slots.free(slot)
        self._close(seat, reason, error)

    def _close(self, seat: Seat, reason: FinishReason, error: str = "") -> None:
        """Hand the rollout over."""
        request, ids = seat.stream.request, tuple(seat.ids)
        parsed = self._renderer.parse(ids, request.mode, reason)
        seat.stream.close(
            Rollout(
                request_id=request.id,
                mode=request.mode,
                chosen=parsed.chosen,
                prompt_hash=seat.prompt.hash,
                prompt_tokens=seat.prompt.tokens,
                token_ids=ids,
                logprobs=tuple(seat.logprobs),
                drawn_logprobs=tuple(seat.drawn_logprobs),
                text=parsed.text,
                thinking=parsed.thinking,
                answer=parsed.answer,
                outcome=parsed.outcome,
                finish_reason=reason,
                thinking_tokens=parsed.thinking_tokens,
                latency_s=seat.stream.age_s,
                error=error,
            )
        )

    def _drop_cancelled(self) -> None:
        """Free the slots and queue places of cancelled streams."""
        for slot, seat in enumerate(self._seats):
            if seat and seat.stream.cancelled:
                self._finish(slot, "cancelled")
        with self._gate:
            gone = [stream for stream in self._waiting if stream.cancelled]
            for stream in gone:
                self._waiting.remove(stream)
        for stream in gone:
            self._close(Seat(stream, UNREAD), "cancelled")

    def _abandon(self, why: str) -> None:
        """Fail everything that is unfinished."""
        for slot, seat in enumerate(self._seats):
            if seat:
                self._finish(slot, "error", why)
        while stream := self._pop():
            self._close(Seat(stream, UNREAD), "error", why)

    def _pop(self) -> Stream | None:
        """The request that waited longest."""
        with self._gate:
            return self._waiting.popleft() if self._waiting else None

    def _at(self, slot: int) -> Seat:
        seat = self._seats[slot]
        assert seat is not None, f"slot {slot} is empty"
        return seat


def _same_prompt(one: Request, other: Request) -> bool:
    """Whether a group's prefill serves another request; the group's name is only a hint."""
    return (
        one.group == other.group
        and one.mode == other.mode
        and one.messages == other.messages
        and one.images == other.images
    )
