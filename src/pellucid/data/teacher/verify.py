"""Job `verify`: are the answers that the records train the right ones?

The last reply of each record is compared with its gold by rule. Where no rule decides (no gold, a
kind without a scorer, undecided mathematics), the endpoint votes k times as a judge. Records that
are found right are rows; every verdict is in the label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from pellucid.data.teacher import votes as voting
from pellucid.data.teacher.base import (
    Asking,
    Made,
    NewRow,
    Parsed,
    Skip,
    Verdict,
    question,
    unjudged,
)
from pellucid.endpoint import Call, Reply
from pellucid.schema.record import Record

version = 1


def calls(record: Record, asking: Asking) -> tuple[Call, ...] | Skip:
    """As many votes as `k` says where the rules do not decide; nothing where they do."""
    if record.messages[-1].role != "assistant":
        return Skip("no reply to verify")
    turns = question(record)
    if isinstance(turns, Skip):
        return turns
    if _rules(record)[0] is not None:
        return ()
    reply, judges = record.messages[-1].text, replace(asking, judges=asking.k)
    return voting.judge_calls(record, turns, reply, record.answer, judges)


judged = unjudged  # the job itself is the judge


def made(
    record: Record,
    replies: Sequence[Reply],
    votes: Mapping[int, Sequence[Reply]],
    asking: Asking,
) -> Made:
    """The record as a row when it is found right."""
    value, columns = _rules(record)
    said = tuple(voting.vote_of(reply) for reply in replies)
    if value is None and said:
        value = voting.decided(said)
    reason = "right" if value == 1.0 else "undecided" if value is None else "wrong"
    images = tuple(image.sha256 for image in record.images)
    gold = asdict(record.answer) if record.answer else None
    calls_ = tuple(range(len(replies)))
    row = NewRow(record.messages, images, calls_, gold, record.task)
    most = max((said.count(name) for name in ("right", "wrong")), default=0)
    verdict = Verdict(-1, "answered", value == 1.0, reason, record.messages[-1].text, columns, said)
    return Made(
        (row,) if value == 1.0 else (),
        (verdict,),
        {
            "answered": sum(one in ("right", "wrong", "unclear") for one in said),
            "truncated": said.count("truncated"),
            "agreement": most / len(said) if said else None,
            "correct_share": value,
            "scored": int(value is not None),
        },
    )


def _rules(record: Record) -> tuple[float | None, dict | None]:
    """What the scorer of the gold says of the record's own reply."""
    text = record.messages[-1].text
    found = voting.score(Parsed("answered", None, text, text), record, record.answer)
    return (found.value if found else None), voting.score_columns(found)
