"""Which turns are learnt together, and what a conversation must not hold.

Earlier thinking is not shown to later turns. So an assistant turn that thinks and is not the last
one cannot share an example with what follows it: it gets an example of its own, cut after it. All
other turns share one example. When thinking is kept, one example holds everything.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pellucid.base.errors import Problem, UserError
from pellucid.schema.record import Record, Turn

Override = Literal["as_is", "think", "nothink"]


def thinks(turn: Turn) -> bool:
    """Whether a turn has thinking to show."""
    return bool(turn.reasoning) and turn.mode != "nothink"


def assistants(messages: Sequence[Turn]) -> list[int]:
    """Indices of the assistant turns."""
    return [index for index, turn in enumerate(messages) if turn.role == "assistant"]


def groups(messages: Sequence[Turn], keep_thinking: bool) -> list[set[int]]:
    """Sets of turns that are learnt in one example each; every turn of weight 1 is in exactly one.

    Args:
        messages: the conversation.
        keep_thinking: whether later turns are shown the thinking of earlier ones.
    """
    turns = assistants(messages)
    learnt = [index for index in turns if messages[index].weight != 0]
    if keep_thinking:
        return [set(learnt)] if learnt else []
    alone = [index for index in learnt if index != turns[-1] and thinks(messages[index])]
    rest = set(learnt) - set(alone)
    return [{index} for index in alone] + ([rest] if rest else [])


def overridden(record: Record, mode: Override) -> tuple[Turn, ...]:
    """The record's messages with the mode of the last assistant turn replaced, and checked.

    Raises:
        ValueError: a turn cannot be rendered; names the record and the turn.
    """
    messages = list(record.messages)
    turns = assistants(messages)
    if mode != "as_is" and turns:
        messages[turns[-1]] = replace(messages[turns[-1]], mode=mode)
    for index in turns:
        fault = _fault(messages[index])
        if fault:
            raise ValueError(f"record {record.id}: turn {index} {fault}")
    return tuple(messages)


def check_prompt(messages: Sequence[Turn], images: int) -> None:
    """Refuse a conversation that cannot be answered.

    Args:
        messages: the conversation.
        images: how many images it may show.

    Raises:
        UserError: it does not end with a user turn, or shows what it must not; all problems.
    """
    problems = []
    if not messages or messages[-1].role != "user":
        last = messages[-1].role if messages else None
        problems.append(
            Problem("messages", last, "is not a user turn at the end", "end with a user turn")
        )
    for number, turn in enumerate(messages):
        shown = [part.image for part in turn.content if part.type == "image"]
        if shown and turn.role == "assistant":
            rule = "is an assistant turn that shows an image"
            problems.append(Problem(f"messages.{number}", turn.role, rule, "leave the image out"))
        problems += [
            Problem("image", index, f"reaches outside {images} images", "give the image with it")
            for index in shown
            if index is None or not 0 <= index < images
        ]
    if problems:
        raise UserError(problems)


def _fault(turn: Turn) -> str:
    """Why an assistant turn cannot be learnt; empty when it can."""
    if turn.mode == "think" and not turn.reasoning:
        return "is to think but has no reasoning"
    if any(part.type == "image" for part in turn.content):
        return "is the assistant's but shows an image"
    if turn.weight not in (None, 0, 1):
        return f"has loss weight {turn.weight}; only 0 and 1 are possible"
    return ""
