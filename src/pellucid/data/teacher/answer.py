"""Job `answer`: k new answers to each record's last question, verified; the right ones are rows.

With a gold answer the scorers decide, then a judge where no rule can; with `trust: vote`, and for
records without a gold, the majority does. The question of a row is the record's own; what the
teacher was told about the form of its answer is not in it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from pellucid.data.llava import RowFault, parse_answer
from pellucid.data.teacher import votes as voting
from pellucid.data.teacher.base import (
    Asking,
    Made,
    NewRow,
    Parsed,
    Skip,
    Verdict,
    appended,
    ask,
    parse,
    question,
)
from pellucid.data.teacher.diversity import diversity, spread
from pellucid.endpoint import Call, Reply
from pellucid.schema.record import Answer, Record, assistant

version = 1

_END = '\n\nThink step by step. End with one line: "Answer: " and '
_FORM = {
    "choice": "the letter of the option.",
    "number": "the number.",
    "expression": "the result, in LaTeX.",
    "text": "the answer in as few words as can be.",
    "box": "the box as [x1, y1, x2, y2], in fractions of the picture's width and height.",
    "boxes": "the boxes as [[x1, y1, x2, y2], ...], in fractions of the picture's size.",
    "point": "the point as [x, y], in fractions of the picture's width and height.",
    "json": "the result as JSON on that line.",
    "action": "the action as JSON on that line.",
}
_LETTER = re.compile(r"\b([A-Z])\b")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_LAST_LINE = re.compile(r"(?:^|\n)\s*\**Answer\s*:\**\s*(.+?)\s*$", re.IGNORECASE)


def calls(record: Record, asking: Asking) -> tuple[Call, ...] | Skip:
    """The question, with a word on the form of its answer."""
    turns = question(record)
    if isinstance(turns, Skip):
        return turns
    form = _FORM[record.answer.kind] if record.answer else "the answer."
    images = tuple(image.sha256 for image in record.images)
    return ask(appended(turns, _END + form), images, asking)


def judged(
    record: Record, replies: Sequence[Reply], asking: Asking
) -> Mapping[int, tuple[Call, ...]]:
    """A judge is asked where no rule decides, and there is a gold to compare with."""
    turns = question(record)
    if not asking.judges or asking.trust == "vote" or not record.answer or isinstance(turns, Skip):
        return {}
    found = {}
    for place, reply in enumerate(replies):
        parsed = parse(reply)
        if parsed.outcome == "answered" and _rules(parsed, record).value is None:
            gold = record.answer
            found[place] = voting.judge_calls(record, turns, parsed.answer, gold, asking)
    return found


@dataclass(frozen=True, slots=True)
class _Ruled:
    """What was found about one reply before any choice."""

    value: float | None
    score: Mapping | None
    votes: tuple[str, ...] = ()


def made(
    record: Record,
    replies: Sequence[Reply],
    votes: Mapping[int, Sequence[Reply]],
    asking: Asking,
) -> Made:
    """Rows of the answers that are right, a verdict for each, and how far they agree."""
    parsed = [parse(reply) for reply in replies]
    ruled = [_ruled(one, record, votes, place) for place, one in enumerate(parsed)]
    answered = [place for place, one in enumerate(parsed) if one.outcome == "answered"]
    kind = record.answer.kind if record.answer else None
    found = voting.groups([parsed[place].answer for place in answered], kind)
    agreement = len(found[0].members) / len(answered) if found else None
    winners = _winners(found, answered, agreement, asking)
    by_vote = record.answer is None or asking.trust == "vote"
    reasons = [
        _reason(place, parsed[place], ruled[place], winners if by_vote else None, agreement)
        for place in range(len(parsed))
    ]
    right = [place for place, reason in enumerate(reasons) if reason == "right"]
    chosen = {right[at] for at in spread([parsed[one].text for one in right], asking.keep)}
    for place in set(right) - chosen:
        twin = any(parsed[place].text == parsed[one].text for one in right if one < place)
        reasons[place] = "same as another" if twin else "others differ more"
    gold = _gold(record, found, asking, bool(winners))
    rows = tuple(_row(record, parsed[place], place, gold) for place in sorted(chosen))
    verdicts = tuple(
        Verdict(
            place, one.outcome, place in chosen, reasons[place], one.text, ruled[place].score,
            ruled[place].votes,
        )
        for place, one in enumerate(parsed)
    )  # fmt: skip
    values = [one.value for one in ruled if one.value is not None]
    return Made(
        rows,
        verdicts,
        {
            "answered": len(answered),
            "truncated": sum(one.outcome == "truncated" for one in parsed),
            "agreement": agreement,
            "majority": found[0].answer if found else None,
            "correct_share": sum(value == 1.0 for value in values) / len(values)
            if values
            else None,
            "scored": len(values),
            "diversity": diversity([parsed[place].text for place in sorted(chosen)]),
        },
    )


def _rules(parsed: Parsed, record: Record) -> _Ruled:
    found = voting.score(parsed, record, record.answer)
    return _Ruled(found.value if found else None, voting.score_columns(found))


def _ruled(
    parsed: Parsed, record: Record, votes: Mapping[int, Sequence[Reply]], place: int
) -> _Ruled:
    """Rules first, the judge where they cannot say; only of what is an answer."""
    if parsed.outcome != "answered":
        return _Ruled(None, None)
    ruled = _rules(parsed, record)
    said = voting.read_votes(votes, place)
    if ruled.value is None and said:
        return replace(ruled, value=voting.decided(said), votes=said)
    return ruled


def _winners(
    found: Sequence[voting.Group],
    answered: Sequence[int],
    agreement: float | None,
    asking: Asking,
) -> set[int]:
    """Places of the answers that a vote takes; a single answer is no vote."""
    if agreement is None or len(answered) < 2 or agreement <= asking.min_agreement:
        return set()
    return {answered[member] for member in found[0].members}


def _reason(
    place: int, parsed: Parsed, ruled: _Ruled, winners: set[int] | None, agreement: float | None
) -> str:
    if parsed.outcome != "answered":
        return parsed.outcome
    if winners is not None:
        return "right" if place in winners else "outvoted" if winners else "no majority"
    if ruled.value is None:
        return "undecided" if ruled.votes or ruled.score else "unscored"
    return "right" if ruled.value == 1.0 else "wrong"


def _gold(
    record: Record, found: Sequence[voting.Group], asking: Asking, voted: bool
) -> Answer | None:
    """The gold of the rows: the record's, or what the vote says where that is trusted."""
    if record.answer is None or asking.trust == "gold" or not voted:
        return record.answer
    kind, said = record.answer.kind, found[0].answer
    if kind in ("choice", "number"):
        form = _NUMBER if kind == "number" else _LETTER
        plain = form.findall(said.replace(",", "") if kind == "number" else said)
        said = plain[0] if len(plain) == 1 else said
    try:
        return parse_answer({"kind": kind, "gold": said, "tolerance": record.answer.tolerance})
    except RowFault:
        return None  # what they agree on is not of the form of a gold: the row is not scored


def _row(record: Record, parsed: Parsed, place: int, gold: Answer | None) -> NewRow:
    thinking, answer = parsed.thinking, parsed.answer
    last = _LAST_LINE.search(answer)
    if last and not (thinking and answer[: last.start()].strip()):
        # The steps that we asked for are the thinking of a teacher that shows none of its own.
        thinking, answer = thinking or answer[: last.start()].strip() or None, last.group(1)
    turns = question(record)
    assert not isinstance(turns, Skip), "it was asked"
    return NewRow(
        (*turns, assistant(answer, thinking)),
        tuple(image.sha256 for image in record.images),
        (place,),
        asdict(gold) if gold else None,
        record.task,
    )
