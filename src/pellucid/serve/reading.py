"""From the body of a request to what the engine is asked, or to the error that is sent back."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.recipe.serve import ServeOptions
from pellucid.schema.record import ImageRef, Mode, Part, Turn, faults
from pellucid.schema.rollout import Request
from pellucid.serve import limits
from pellucid.serve.api import (
    ApiError,
    AssistantMessage,
    ChatRequest,
    ImagePart,
    SystemMessage,
    TextPart,
    UserMessage,
    parse,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered."""

    request: Request
    """What the engine is asked."""
    stream: bool
    include_usage: bool
    texts: tuple[str, ...]
    """Every text of the conversation, for the filters."""


def read(body: bytes, id: str, model: str, options: ServeOptions) -> Asked:
    """Check a request whole and translate it.

    Args:
        body: JSON.
        id: the reply's id; comes back on the rollout.
        model: name of the served model.
        options: the limits.

    Raises:
        ApiError: what is wrong with it.
    """
    asked = parse(body)
    _check_settings(asked, model)
    count = sum(isinstance(part, ImagePart) for turn in asked.messages for part in turn.content)
    limits.check_image_count(count, options)
    turns, images, refs = _conversation(asked, options)
    found = faults(turns, tuple(refs))
    if not found and turns[-1].role != "user":
        found = ["the last message is not the user's"]
    if found:
        raise ApiError(400, "; ".join(found), "invalid_conversation", "messages")
    temperature = asked.temperature or 0.0
    request = Request(
        id=id,
        messages=turns,
        images=tuple(images),
        mode=_mode(asked),
        max_new_tokens=limits.budget(asked, options),
        temperature=temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        seed=_seed(asked, temperature),
    )
    texts = tuple(text for turn in turns for text in (turn.text, turn.reasoning) if text)
    usage = asked.stream_options is not None and asked.stream_options.include_usage
    return Asked(request, bool(asked.stream), usage, texts)


def _check_settings(asked: ChatRequest, model: str) -> None:
    if asked.model != model:
        message = f"the model {asked.model!r} is not served here; this is {model!r}"
        raise ApiError(404, message, "model_not_found", "model")
    if asked.n not in (None, 1):
        raise ApiError(400, "n must be 1; send the request again instead", "invalid_value", "n")
    if asked.stop:
        message = "stop is not supported: an answer ends where the model ends it"
        raise ApiError(400, message, "unsupported_parameter", "stop")
    if asked.stream_options and not asked.stream:
        message = "stream_options is only for streamed replies; set stream to true"
        raise ApiError(400, message, "invalid_value", "stream_options")


def _mode(asked: ChatRequest) -> Mode:
    """`mode`, or what `chat_template_kwargs` says; the model chooses when neither is given."""
    settings = asked.chat_template_kwargs
    if settings is None:
        return asked.mode or "auto"
    told: Mode = "think" if settings.enable_thinking else "nothink"
    if asked.mode not in (None, told):
        message = f"mode={asked.mode} and enable_thinking={settings.enable_thinking} disagree"
        raise ApiError(400, message, "invalid_value", "mode")
    return told


def _seed(asked: ChatRequest, temperature: float) -> int:
    """The caller's seed; for a sampled answer without one a fresh seed, which the audit keeps."""
    if asked.seed is not None:
        return asked.seed
    return secrets.randbits(32) if temperature > 0 else 0


def _conversation(
    asked: ChatRequest, options: ServeOptions
) -> tuple[tuple[Turn, ...], list[bytes], list[ImageRef]]:
    turns: list[Turn] = []
    images: list[bytes] = []
    refs: list[ImageRef] = []
    for place, message in enumerate(asked.messages):
        parts: list[Part] = []
        for index, part in enumerate(message.content):
            param = f"messages.{place}.content.{index}"
            if isinstance(part, TextPart):
                parts.append(Part("text", part.text))
                continue
            if message.role != "user":
                rule = f"an image stands in a {message.role} message; only users send images"
                raise ApiError(400, rule, "invalid_value", param)
            data = limits.image_bytes(part.image_url.url, param)
            refs.append(limits.image_ref(data, options, param))
            parts.append(Part("image", image=len(images)))
            images.append(data)
        turns.append(_turn(message, parts))
    return tuple(turns), images, refs


def _turn(message: SystemMessage | UserMessage | AssistantMessage, parts: Sequence[Part]) -> Turn:
    if isinstance(message, AssistantMessage):
        thinking = message.reasoning_content or message.reasoning or None
        return Turn("assistant", tuple(parts), "think" if thinking else "nothink", thinking)
    return Turn("user" if isinstance(message, UserMessage) else "system", tuple(parts))
