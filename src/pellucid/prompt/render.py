"""The renderer: the one place where a conversation becomes token ids, and ids an answer.

The mask is built here, turn by turn, and never found again by looking at the ids. Everything that
the assistant is to generate is learnt: mode token, thinking, its close, answer, end of turn.

Leaves out on purpose: truncation (a conversation over budget is the caller's to refuse) and pixels.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_json
from pellucid.base.paths import resolve
from pellucid.prompt import folder as files
from pellucid.prompt.format import PELLUCID, PHI4, ChatFormat
from pellucid.prompt.parse import Parsed, parse
from pellucid.prompt.plan import plan
from pellucid.prompt.plan.own import load as load_own
from pellucid.prompt.rendered import SYSTEM_TURN, Rendered
from pellucid.prompt.strips import unstripped
from pellucid.prompt.tape import Tape
from pellucid.prompt.tokenizer import Tokenizer
from pellucid.prompt.turns import Override, check_prompt, groups, overridden, thinks
from pellucid.recipe.model import (
    BuildModel,
    DynamicImages,
    ImageOptions,
    Lead,
    PythonImages,
    Qwen2VlImages,
)
from pellucid.schema.record import Mode, Record, Role, Turn
from pellucid.schema.rollout import FinishReason

Sizes = Sequence[tuple[int, int]]
"""(width, height) in pixels of each image that parts may index."""


class Renderer:
    """Conversation format of a checkpoint.

    Args:
        tokenizer: holds every control string of the format.
        format: control strings.
        images: image strategy.
        patch_px: patch side in pixels.
        system: system text of conversations that bring none; empty for none. Control strings in it
            are control tokens, as where a published format shows what to write.
        keep_thinking: whether later turns are shown the thinking of earlier ones.

    Raises:
        UserError: the tokenizer lacks a control string, or the system text has an image.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        format: ChatFormat,
        images: ImageOptions,
        patch_px: int,
        system: str = "",
        keep_thinking: bool = False,
    ) -> None:
        self.tokenizer, self.format = tokenizer, format
        self.images, self.patch_px = images, patch_px
        self.system, self.keep_thinking = system, keep_thinking
        if format.image in system:
            rule, fix = "holds the placeholder of images", f"leave {format.image} out"
            raise UserError(Problem("prompt.system", system, rule, fix))
        self.pad_id = tokenizer.token_id(format.pad)
        self.start_id = tokenizer.token_id(format.turn_start)
        self._separator_id = (
            None if format.separator.isspace() else tokenizer.token_id(format.separator)
        )
        self.end_id = tokenizer.token_id(format.turn_end)
        self.image_id = tokenizer.token_id(format.image)
        self.think_id = tokenizer.token_id(format.think)
        self.think_close_id = tokenizer.token_id(format.think_close)
        self.nothink_id = tokenizer.token_id(format.nothink)
        self.mode_ids = (self.think_id, self.think_close_id, self.nothink_id)
        """Ids that say how an answer is given."""
        self.choice_ids = (self.think_id, self.nothink_id)
        """Ids of which one opens every answer."""
        self._around_image = [
            [tokenizer.token_id(control)] if control else []
            for control in (format.image_start, format.image_end)
        ]
        self._after_end = tokenizer.encode_text(format.after_end)
        ids, text = self._opened("assistant")
        self._assistant = [*ids, *tokenizer.encode_text(text + format.after_assistant_separator)]

    @classmethod
    def build(cls, options: BuildModel, beside: Path | None = None) -> "Renderer":
        """The renderer of a new model.

        Args:
            options: the recipe's slice.
            beside: folder of the decoder's published weights, which has the tokenizer.

        Raises:
            DiskError: the tokenizer file cannot be read.
            UserError: it is no tokenizer, or lacks a control string; an image strategy of the
                user's own is not there.
        """
        prompt = options.prompt
        named = resolve(prompt.tokenizer) if beside is None else beside / files.TOKENIZER
        tokenizer, format, system = Tokenizer.load(named), PELLUCID, prompt.system
        if prompt.format == "phi4":
            tokenizer, strips = unstripped(tokenizer)
            format, system = strips.format(PHI4), strips.within(system)
        images = options.images
        if isinstance(images, PythonImages):
            images = load_own(images)
        return cls(
            tokenizer, replace(format, lead=prompt.lead), images, options.vision.patch_px,
            system, prompt.keep_thinking,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> "Renderer":
        """The renderer of a checkpoint folder.

        Raises:
            DiskError: a file is missing.
            UserError: a file is damaged.
        """
        return cls(**files.read(folder))

    def led(self, lead: Lead) -> "Renderer":
        """The same with another lead."""
        return Renderer(
            self.tokenizer, replace(self.format, lead=lead), self.images, self.patch_px,
            self.system, self.keep_thinking,
        )  # fmt: skip

    def within(self, tokens: int, field: str = "model.max_image_tokens") -> "Renderer":
        """The same with at most so many tokens of an image.

        Args:
            tokens: how many.
            field: of the recipe that asks for it, for the message.

        Raises:
            UserError: its image strategy has no one budget to lower.
        """
        if not isinstance(self.images, DynamicImages | Qwen2VlImages):
            rule = f"cannot lower the budget of {self.images.kind}"
            raise UserError(Problem(field, tokens, rule, "leave it out, or drop what does not fit"))
        return Renderer(
            self.tokenizer, self.format, self.images.limited(tokens, self.patch_px), self.patch_px,
            self.system, self.keep_thinking,
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write the renderer's files; the same renderer gives the same bytes."""
        files.write(
            folder, self.tokenizer, self.format, self.images, self.patch_px,
            self.system, self.keep_thinking,
        )  # fmt: skip

    @property
    def hash(self) -> str:
        """Hash of everything that decides ids."""
        seen = {"images": self.images.model_dump(mode="json"), "patch_px": self.patch_px}
        return hash_json({**self._said, **seen})

    @property
    def text_hash(self) -> str:
        """Hash of what decides the ids of conversations without images."""
        return hash_json(self._said)

    @property
    def _said(self) -> dict[str, object]:
        return {
            "tokenizer": self.tokenizer.hash,
            "format": self.format.as_dict(),
            "system": self.system,
            "keep_thinking": self.keep_thinking,
        }

    def examples(self, record: Record, mode: Override = "as_is") -> list[Rendered]:
        """The training view: each assistant turn is learnt once, after the prompt it will meet.

        Args:
            record: the conversation.
            mode: overrides the mode of the last assistant turn. A mode that is not the record's
                own is given, as a caller would force it, and not learnt: it is never chosen.

        Returns:
            One example per group of turns (see `turns.groups`); none when nothing is supervised.

        Raises:
            ValueError: the record cannot be rendered; names it and the turn.
        """
        messages = overridden(record, mode)
        sizes = [(image.width, image.height) for image in record.images]
        forced = next(
            (
                index
                for index, (own, told) in enumerate(zip(record.messages, messages, strict=True))
                if thinks(own) != thinks(told)
            ),
            None,
        )
        return [
            self._example(messages, sizes, group, forced)
            for group in groups(messages, self.keep_thinking)
        ]

    def prompt(self, messages: Sequence[Turn], sizes: Sizes, mode: Mode = "auto") -> Rendered:
        """The serving view: ends with the opened assistant turn and, if forced, its mode token.

        Args:
            messages: the conversation, ending with a user turn.
            sizes: (width, height) in pixels of the images that parts index.
            mode: `think` and `nothink` prefill the mode token.

        Raises:
            UserError: the conversation cannot be answered.
        """
        check_prompt(messages, len(sizes))
        tape = self._context(messages, sizes)
        tape.write("control", len(messages), self._assistant)
        if mode != "auto":
            forced = self.think_id if mode == "think" else self.nothink_id
            tape.write("mode", len(messages), [forced])
        return tape.finish(mode)

    def parse(self, ids: Sequence[int], mode: Mode, finish_reason: FinishReason) -> Parsed:
        """Generated ids back to thinking, answer and outcome; never raises.

        Args:
            ids: what was generated, without a prefilled mode token.
            mode: that was asked for.
            finish_reason: why generation stopped.
        """
        return parse(self, ids, mode, finish_reason)

    def _example(
        self, messages: Sequence[Turn], sizes: Sizes, group: set[int], forced: int | None
    ) -> Rendered:
        last = max(group)
        tape = self._context(messages[: last + 1], sizes, group, forced)
        return tape.finish("think" if thinks(messages[last]) else "nothink")

    def _context(
        self,
        messages: Sequence[Turn],
        sizes: Sizes,
        learnt: set[int] | frozenset[int] = frozenset(),
        forced: int | None = None,
    ) -> Tape:
        """The turns, those in `learnt` supervised, but for the mode of turn `forced`.

        Thinking is shown where it is learnt or kept.
        """
        tape = Tape()
        if self.system and not (messages and messages[0].role == "system"):
            ids, text = self._opened("system")
            tape.write("control", SYSTEM_TURN, ids)
            tape.write("text", SYSTEM_TURN, self.tokenizer.encode_own(text + self.system))
            tape.write("control", SYSTEM_TURN, [self.end_id, *self._after_end])
        for index, turn in enumerate(messages):
            if turn.role == "assistant":
                shown = thinks(turn) and (self.keep_thinking or index in learnt)
                self._answered(tape, index, turn, shown, index in learnt, index != forced)
            else:
                self._asked(tape, index, turn, sizes)
        return tape

    def _opened(self, role: Role) -> tuple[list[int], str]:
        """How a turn opens: ids, and text that is one text with what follows to the tokenizer."""
        if self._separator_id is None:
            return [self.start_id], role + self.format.separator
        return [self.start_id, *self.tokenizer.encode_text(role), self._separator_id], ""

    def _asked(self, tape: Tape, index: int, turn: Turn, sizes: Sizes) -> None:
        """A system or user turn; neighbouring texts are one text to the tokenizer."""
        ids, text = self._opened(turn.role)
        tape.write("control", index, ids)
        before, after = self._around_image
        for part in turn.content:
            if part.type == "text":
                text += part.text or ""
                continue
            tape.write("text", index, self.tokenizer.encode_text(text))
            text = ""
            assert part.image is not None, "an image part has an index"
            planned = plan(self.images, self.patch_px, *sizes[part.image])
            tape.write("control", index, before)
            tape.image(index, part.image, planned, self.image_id)
            tape.write("control", index, after)
            text = self.format.after_image
        tape.write("text", index, self.tokenizer.encode_text(text))
        tape.write("control", index, [self.end_id, *self._after_end])

    def _answered(
        self, tape: Tape, index: int, turn: Turn, shown: bool, learnt: bool, chosen: bool
    ) -> None:
        """An assistant turn, with its thinking if `shown`; its mode is learnt if `chosen` too."""
        tape.write("control", index, self._assistant)
        mode = self.think_id if shown else self.nothink_id
        tape.write("mode", index, [mode], learnt and chosen)
        if shown:
            thinking = self.tokenizer.encode_text(self.format.lead + (turn.reasoning or ""))
            tape.write("thinking", index, thinking, learnt)
            tape.write("control", index, [self.think_close_id], learnt)
        answer = self.tokenizer.encode_text(self.format.lead + turn.text)
        tape.write("answer", index, answer, learnt)
        tape.write("control", index, [self.end_id], learnt)
        tape.write("control", index, self._after_end)
