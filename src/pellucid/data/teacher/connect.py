"""An endpoint as a file of options names it, as `endpoint` takes it."""

from pellucid.endpoint import Endpoint, Limits, ModelSetting, Prices
from pellucid.endpoint.client import api_key
from pellucid.recipe.endpoint import EndpointOptions


def endpoint_of(options: EndpointOptions, with_key: bool = True) -> Endpoint:
    """The endpoint, with its key from the environment.

    Args:
        options: as a file has them.
        with_key: False where nothing will be sent.

    Raises:
        UserError: the variable of the key is not set.
    """
    prices = options.prices
    return Endpoint(
        urls=options.base_urls,
        model=model_of(options),
        api_key=api_key(options.api_key_env) if with_key else "",
        proxy=options.proxy,
        prices=Prices(prices.input, prices.output) if prices else None,
        image_tokens=options.image_tokens,
        start=options.concurrency.start,
        most=options.concurrency.most,
        timeout_s=options.timeout_s,
        attempts=options.attempts,
        backoff_s=options.backoff_s,
    )


def model_of(options: EndpointOptions) -> ModelSetting:
    """What decides an answer besides the question."""
    return ModelSetting(
        name=options.model,
        revision=options.revision,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        extra=options.extra,
        max_tokens_field=options.max_tokens_field,
    )


def limits_of(options: EndpointOptions) -> Limits:
    """The budget."""
    told = options.budget
    return Limits(told.calls, told.tokens, told.money)
