"""An endpoint that answers: a teacher, a judge, a remote model. A YAML file of its own.

    base_urls: [http://127.0.0.1:8000/v1]
    model: smoke

A key is never written here: `api_key_env` names the variable that holds it.
"""

from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pellucid.recipe.base import Options

_OURS = (
    "max_completion_tokens", "max_tokens", "messages", "model", "n", "seed",
    "stream", "temperature", "top_p",
)  # fmt: skip
"""Fields of a request that `extra` may not set: we set them, or the reply would not be readable."""


class Prices(Options):
    """What a million tokens cost, in any currency; the budget's `money` is in the same."""

    input: float = Field(ge=0)
    """Per million tokens of the prompt."""
    output: float = Field(ge=0)
    """Per million generated tokens, thinking included."""


class BudgetOptions(Options):
    """Hard limits over all runs with one ledger; null for none."""

    calls: int | None = Field(None, ge=1)
    """Requests that are sent, repeats included."""
    tokens: int | None = Field(None, ge=1)
    """Tokens, of prompts and answers."""
    money: float | None = Field(None, gt=0)
    """In the currency of `prices`."""


class ConcurrencyOptions(Options):
    """Requests at the same time for each address: more while it answers, half when it is full."""

    start: int = Field(4, ge=1, le=4096)
    """At the beginning."""
    most: int = Field(64, ge=1, le=4096)
    """Never more than this."""


class EndpointOptions(Options):
    """An OpenAI-compatible endpoint."""

    base_urls: tuple[str, ...] = Field(min_length=1)
    """Addresses that serve the same model, up to and with `/v1`. Nothing else is ever asked."""
    model: str = Field(min_length=1)
    """Name that requests carry."""
    revision: str = ""
    """What tells this model from another of its name: a date, a content hash. Answers of another
    revision are bought anew."""
    api_key_env: str = Field("", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    """Environment variable that holds the key; empty for an endpoint without one."""
    proxy: str = ""
    """A proxy to go through. Proxies of the environment are not taken."""
    temperature: float | None = Field(1.0, ge=0, le=2)
    """Null leaves the field out, for models that refuse it."""
    top_p: float | None = Field(None, gt=0, le=1)
    """Null leaves the field out."""
    max_tokens: int = Field(4096, ge=1)
    """Budget of one answer, thinking included. A longer one is truncated, which is an outcome."""
    max_tokens_field: str = Field("max_tokens", pattern="^max_(completion_)?tokens$")
    """What the endpoint calls it: `max_tokens` or `max_completion_tokens`."""
    seed: int | None = Field(0, ge=0, lt=2**48)
    """Seed of the answers, one derived for each; null sends none."""
    extra: dict[str, Any] = {}
    """Further fields of every request, such as `reasoning_effort` or `chat_template_kwargs`."""
    prices: Prices | None = None
    """What tokens cost; without it money is not counted."""
    image_tokens: int = Field(2000, ge=0)
    """Tokens that a picture may cost at most: what the budget sets aside for each."""
    budget: BudgetOptions = BudgetOptions()
    """When to stop."""
    concurrency: ConcurrencyOptions = ConcurrencyOptions()
    """How many requests at once."""
    timeout_s: float = Field(300.0, gt=0)
    """Longest wait for an answer."""
    attempts: int = Field(5, ge=1, le=100)
    """How often a question is sent in one run before it is left open."""
    backoff_s: float = Field(1.0, ge=0)
    """Wait before the second attempt; doubled for each further one."""
    terms: str = ""
    """Licence that the provider puts on answers; joined to the licence of the rows made of them."""

    @field_validator("base_urls")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{url!r} is no address like https://host/v1")
            if parts.username or parts.password or parts.query:
                raise ValueError("an address holds no key; name its variable in api_key_env")
        if len(set(urls)) < len(urls):
            raise ValueError("an address is named twice")
        return urls

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(set(extra) & set(_OURS))
        if taken:
            raise ValueError(f"{', '.join(taken)} cannot stand in extra")
        return extra
