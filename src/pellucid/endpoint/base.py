"""The nouns of this room: what is asked, what comes back, and when two questions are one.

A call holds the hashes of its images, never their bytes; so does its key, and so does the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pellucid.base.hashing import hash_json
from pellucid.schema.record import Turn

Status = Literal[
    "pending", "lost", "batched",
    "answered", "truncated", "refused",
    "permanent", "retryable", "unparsed",
]  # fmt: skip
"""What became of one request.

pending: sent, no reply yet. lost: pending when its process ended; the reply is unknown. batched: in
a batch file. answered; truncated: the budget of tokens ended it; refused: by the model or a filter.
permanent: the same request would fail again (400, 413, 422). retryable: 429, 5xx, timeouts, cut
lines. unparsed: 200, but no completion.
"""

BOUGHT: frozenset[Status] = frozenset({"answered", "truncated", "refused"})
"""Paid for and final: never asked again."""


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """All that decides an answer besides the question."""

    name: str
    revision: str = ""
    temperature: float | None = 1.0
    top_p: float | None = None
    max_tokens: int = 4096
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request body."""
    max_tokens_field: str = "max_tokens"
    """What the endpoint calls the budget; not part of a key."""

    @property
    def params(self) -> dict[str, Any]:
        """The sampling settings, as the key and the ledger have them."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "extra": dict(self.extra),
        }


@dataclass(frozen=True, slots=True)
class Prices:
    """Money per million tokens."""

    input: float
    output: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What a request costs.

        >>> Prices(1.0, 4.0).cost(500_000, 250_000)
        1.5
        """
        return (self.input * prompt_tokens + self.output * completion_tokens) / 1e6


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and how hard."""

    urls: tuple[str, ...]
    """Each up to and with `/v1`; all serve the same model."""
    model: ModelSetting
    api_key: str = field(default="", repr=False)
    """Never written anywhere: not to the ledger, a log or an error."""
    proxy: str = field(default="", repr=False)
    prices: Prices | None = None
    image_tokens: int = 2000
    """Tokens that the budget sets aside for a picture."""
    start: int = 4
    """Requests at once for each address, at the beginning."""
    most: int = 64
    timeout_s: float = 300.0
    attempts: int = 5
    backoff_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """One question."""

    messages: tuple[Turn, ...]
    """Ends with a user turn; earlier thinking is not shown."""
    images: tuple[str, ...]
    """SHA-256 of the encoded bytes, in the order that the parts index."""
    rollout: int = 0
    """Which of several answers to the same question."""
    seed: int | None = None

    def content(self) -> list[dict[str, Any]]:
        """The conversation as JSON, with the hash of each image in the place of its bytes."""
        return [
            {
                "role": turn.role,
                "content": [
                    {"type": "text", "text": part.text or ""}
                    if part.type == "text"
                    else {"type": "image", "sha256": self.images[part.image or 0]}
                    for part in turn.content
                ],
            }
            for turn in self.messages
        ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A call to one model: its key and what the ledger keeps of it."""

    key: str
    prompt_hash: str
    content: list[dict[str, Any]]
    call: Call


def asked(call: Call, model: ModelSetting) -> Asked:
    """A call with its key: equal exactly when model, settings, conversation, images, rollout and
    seed are. The address is not part of it: any that serves the model may answer.
    """
    content = call.content()
    prompt_hash = hash_json(content)
    told = {
        "model": model.name,
        "revision": model.revision,
        "params": model.params,
        "prompt": prompt_hash,
        "rollout": call.rollout,
        "seed": call.seed,
    }
    return Asked(hash_json(told), prompt_hash, content, call)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of one request."""

    status: Status
    text: str = ""
    thinking: str | None = None
    """What the endpoint gave apart from the answer; thinking inside `text` stays there."""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    """None where the endpoint did not say."""
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    response: Mapping[str, Any] = field(default_factory=dict)
    """Id, served model and fingerprint, for the ledger."""
    error: str = ""
    retry_after_s: float | None = None
    fatal: bool = False
    """Every further request would fail in the same way: a wrong key, no money, no such model."""
    free: bool = False
    """Nothing was generated, so nothing is charged."""
