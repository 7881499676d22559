"""Job `rewrite`: the same question in the words of different people.

Over-engineered prompts teach a model to succeed on perfectly put questions only (the report,
section 3.1, item 5). Each of the k versions is asked for in another manner. Lists of options are
not shown to the teacher and stay as they are. What was lost, or given away, is rejected by rule:
every number of the question must be there, the gold answer must not.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

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
    texts,
    unjudged,
)
from pellucid.data.teacher.diversity import diversity, spread
from pellucid.endpoint import Call, Reply
from pellucid.schema.record import Part, Record, Turn
from pellucid.score.extract import tidy

version = 1

MANNERS = (
    "in as few words as can be, as someone in a hurry",
    "politely, as one would write to a colleague",
    "as a student who asks a teacher",
    "as a command",
    "in simple words, as a child would",
    "in a roundabout way, as people do when they speak",
    "as part of a message that first says why it is asked",
    "in formal, precise language",
)
_SYSTEM = (
    "You put questions into other words. Keep the meaning, every number, name and unit, and what "
    "form of answer is asked for. Never answer the question. Reply with the new question only."
)
_OPTION = re.compile(r"^\s*[(\[]?[A-Z][)\].:]\s+\S", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def calls(record: Record, asking: Asking) -> tuple[Call, ...] | Skip:
    """The words of the question in k manners."""
    found = _words(record)
    if isinstance(found, Skip):
        return found
    stem, _ = found
    # Manners are dealt by the question, so that no manner belongs to the first of all records.
    first = derive(0, "rewrite", stem) % len(MANNERS)
    made: list[Call] = []
    for number in range(asking.k):
        manner = MANNERS[(first + number) % len(MANNERS)]
        turns = texts(f"Put this question {manner}:\n\n{stem}", _SYSTEM)
        # After the last manner the first is asked again, for another answer.
        made.append(ask(turns, (), replace(asking, k=number // len(MANNERS) + 1))[-1])
    return tuple(made)


judged = unjudged  # rules decide


def made(
    record: Record,
    replies: Sequence[Reply],
    votes: Mapping[int, Sequence[Reply]],
    asking: Asking,
) -> Made:
    """The record with each new question that lost nothing."""
    words = _words(record)
    assert not isinstance(words, Skip), "it was asked"
    stem, options = words
    parsed = [parse(reply) for reply in replies]
    new = [one.answer.strip().strip('"“”').strip() for one in parsed]
    reasons = [_reason(one, text, stem, record) for one, text in zip(parsed, new, strict=True)]
    right = [place for place, reason in enumerate(reasons) if reason == "right"]
    chosen = {right[at] for at in spread([tidy(new[one]) for one in right], asking.keep)}
    for place in set(right) - chosen:
        reasons[place] = "same as another, or others differ more"
    answered = [one for one in parsed if one.outcome == "answered"]
    return Made(
        tuple(_row(record, new[place] + options, place) for place in sorted(chosen)),
        tuple(
            Verdict(place, one.outcome, place in chosen, reasons[place], one.text)
            for place, one in enumerate(parsed)
        ),
        {
            "answered": len(answered),
            "truncated": sum(one.outcome == "truncated" for one in parsed),
            "correct_share": len(right) / len(answered) if answered else None,
            "scored": len(answered),
            "diversity": diversity([new[place] for place in sorted(chosen)]),
        },
    )


def _words(record: Record) -> tuple[str, str] | Skip:
    """The question without its options, and the options with what stands around them."""
    users = [turn for turn in record.messages if turn.role == "user"]
    if len(users) != 1:
        return Skip("several questions")
    kinds = [part.type for part in users[0].content]
    if kinds.count("text") != 1:
        return Skip("pictures between the words" if "text" in kinds else "no words")
    text = users[0].text
    if "<image>" in text:
        return Skip("a question holds the text <image>, which a row cannot say")
    first = _OPTION.search(text)
    stem, options = (text[: first.start()], text[first.start() :]) if first else (text, "")
    if not stem.strip():
        return Skip("nothing but options")
    tail = stem[len(stem.rstrip()) :]
    return stem.strip(), (tail or "\n") + options if options else ""


def _reason(parsed: Parsed, new: str, stem: str, record: Record) -> str:
    if parsed.outcome != "answered":
        return parsed.outcome
    if not new or "<image>" in new or _OPTION.search(new):
        return "no question"
    if tidy(new) == tidy(stem):
        return "the same words"
    if len(new) > 4 * len(stem) + 200:
        return "far longer"
    lost = Counter(_NUMBER.findall(stem)) - Counter(_NUMBER.findall(new))
    if lost:
        return f"lost {', '.join(sorted(lost))}"
    gold = record.answer.gold if record.answer and record.answer.kind != "choice" else ""
    if gold and _holds(new, gold) and not _holds(stem, gold):
        return "gives the answer away"
    return "right"


def _holds(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", text.casefold()) is not None


def _row(record: Record, text: str, place: int) -> NewRow:
    turns = tuple(
        Turn(
            turn.role,
            tuple(Part("text", text) if part.type == "text" else part for part in turn.content),
        )
        if turn.role == "user"
        else turn
        for turn in record.messages
    )
    images = tuple(image.sha256 for image in record.images)
    gold = asdict(record.answer) if record.answer else None
    return NewRow(turns, images, (place,), gold, record.task)
