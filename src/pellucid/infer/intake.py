"""From a request to what the model reads, or to the reason why it cannot be answered.

Everything that a caller may get wrong is found here, before a slot is taken. Left out on purpose:
shrinking or cutting a prompt that is too long; what was asked is answered whole or not at all.
"""

from dataclasses import dataclass
from math import inf

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_bytes, hash_json
from pellucid.model.processor import Example, Processor
from pellucid.model.vision.picture import decode
from pellucid.prompt.rendered import Rendered
from pellucid.schema.rollout import Request


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request that was read: its ids, its hash, and why it cannot be answered, if so."""

    example: Example | None
    """None when the request is refused."""
    tokens: int
    """Length of the prompt; 0 when it could not be rendered."""
    hash: str
    """Hash of the ids and the images; empty when it could not be rendered."""
    refusal: str = ""


def read(request: Request, processor: Processor, context_tokens: int) -> Prompt:
    """Render a request and cut its images into patches; a bad request gives a refusal.

    Args:
        request: what was asked.
        processor: of the model that will answer.
        context_tokens: longest conversation, answer included.
    """
    rendered = None
    try:
        _check_settings(request)
        sizes = [decode(data, f"images.{index}").size for index, data in enumerate(request.images)]
        rendered = processor.renderer.prompt(request.messages, sizes, request.mode)
        if len(rendered.ids) >= context_tokens:
            raise UserError(_too_long(len(rendered.ids), context_tokens))
        example = processor.example(rendered, request.images)
    except UserError as error:
        known = (len(rendered.ids), prompt_hash(rendered, request)) if rendered else (0, "")
        return Prompt(None, *known, refusal=str(error))
    return Prompt(example, len(rendered.ids), prompt_hash(rendered, request))


def prompt_hash(rendered: Rendered, request: Request) -> str:
    """Hash of the rendered prompt ids and of the images' bytes in order of appearance."""
    shown = [hash_bytes(request.images[index]) for index in rendered.images]
    return hash_json({"ids": rendered.ids, "images": shown})


def _check_settings(request: Request) -> None:
    problems = []
    if request.max_new_tokens < 1:
        rule = "leaves no room for an answer"
        problems.append(
            Problem("max_new_tokens", request.max_new_tokens, rule, "ask for 1 or more")
        )
    if not 0 <= request.temperature < inf:
        fix = "give 0 (greedy) or more"
        problems.append(Problem("temperature", request.temperature, "is no temperature", fix))
    if not 0 < request.top_p <= 1:
        rule, fix = "is no share of the probability", "give more than 0 and at most 1"
        problems.append(Problem("top_p", request.top_p, rule, fix))
    if problems:
        raise UserError(problems)


def _too_long(tokens: int, context_tokens: int) -> Problem:
    rule = f"leaves no room for an answer in the context of {context_tokens} tokens"
    return Problem("prompt tokens", tokens, rule, "shorten the conversation or send fewer images")
