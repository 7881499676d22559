"""Faults of thinking and of modes.

Leaves out on purpose: thinking tags written as entities (`encoding.py`).
"""

import re
from random import Random

from pellucid.data.faults.base import (
    Row,
    duplicate,
    gold_text,
    reply,
    split_reply,
)

OPENERS = (
    "<thinking>", "<thnik>", "<Think>", "<THINK>", "< think>", "<think >", "<thought>", "[think]",
    "<|think|>", "<thnk>",
)  # fmt: skip
CLOSERS = (
    "</thinking>", "</thnik>", "</Think>", "</THINK>", "< /think>", "</think >", "</thought>",
    "[/think]", "<|/think|>", "</thnk>", "<\\think>", "<think/>", "<//think>",
)  # fmt: skip
"""The first of them close what `OPENERS` open."""
MODE_TAGS = (
    "<notthink>", "<no_think>", "<no-think>", "<NoThink>", "<nonthink>", "<nothnik>",
    "</nothink>", "<no think>", "<|nothink|>", "/no_think",
)  # fmt: skip
MODES = {
    "nothink": ("notthink", "no_think", "no-think", "NoThink", "nothnik", "nothink ", "non-think"),
    "think": ("Think", "THINK", "thnik", "thinking", "think "),
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def mode_tag_in_text(row: Row, rng: Random) -> Row | None:
    """The mode's tag misspelt before the reply: in place of the right one, or beside the field."""
    faulty = duplicate(row)
    turn = reply(faulty)
    if row.get("mode") != "nothink" and not turn["value"].startswith("<nothink>"):
        return None
    turn["value"] = rng.choice(MODE_TAGS) + turn["value"].removeprefix("<nothink>")
    return faulty


def mode_misspelt(row: Row, rng: Random) -> Row | None:
    """The row's `mode` in a wrong spelling."""
    if row.get("mode") not in MODES:
        return None
    return duplicate(row) | {"mode": rng.choice(MODES[row["mode"]])}


def mode_contradicts(row: Row, rng: Random) -> Row | None:
    """A mode that the reply does not keep: one of the two is wrong."""
    thinks = "</think>" in split_reply(reply(row)["value"])[0]
    return duplicate(row) | {"mode": "nothink" if thinks else "think"}


def misspelt(row: Row, rng: Random) -> Row | None:
    """A thinking tag in a wrong spelling, or both."""
    which = rng.choice(("opener", "closer", "both"))
    at = rng.randrange(len(OPENERS))
    opener = OPENERS[at] if which != "closer" else "<think>"
    closer = rng.choice(CLOSERS) if which == "closer" else CLOSERS[at]
    closer = closer if which != "opener" else "</think>"
    return _with_tags(row, opener, closer)


def doubled(row: Row, rng: Random) -> Row | None:
    """A thinking tag twice, or both."""
    opener, closer = rng.choice(((2, 1), (1, 2), (2, 2)))
    return _with_tags(row, "<think>" * opener, "</think>" * closer)


def opener_missing(row: Row, rng: Random) -> Row | None:
    """No `<think>`, as when the template had prefilled it."""
    return _with_tags(row, "", "</think>")


def closer_missing(row: Row, rng: Random) -> Row | None:
    """No `</think>`: where the thinking ends is not known."""
    return _with_tags(row, "<think>", rng.choice(("", " ", "\n")))


def closer_is_opener(row: Row, rng: Random) -> Row | None:
    """A second `<think>` where `</think>` belongs."""
    return _with_tags(row, "<think>", "<think>")


def after_answer(row: Row, rng: Random) -> Row | None:
    """The answer first, its thinking after it."""
    head, answer = split_reply(reply(row)["value"])
    if not head.endswith("</think>"):
        return None
    faulty = duplicate(row)
    reply(faulty)["value"] = answer + head
    return faulty


def answer_inside(row: Row, rng: Random) -> Row | None:
    """The answer, which the gold confirms, as the last line of the thinking and not after it."""
    head, answer = split_reply(reply(row)["value"])
    if not head.endswith("</think>") or gold_text(row) != answer or "\n</think>" in head:
        return None
    shape = rng.choice(
        ("{}", "Final answer: {}", "Answer: {}", "**Answer:** {}", "<answer>{}</answer>",
         "\\boxed{{{}}}", "The final answer is {}.")
    )  # fmt: skip
    faulty = duplicate(row)
    reply(faulty)["value"] = head.removesuffix("</think>") + f"\n{shape.format(answer)}</think>"
    return faulty


def disagrees(row: Row, rng: Random) -> Row | None:
    """The last value of the thinking is not the answer: one of the two is wrong."""
    head, answer = split_reply(reply(row)["value"])
    found = list(_NUMBER.finditer(head))
    if not found or found[-1][0] != answer:
        return None
    faulty, last = duplicate(row), found[-1]
    other = str(int(float(answer)) + rng.choice((-2, -1, 1, 3, 10, 27)))
    reply(faulty)["value"] = head[: last.start()] + other + head[last.end() :] + answer
    return faulty


def alone(row: Row, rng: Random) -> Row | None:
    """Thinking alone, without an answer after it and without one in it."""
    head, answer = split_reply(reply(row)["value"])
    if "</think>" not in head or answer in head:
        return None
    faulty = duplicate(row)
    reply(faulty)["value"] = head.rstrip()
    return faulty


def _with_tags(row: Row, opener: str, closer: str) -> Row | None:
    """A copy whose last thinking stands between other tags."""
    head, answer = split_reply(reply(row)["value"])
    if "</think>" not in head:
        return None
    faulty = duplicate(row)
    changed = head.replace("<think>", "\0", 1).replace("</think>", closer, 1)
    reply(faulty)["value"] = changed.replace("\0", opener, 1) + answer
    return faulty
