"""A conversation with one model on this machine: turns, pictures, and the answer as it comes.

Leaves out on purpose: keeping conversations on disk, and tools. An endpoint is `flow.serving`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import final

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.flow.models import CONTEXT, find_model
from pellucid.infer.engine import Engine
from pellucid.infer.stream import Stream
from pellucid.model.vision.picture import decode
from pellucid.schema.record import MODES, Mode, Turn, assistant, user
from pellucid.schema.rollout import Request, Rollout


@dataclass(frozen=True, slots=True)
class Settings:
    """How questions are answered."""

    mode: Mode = "auto"
    max_new_tokens: int = 256
    temperature: float = 0.0
    """0 is greedy."""
    seed: int = 0


@final
class Conversation:
    """What was said so far. `ask`, read the stream, then `keep` what came."""

    def __init__(self, engine: Engine) -> None:
        """An empty conversation with the engine's model."""
        self._engine = engine
        self._turns: list[Turn] = []
        self._images: list[bytes] = []
        self._numbers = count()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Questions and answers that were kept."""
        return tuple(self._turns)

    def clear(self) -> None:
        """Forget everything that was said and shown."""
        self._turns, self._images = [], []

    def ask(self, text: str, images: Sequence[bytes], settings: Settings) -> Stream:
        """The answer on its way; nothing is kept yet.

        Args:
            text: the question.
            images: encoded pictures that stand before the text.
            settings: mode, budget, temperature and seed.

        Raises:
            UserError: there is no question, or a setting is none.
        """
        if not text.strip():
            raise UserError(Problem("question", text, "is empty", "ask something"))
        if settings.mode not in MODES:
            fix = did_you_mean(settings.mode, MODES)
            raise UserError(Problem("mode", settings.mode, "is no mode", fix))
        if settings.max_new_tokens < 1:
            rule = "is not a number of tokens"
            raise UserError(
                Problem("max_tokens", settings.max_new_tokens, rule, "ask for 1 or more")
            )
        if not settings.temperature >= 0:
            rule, fix = "is no temperature", "give 0 (greedy) or more"
            raise UserError(Problem("temperature", settings.temperature, rule, fix))
        request = Request(
            id=f"chat-{next(self._numbers)}",
            messages=(*self._turns, self._turn(text, images)),
            images=(*self._images, *images),
            mode=settings.mode,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
        )
        return self._engine.submit(request)

    def keep(self, text: str, images: Sequence[bytes], rollout: Rollout) -> None:
        """Add a question and its answer to what later questions are asked after.

        Raises:
            UserError: the model gave no answer; the conversation stays as it was.
        """
        if rollout.finish_reason == "error":
            raise UserError(Problem("question", text, f"cannot be asked: {rollout.error}", _MEND))
        if rollout.answer is None:
            rule = "got no answer"
            if rollout.outcome == "truncated":
                fix = f"raise --max-tokens (it stopped after {len(rollout.token_ids)} tokens)"
            else:
                rule, fix = "got an answer that breaks the format", "ask in another mode"
            raise UserError(Problem("question", text, rule, fix))
        self._turns += [self._turn(text, images), assistant(rollout.answer)]
        self._images += images

    def _turn(self, text: str, images: Sequence[bytes]) -> Turn:
        first = len(self._images)
        return user(*range(first, first + len(images)), text)


_MEND = "ask something shorter, or start a new conversation"


def open_conversation(
    reference: str, home: Path, context_tokens: int | None = None
) -> Conversation:
    """A conversation with a model.

    Args:
        reference: a checkpoint folder, or a name in the catalog.
        home: the workspace.
        context_tokens: longest conversation; the model's, but at most `CONTEXT`, when None.

    Raises:
        UserError: there is no such model, or its checkpoint is damaged.
        DiskError: a file is missing.
    """
    folder = find_model(reference, home).folder
    engine = Engine.load(folder, slots=1, context_tokens=context_tokens, at_most=CONTEXT)
    return Conversation(engine)


def read_picture(path: Path) -> bytes:
    """An encoded picture from disk, checked.

    Raises:
        UserError: the file holds no picture.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    decode(data, str(path))
    return data
