"""Job `caption`: a detailed description of each picture, as a record of its own.

The report's belief (arXiv section 3.1, item 1): a backbone that can solve the problem in words
needs to be shown what stands in the picture. A picture that several records show is described
once. Descriptions are not verified: there is nothing to compare them with; the verdict says so.
"""

from collections.abc import Mapping, Sequence

from pellucid.base.seeds import derive
from pellucid.data.teacher.base import (
    Asking,
    Made,
    NewRow,
    Parsed,
    Skip,
    Verdict,
    ask,
    parse,
    unjudged,
)
from pellucid.data.teacher.diversity import diversity, spread
from pellucid.endpoint import Call, Reply
from pellucid.schema.record import Record, Turn, assistant, user

version = 1

TASK = "caption"
_ASK = (
    "Describe this picture so that someone who cannot see it could solve any problem about it. "
    "Say everything that it shows: each text, label, number, axis, shape, line and mark, with its "
    "value, and where things stand in relation to each other. Do not solve anything, and say "
    "nothing that is not in the picture."
)
_HUMAN = (
    "Describe the picture in detail.",
    "What does this picture show?",
    "Describe everything that can be seen here.",
    "Write down all that is in this image: texts, numbers, shapes and how they are arranged.",
    "Explain this image to someone who cannot see it.",
    "Please give a full description of the picture.",
)
_SHORTEST = 20
"""Characters; anything shorter describes nothing."""


def calls(record: Record, asking: Asking) -> tuple[Call, ...] | Skip:
    """Every picture of a record, k times each."""
    if not record.images:
        return Skip("no picture")
    return tuple(
        call for image in record.images for call in ask((user(0, _ASK),), (image.sha256,), asking)
    )


judged = unjudged  # a description has no gold


def made(
    record: Record,
    replies: Sequence[Reply],
    votes: Mapping[int, Sequence[Reply]],
    asking: Asking,
) -> Made:
    """A row for each picture and description, the human's words drawn from a list."""
    parsed = [parse(reply) for reply in replies]
    reasons = [_reason(one) for one in parsed]
    rows: list[NewRow] = []
    kept: list[int] = []
    for place, image in enumerate(record.images):
        mine = range(place * asking.k, (place + 1) * asking.k)
        good = [number for number in mine if reasons[number] == "unscored"]
        chosen = [good[at] for at in spread([parsed[one].answer for one in good], asking.keep)]
        kept += chosen
        for number in chosen:
            words = _HUMAN[derive(0, "caption", image.sha256, number - mine.start) % len(_HUMAN)]
            turns: tuple[Turn, ...] = (user(0, words), assistant(parsed[number].answer))
            once = f"{image.sha256}/{number - mine.start}"
            rows.append(NewRow(turns, (image.sha256,), (number,), None, TASK, once))
    verdicts = tuple(
        Verdict(number, one.outcome, number in kept, reasons[number], one.text)
        for number, one in enumerate(parsed)
    )
    return Made(
        tuple(rows),
        verdicts,
        {
            "answered": sum(one.outcome == "answered" for one in parsed),
            "truncated": sum(one.outcome == "truncated" for one in parsed),
            "diversity": diversity([parsed[number].answer for number in kept])
            if len(record.images) == 1
            else None,
            "scored": 0,
        },
    )


def _reason(parsed: Parsed) -> str:
    if parsed.outcome != "answered":
        return parsed.outcome
    return "unscored" if len(parsed.answer) >= _SHORTEST else "too short"
