"""Hard limits on calls, tokens and money: what could go over one is not sent.

Before a request its most is set aside (`Bound`), and what it really cost is charged when it has
ended; so no limit is passed, whatever is in flight. (A picture's most is what the endpoint's
options say.) A request whose reply never came is charged at its most, since nobody knows. Leaves
out on purpose: limits by time.
"""

from dataclasses import dataclass
from typing import final

from pellucid.endpoint.base import Asked, Endpoint, Reply

_TOKENS_A_TURN = 64
"""Set aside for what a chat template puts around a turn."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one request can use."""

    tokens: int
    money: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used."""

    calls: int = 0
    tokens: int = 0
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Over all runs with one ledger; None for no limit."""

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None


def bound_of(asked: Asked, endpoint: Endpoint) -> Bound:
    """The most that a request can use: no token is shorter than a byte."""
    texts = (part.get("text", "") for turn in asked.content for part in turn["content"])
    prompt = sum(len(text.encode("utf-8")) for text in texts)
    prompt += _TOKENS_A_TURN * len(asked.content)
    prompt += endpoint.image_tokens * len(asked.call.images)
    most = endpoint.model.max_tokens
    money = endpoint.prices.cost(prompt, most) if endpoint.prices else 0.0
    return Bound(prompt + most, money)


def charge(reply: Reply, bound: Bound, endpoint: Endpoint) -> Bound:
    """What a request used: as the endpoint says, nothing if it made nothing, else its most."""
    if reply.free:
        return Bound(0, 0.0)
    if reply.prompt_tokens is None or reply.completion_tokens is None:
        return bound
    money = (
        endpoint.prices.cost(reply.prompt_tokens, reply.completion_tokens)
        if endpoint.prices
        else 0.0
    )
    return Bound(reply.prompt_tokens + reply.completion_tokens, money)


@final
class Budget:
    """What is left of the limits."""

    def __init__(self, limits: Limits, spent: Spent) -> None:
        self._limits = limits
        self._calls, self._tokens, self._money = spent.calls, spent.tokens, spent.money

    @property
    def spent(self) -> Spent:
        """What is charged and set aside."""
        return Spent(self._calls, self._tokens, self._money)

    def reserve(self, bound: Bound) -> bool:
        """Set the most of a request aside; False when that could pass a limit."""
        calls, tokens = self._calls + 1, self._tokens + bound.tokens
        money = self._money + bound.money
        told = self._limits
        if (
            (told.calls is not None and calls > told.calls)
            or (told.tokens is not None and tokens > told.tokens)
            or (told.money is not None and money > told.money + 1e-12)
        ):
            return False
        self._calls, self._tokens, self._money = calls, tokens, money
        return True

    def settle(self, bound: Bound, charged: Bound) -> None:
        """Put the charge of an ended request in the place of what was set aside for it."""
        self._tokens += charged.tokens - bound.tokens
        self._money += charged.money - bound.money
