"""What every job for a teacher shares: how it asks, what it makes of the answers, what it keeps.

A job is a pure function twice: from a record to calls, and from the record and their replies to
rows, verdicts and one label. So what is written depends on the store, the settings and the ledger
alone, and may be written again at any time for nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pellucid.base.hashing import hash_json
from pellucid.base.seeds import derive
from pellucid.endpoint import BOUGHT, Call, Reply
from pellucid.schema.record import Part, Record, Turn
from pellucid.schema.rollout import Outcome as RolloutOutcome
from pellucid.schema.rollout import Rollout

Outcome = Literal["answered", "truncated", "refused", "malformed", "empty", "failed"]
"""answered: it may be judged. truncated: the budget of tokens ended it, so there is no answer.
malformed: its thinking tags do not close. failed: the endpoint refused the request for good."""

_THINKING = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asking:
    """How a job asks, and which answers it keeps."""

    k: int = 1
    """Answers to each question."""
    keep: int | None = None
    """Most rows made of one question, the most different ones first; None for all."""
    trust: Literal["gold", "vote"] = "gold"
    """Whether the record's gold answer decides, or what most answers say: then that is the gold."""
    min_agreement: float = 0.5
    """More than this share of the answers must agree before a vote decides."""
    judges: int = 0
    """Votes of the judge on an answer that no rule decides; 0 for no judge."""
    seed: int | None = 0
    """Seed of the answers; None sends none."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that a job cannot ask about, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A reply, taken apart."""

    outcome: Outcome
    thinking: str | None
    answer: str
    """Empty unless `outcome` is `answered`."""
    text: str
    """As it came."""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the output, but for its images' names and its lineage."""

    messages: tuple[Turn, ...]
    images: tuple[str, ...]
    """SHA-256 of each."""
    calls: tuple[int, ...]
    """Which of the record's calls it is made of."""
    answer: Mapping[str, Any] | None
    task: str
    once: str = ""
    """Rows with the same text here are written once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one reply."""

    call: int
    """Which of the record's calls."""
    outcome: Outcome
    kept: bool
    reason: str
    """Why it was kept or not: `right`, `wrong`, `outvoted`, ..."""
    text: str
    score: Mapping[str, Any] | None = None
    """Status, value, what was extracted, the scorer and its hash; None when none was asked."""
    votes: tuple[str, ...] = ()
    """Of the judge: right, wrong, unclear, or the outcome of a vote that is none."""


@dataclass(frozen=True, slots=True)
class Made:
    """All that came of one record."""

    rows: tuple[NewRow, ...]
    verdicts: tuple[Verdict, ...]
    label: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the label; missing ones are null."""


class TeacherJob(Protocol):
    """A question to a teacher for each record, and what is made of its answers."""

    version: int
    """Goes up when the same answers give other rows."""

    def calls(self, record: Record, asking: Asking) -> tuple[Call, ...] | Skip:
        """What is asked about a record."""
        ...

    def judged(
        self, record: Record, replies: Sequence[Reply], asking: Asking
    ) -> Mapping[int, tuple[Call, ...]]:
        """What a judge is asked, by the call that it is about; nothing for most jobs."""
        ...

    def made(
        self,
        record: Record,
        replies: Sequence[Reply],
        votes: Mapping[int, Sequence[Reply]],
        asking: Asking,
    ) -> Made:
        """What comes of a record whose replies are all there."""
        ...


def unjudged(
    record: Record, replies: Sequence[Reply], asking: Asking
) -> Mapping[int, tuple[Call, ...]]:
    """`TeacherJob.judged` of a job that asks no judge about its replies."""
    return {}


def ask(messages: tuple[Turn, ...], images: tuple[str, ...], asking: Asking) -> tuple[Call, ...]:
    """One question `k` times. Equal questions get equal seeds, so they are bought once."""
    told = Call(messages, images).content()
    return tuple(
        Call(messages, images, rollout, _seed(asking.seed, hash_json(told), rollout))
        for rollout in range(asking.k)
    )


def _seed(seed: int | None, prompt: str, rollout: int) -> int | None:
    return None if seed is None else derive(seed, "teacher", prompt, rollout) >> 32


def parse(reply: Reply) -> Parsed:
    """Thinking and answer of a reply. Truncated thinking is never an answer."""
    thinking, answer = reply.thinking, reply.text
    if reply.status != "answered":
        outcome: Outcome = (
            "truncated" if reply.status == "truncated"
            else "refused" if reply.status == "refused" else "failed"
        )  # fmt: skip
        return Parsed(outcome, thinking, "", reply.text or reply.error)
    found = _THINKING.match(answer)
    if found and not thinking:
        thinking, answer = found.group(1), answer[found.end() :]
    whole = f"{thinking or ''}{answer}"
    if "<think>" in whole or "</think>" in whole:
        return Parsed("malformed", thinking, "", reply.text)
    answer = answer.strip()
    thinking = (thinking or "").strip() or None
    return Parsed("answered" if answer else "empty", thinking, answer, reply.text)


def rollout_of(parsed: Parsed) -> Rollout:
    """A reply as the scorers read it."""
    outcomes: Mapping[str, RolloutOutcome] = {"answered": "answered", "truncated": "truncated"}
    outcome = outcomes.get(parsed.outcome, "malformed")
    answer = parsed.answer if outcome == "answered" else None
    return Rollout(
        "teacher", "auto", "think" if parsed.thinking else "nothink", "", 0, (), (), parsed.text,
        parsed.thinking, answer, outcome, "length" if outcome == "truncated" else "stop", 0,
    )  # fmt: skip


def settled(reply: Reply | None) -> bool:
    """Whether nothing more will come of a call: bought, or refused for good."""
    return reply is not None and (reply.status in BOUGHT or reply.status == "permanent")


def question(record: Record) -> tuple[Turn, ...] | Skip:
    """A record's conversation up to its last question.

    Earlier answers are shown without their thinking.
    """
    turns = record.messages[:-1] if record.messages[-1].role == "assistant" else record.messages
    if any("<image>" in turn.text for turn in turns if turn.role == "user"):
        return Skip("a question holds the text <image>, which a row cannot say")
    return tuple(Turn(turn.role, turn.content) for turn in turns)


def appended(turns: tuple[Turn, ...], text: str) -> tuple[Turn, ...]:
    """A conversation with a further sentence at its end."""
    last = turns[-1]
    return (*turns[:-1], Turn(last.role, (*last.content, Part("text", text))))


def texts(text: str, system: str = "") -> tuple[Turn, ...]:
    """A conversation of one question in words."""
    asked = Turn("user", (Part("text", text),))
    return (Turn("system", (Part("text", system),)), asked) if system else (asked,)
