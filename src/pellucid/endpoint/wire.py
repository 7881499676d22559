"""What goes over the wire, and what its replies mean.

Pictures travel as data URLs. A reply is read leniently (servers differ in what they leave out) but
classified strictly: only a completion with a choice is an answer.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from pellucid.endpoint.base import Call, ModelSetting, Reply, Status

PATH = "/v1/chat/completions"
MAX_ERROR_CHARS = 500
_FATAL = {401, 402, 403, 404, 405}
_RETRYABLE = {408, 409, 425, 429}
_BROKE = ("insufficient_quota", "billing_hard_limit_reached")
_DATA_URL = re.compile(r"data:[\w/+.-]*;base64,[A-Za-z0-9+/=]*")
_MARKS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)


def mime(data: bytes) -> str:
    """Type of an encoded image, by its first bytes.

    >>> mime(bytes.fromhex("89504e470d0a1a0a"))
    'image/png'
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for mark, name in _MARKS if data.startswith(mark)), "image/png")


def body_of(call: Call, model: ModelSetting, image: Callable[[str], bytes]) -> dict[str, Any]:
    """The JSON body of a request.

    Args:
        call: the question.
        model: name and settings.
        image: gives the encoded bytes of a hash.
    """
    body: dict[str, Any] = {
        "model": model.name,
        "messages": [_message(call, place, image) for place in range(len(call.messages))],
        model.max_tokens_field: model.max_tokens,
    }
    set_ = {"temperature": model.temperature, "top_p": model.top_p, "seed": call.seed}
    body.update({name: value for name, value in set_.items() if value is not None})
    return body | dict(model.extra)


def _message(call: Call, place: int, image: Callable[[str], bytes]) -> dict[str, Any]:
    turn = call.messages[place]
    if all(part.type == "text" for part in turn.content):
        return {"role": turn.role, "content": turn.text}
    content: list[dict[str, Any]] = []
    for part in turn.content:
        if part.type == "text":
            content.append({"type": "text", "text": part.text or ""})
            continue
        data = image(call.images[part.image or 0])
        url = f"data:{mime(data)};base64,{base64.b64encode(data).decode('ascii')}"
        content.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": turn.role, "content": content}


def reply_of(tree: object) -> Reply:
    """What the body of a reply with status 200 means."""
    choices = tree.get("choices") if isinstance(tree, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(tree, Mapping) or not isinstance(message, Mapping):
        return Reply("unparsed", error=f"is no completion: {told(str(tree))}")
    assert isinstance(choice, Mapping), "it holds the message"
    reason = str(choice.get("finish_reason") or "")
    refusal = _text(message.get("refusal"))
    status: Status = "answered"
    if reason == "length":
        status = "truncated"
    elif reason == "content_filter" or refusal:
        status = "refused"
    counted = tree.get("usage")
    usage: Mapping[str, Any] = counted if isinstance(counted, Mapping) else {}
    details = usage.get("completion_tokens_details")
    kept = ("id", "model", "system_fingerprint")
    thinking = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    return Reply(
        status,
        text=_text(message.get("content")) or refusal,
        thinking=thinking or None,
        finish_reason=reason,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        reasoning_tokens=_count(details.get("reasoning_tokens"))
        if isinstance(details, Mapping)
        else None,
        response={name: str(tree[name]) for name in kept if tree.get(name)},
    )


def failure_of(status: int, body: str, retry_after: str | None) -> Reply:
    """What a reply with another status than 200 means.

    Args:
        status: of HTTP.
        body: its text.
        retry_after: the header, in seconds; dates are not read.
    """
    broke = status == 429 and any(word in body for word in _BROKE)
    again = (status in _RETRYABLE or status >= 500) and not broke
    return Reply(
        "retryable" if again else "permanent",
        error=f"HTTP {status}: {told(body)}",
        retry_after_s=_seconds(retry_after),
        fatal=broke or status in _FATAL or 300 <= status < 400,
        free=True,
    )


def told(text: str) -> str:
    """The start of what an endpoint said, on one line, without pictures that it sent back."""
    return " ".join(_DATA_URL.sub("data:...", text).split())[:MAX_ERROR_CHARS]


def _text(value: object) -> str:
    """A text, or the text of a list of parts."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, Mapping))
    # Half of a surrogate pair cannot be stored; it is spelt out.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value) if value else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < 1e6 else None
