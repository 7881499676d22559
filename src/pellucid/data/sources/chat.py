"""Chat messages, as OpenAI's API and Hugging Face's templates have them, and LLaVA turns.

A message has a role and a content: a text, or a list of parts. What differs between the two is how
a part says which picture it is; that is told by the caller. Texts are taken as they stand: a user
may write `<image>`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.lookup import did_you_mean
from pellucid.data.llava import RowFault
from pellucid.schema.record import Part, Turn

_SPEAKERS = {"user": "human", "assistant": "gpt", "system": "system", "developer": "system"}
_ROLES = {"human": "user", "gpt": "assistant", "system": "system"}
_REASONING = ("reasoning_content", "reasoning")


def turns(messages: object, picture: Callable[[dict[str, Any]], int]) -> list[dict[str, Any]]:
    """Messages as LLaVA turns.

    Args:
        messages: the list of a row.
        picture: the index of the image that an image part shows; raises RowFault.

    Raises:
        RowFault: what is wrong with them.
    """
    if not isinstance(messages, list) or not messages:
        raise RowFault(messages, "is no conversation", "write `messages` as a list of messages")
    return [_turn(message, picture) for message in messages]


def _turn(message: object, picture: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise RowFault(message, "is not a message", 'write {"role": "user", "content": "..."}')
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in _SPEAKERS:
        raise RowFault(role, "is not a role", did_you_mean(str(role), _SPEAKERS))
    turn: dict[str, Any] = {"from": _SPEAKERS[role]}
    if role == "assistant":
        thought = next((message[name] for name in _REASONING if message.get(name)), None)
        said = {"reasoning": thought, "mode": message.get("mode"), "weight": message.get("weight")}
        turn |= {name: value for name, value in said.items() if value is not None}
        text = _only_text(content)
        if text is not None and len(turn) == 1:
            return {**turn, "value": text}  # its thinking, if any, stands in its text
    if isinstance(content, str):
        if not content:
            raise RowFault(content, "is an empty or missing text", "write `content` as a text")
        return {**turn, "value": [{"type": "text", "text": content}]}
    if not isinstance(content, list) or not content:
        fix = "write `content` as a text or a list of parts"
        raise RowFault(content, "is an empty or missing text", fix)
    return {**turn, "value": [_part(part, picture) for part in content]}


def _only_text(content: object) -> str | None:
    """The text of a content that is nothing else."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("text") if content[0].get("type") == "text" else None
    return content if isinstance(content, str) else None


def _part(part: object, picture: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
    if isinstance(part, dict):
        if part.get("type") in ("text", "input_text") and isinstance(part.get("text"), str):
            return {"type": "text", "text": part["text"]}
        if part.get("type") in ("image", "image_url", "input_image"):
            return {"type": "image", "image": picture(part)}
    fix = 'write {"type": "text", "text": "..."} or a picture'
    raise RowFault(part, "is no part of a message", fix)


def messages(
    record_turns: Sequence[Turn], image: Callable[[Part], dict[str, Any]], always_parts: bool
) -> list[dict[str, Any]]:
    """Turns as messages that `turns` reads as the same ones.

    Args:
        record_turns: of a record.
        image: the part for an image.
        always_parts: write lists of parts even for one text; a table's column has one type.
    """
    found = []
    for turn in record_turns:
        message: dict[str, Any] = {
            "role": turn.role,
            "content": _content(turn, image, always_parts),
        }
        if turn.reasoning:
            message["reasoning_content"] = turn.reasoning
        if turn.mode and (always_parts or turn.mode != _mode(turn) or _misread(turn)):
            message["mode"] = turn.mode
        if turn.weight is not None:
            message["weight"] = turn.weight
        found.append(message)
    return found


def _content(turn: Turn, image: Callable[[Part], dict[str, Any]], always_parts: bool) -> Any:
    if len(turn.content) == 1 and turn.content[0].type == "text" and not always_parts:
        return turn.content[0].text
    return [
        {"type": "text", "text": part.text} if part.type == "text" else image(part)
        for part in turn.content
    ]


def _mode(turn: Turn) -> str:
    """The mode of a reply that does not name it."""
    return "think" if turn.reasoning else "nothink"


def _misread(turn: Turn) -> bool:
    """Whether a reply's text alone would not be read as it stands."""
    return not turn.reasoning and ("think>" in turn.text or turn.text != turn.text.strip())
