"""What every job for a teacher must keep, asked of every row of the table."""

import json
from itertools import product
from pathlib import Path
from typing import Literal

import pytest

from pellucid.data.llava import parse_row
from pellucid.data.teacher import JOBS, Asking
from pellucid.data.teacher.base import Skip
from pellucid.data.teacher.rows import One, sidecar, write_rows
from pellucid.endpoint import Call, ModelSetting, Reply
from pellucid.endpoint.base import asked
from pellucid.schema.record import (
    Answer,
    AnswerKind,
    ImageRef,
    Record,
    Source,
    Turn,
    assistant,
    make_record,
    user,
)

Trust = Literal["gold", "vote"]
IMAGE = ImageRef("ab" * 32, 10, 10)
GOLDS: dict[AnswerKind, str] = {
    "choice": "B", "number": "4", "expression": "x^2", "text": "red", "json": "{}", "action": "{}",
    "box": "[0.1000, 0.1000, 0.2000, 0.2000]", "point": "[0.1000, 0.1000, 0.2000, 0.2000]",
    "boxes": "[[0.1000, 0.1000, 0.2000, 0.2000]]",
}  # fmt: skip
TEXTS = (
    "Answer: 4", "I see.\nAnswer: B", "<think>so</think>4", "<think>never closed", "", "  ",
    "What is it? <image>", "</think>", "VERDICT: right", "VERDICT: wrong", "Answer:", "\\boxed{4}",
    "Which of the pictures is red, please, if any of them is red at all?",
)  # fmt: skip
REPLIES = [
    *(Reply("answered", text, finish_reason="stop") for text in TEXTS),
    Reply("answered", "Answer: 4", "thought"),
    Reply("answered", "Answer: 4", "a <think> in it"),
    Reply("truncated", "Answer: 4", "thought"),
    Reply("refused", "no"),
    Reply("permanent", error="HTTP 400"),
]


def record(turns: tuple[Turn, ...], answer: Answer | None, images: int) -> Record:
    source = Source("s", "train", 1, "CC0-1.0")
    return make_record(
        messages=turns, images=(IMAGE,) * images, answer=answer, task="t", domain="d", source=source
    )


def records() -> list[Record]:
    golds = [None, *(Answer(kind, gold) for kind, gold in GOLDS.items())]
    made = [
        record((user(0, "Which is it?\n(A) one\n(B) two"), assistant("B", "hm")), gold, 1)
        for gold in golds
    ]
    made.append(record((user("How many of 12?"), assistant("4")), Answer("number", "4"), 0))
    made.append(record((user(0, "a", 1), assistant("x"), user("b"), assistant("y")), None, 2))
    made.append(record((user("Say <image>."), assistant("x")), None, 0))
    return made


@pytest.mark.parametrize("name", JOBS)
def test_the_same_record_asks_the_same(name: str) -> None:
    model = ModelSetting("m")
    for one, k in product(records(), (1, 3, 9)):
        found = JOBS[name].calls(one, Asking(k=k))
        if isinstance(found, Skip):
            assert found.why
            continue
        keys = [asked(call, model).key for call in found]
        again = JOBS[name].calls(one, Asking(k=k))
        assert not isinstance(again, Skip) and keys == [asked(call, model).key for call in again]
        assert len(set(keys)) == len(keys) or name == "caption", "k answers are k calls"
        assert all(call.messages[-1].role == "user" for call in found)


def all_made(name: str, one: Record, calls: tuple[Call, ...], shift: int, trust: Trust) -> One:
    """What comes of a record when its replies are any of all kinds."""
    job, asking = JOBS[name], Asking(k=3, judges=2, trust=trust, min_agreement=0.3)
    replies = [REPLIES[(shift + at) % len(REPLIES)] for at in range(len(calls))]
    judged = job.judged(one, replies, asking)
    votes = {call: REPLIES[shift % 3 : shift % 3 + len(asked_)] for call, asked_ in judged.items()}
    made = job.made(one, replies, votes, asking)
    return One(one, made, [str(at) for at in range(len(calls))])


@pytest.mark.parametrize("trust", ["gold", "vote"])
@pytest.mark.parametrize("name", JOBS)
def test_whatever_comes_back_the_rows_can_be_imported(
    name: str, trust: Trust, tmp_path: Path
) -> None:
    made = [
        all_made(name, one, calls, shift, trust)
        for one in records()
        if not isinstance(calls := JOBS[name].calls(one, Asking(k=3)), Skip)
        for shift in range(len(REPLIES))
    ]
    to = tmp_path / "rows.jsonl"
    step = {"op": f"teach.{name}", "version": 1, "params_hash": "h"}
    wrote = write_rows(to, made, {}, step, lambda sha256: b"\x89PNG")
    rows = [json.loads(line) for line in to.read_text("utf-8").splitlines()]
    assert len(rows) == wrote.rows > 0
    for row in rows:
        parse_row(row)
    for line in sidecar(to, "verdicts.jsonl").read_text("utf-8").splitlines():
        verdict = json.loads(line)
        if verdict["outcome"] != "answered":
            assert verdict["score"] is None and not verdict["kept"] and not verdict["votes"]
        assert verdict["reason"]
