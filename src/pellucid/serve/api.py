"""What goes over the wire: requests, replies, chunks and errors of `/v1/chat/completions`.

A request is refused for every field that is not listed here: a setting that would be ignored is
worse than an error. Settings that clients send at their defaults are let through. Replies carry the
thinking twice, as `reasoning` and as `reasoning_content`, because clients read one or the other.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from pellucid.base.lookup import nearest
from pellucid.schema.record import Mode

StrictFloat = Annotated[float, Strict()]


class Wire(BaseModel):
    """Frozen; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextPart(Wire):
    """A piece of text."""

    type: Literal["text"] = "text"
    text: str


class ImageUrl(Wire):
    """An image as a data URI."""

    url: str
    detail: Literal["auto"] = "auto"


class ImagePart(Wire):
    """A picture."""

    type: Literal["image_url"] = "image_url"
    image_url: ImageUrl


def _as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Content = Annotated[
    list[Annotated[TextPart | ImagePart, Field(discriminator="type")]], BeforeValidator(_as_parts)
]
"""A string, or a list of parts."""


class SystemMessage(Wire):
    """Instructions; only as the first message."""

    role: Literal["system", "developer"]
    content: Content


class UserMessage(Wire):
    """A question, with pictures or without."""

    role: Literal["user"]
    content: Content


class AssistantMessage(Wire):
    """An earlier answer."""

    role: Literal["assistant"]
    content: Content
    reasoning: str | None = None
    reasoning_content: str | None = None


class TemplateSettings(Wire):
    """`chat_template_kwargs` as other servers take them."""

    enable_thinking: StrictBool


class StreamOptions(Wire):
    """Settings of a streamed reply."""

    include_usage: StrictBool = False


NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "modalities": (["text"],),
    "parallel_tool_calls": (True, False),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
}
"""Fields that ask for nothing at these values, and at null."""


def _without_neutral(body: Any) -> Any:
    """The body without fields that ask for nothing; `user` names a caller and changes no answer."""
    if not isinstance(body, dict):
        return body
    return {
        name: value
        for name, value in body.items()
        if not (name == "user" and isinstance(value, str | None))
        and not (name in NEUTRAL and (value is None or value in NEUTRAL[name]))
    }


class ChatRequest(Wire):
    """The body of a request."""

    _neutral = model_validator(mode="before")(_without_neutral)

    model: str
    messages: list[
        Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]
    ] = Field(min_length=1)
    max_tokens: StrictInt | None = Field(None, ge=1)
    max_completion_tokens: StrictInt | None = Field(None, ge=1)
    temperature: StrictFloat | None = Field(None, ge=0, le=2)
    """Greedy when absent."""
    top_p: StrictFloat | None = Field(None, gt=0, le=1)
    seed: StrictInt | None = None
    """Drawn, and written to the audit log, when absent."""
    n: StrictInt | None = None
    stop: str | list[str] | None = None
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    mode: Mode | None = None
    chat_template_kwargs: TemplateSettings | None = None


class TokenDetails(Wire):
    """What the generated tokens were spent on."""

    reasoning_tokens: int


class Usage(Wire):
    """Token counts."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: TokenDetails


FinishReason = Literal["stop", "length", "content_filter"]


class Message(Wire):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    reasoning: str | None
    reasoning_content: str | None


class Choice(Wire):
    """The one answer of a reply."""

    index: int = 0
    message: Message
    finish_reason: FinishReason
    logprobs: None = None


class Completion(Wire):
    """A whole reply."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class ChunkDelta(Wire):
    """What a chunk adds; dumped without what is unset."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(Wire):
    """The choice of a chunk."""

    index: int
    delta: ChunkDelta
    finish_reason: FinishReason | None
    logprobs: None = None


class Chunk(Wire):
    """One event of a streamed reply."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None

    def event(self) -> str:
        """The chunk as a server-sent event."""
        return f"data: {self.model_dump_json(exclude_unset=True)}\n\n"


class ApiError(Exception):
    """A request that is not answered, in the shape that OpenAI's clients read."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        type: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.type = (
            status, message, code, param, type,
        )  # fmt: skip

    def body(self) -> dict[str, Any]:
        """`{"error": {...}}`."""
        told = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": told}


def parse(body: bytes) -> ChatRequest:
    """A request from its JSON.

    Raises:
        ApiError: 400, naming every field that is unknown or wrong.
    """
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = any(detail["type"] == "extra_forbidden" for detail in details)
    found = [_explain(detail["type"], _path(detail["loc"]), detail["msg"]) for detail in details]
    code = "unknown_parameter" if unknown else "invalid_value"
    raise ApiError(400, "; ".join(found), code, _path(details[0]["loc"]) or None)


def _explain(kind: str, path: str, message: str) -> str:
    if kind == "json_invalid":
        return f"the body is not JSON: {message}"
    if kind == "extra_forbidden":
        name = path.rpartition(".")[2]
        guess = None if "." in path else nearest(name, ChatRequest.model_fields)
        hint = f", did you mean {guess!r}?" if guess else ""
        return f"{path} is not supported here{hint}"
    return f"{path or 'the body'}: {message[0].lower()}{message[1:]}"


def _path(location: tuple[int | str, ...]) -> str:
    """Dotted path of a field, without the tag that pydantic puts after each list index."""
    path: list[str] = []
    for index, part in enumerate(location):
        if index and isinstance(location[index - 1], int):
            continue
        path.append(str(part))
    return ".".join(path)
