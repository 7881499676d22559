"""Who speaks: names of roles, and turns in the wrong order.

Rows that say `user` and `assistant` throughout are sound and stay; a name that is neither is mended
to the row's own way. Order is mended where one rearrangement alone makes the speakers alternate and
the texts agree with it: a question carries a tag, asks, or opens like a question; a reply carries a
thinking or is the gold.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pellucid.data.repair.base import Doubt, Edit, Facts, Operator, Result, Row
from pellucid.data.repair.places import KEY, ROLES, TAG, answer, bare, role, turns
from pellucid.score.extract import tidy

_NAMES = {
    "user": ("human", "user", "usr", "person", "prompter", "client", "customer", "questioner",
             "question", "instruction", "humans", "users"),
    "assistant": ("gpt", "assistant", "bot", "model", "ai", "chatgpt", "chatbot", "llava", "llm",
                  "claude", "gemini", "agent", "answer", "response", "machine", "vlm", "gpts"),
    "system": ("system", "sys", "developer"),
}  # fmt: skip
_KNOWN = {name: speaker for speaker, names in _NAMES.items() for name in names}
_GPT = re.compile(r"(chat)?gpt[-_ ]?[0-9.]*[a-z-]*|assistant[-_ ]?[0-9]*|model[-_ ]?[0-9]*")
_LLAVA = {"user": "human", "assistant": "gpt", "system": "system"}
_ASKING = re.compile(
    r"(what|which|how|where|who|whom|whose|when|why|is|are|was|were|does|do|did|can|could|should|"
    r"has|have|will|would|describe|explain|give|read|write|say|find|list|name|tell|count|identify|"
    r"compute|calculate|solve|determine|click|locate|provide|answer|look|choose|select|please)\b",
    re.IGNORECASE,
)


def names(row: Row, facts: Facts) -> Result:
    """Give speakers the names that the format knows, and turns without one the only one left."""
    filled = _filled(row)
    if filled is not None:
        return filled
    found = turns(row)
    exact = {turn["from"] for turn in found}
    if exact <= {"human", "gpt", "system"} or exact <= {"user", "assistant", "system"}:
        return Result(row)
    ours = bool(exact & {"human", "gpt"}) or "assistant" not in exact
    edits, new = [], []
    for index, turn in enumerate(found):
        speaker = _speaker(turn["from"])
        name = turn["from"] if speaker is None else _LLAVA[speaker] if ours else speaker
        if name != turn["from"]:
            edits.append(Edit(turn["from"], name, f"{KEY}[{index}].from"))
            turn = {**turn, "from": name}
        new.append(turn)
    return Result({**row, KEY: new} if edits else row, tuple(edits))


def _filled(row: Row) -> Result | None:
    """The row with the speakers that its turns lack, where the others leave one choice."""
    found = row.get(KEY)
    if not isinstance(found, list) or not all(
        isinstance(turn, dict) and isinstance(turn.get("value"), str) for turn in found
    ):
        return None
    named = [turn.get("from") for turn in found]
    if all(named) or not any(named) or not all(isinstance(one, str | None) for one in named):
        return None
    roles = [_speaker(one) if one else "" for one in named]
    first = 1 if roles[0] == "system" else 0
    wanted = ["system"] * first + [
        "assistant" if at % 2 else "user" for at in range(len(found) - first)
    ]
    if len(found) - first < 2 or len(found) % 2 != first:
        return None
    if any(one not in ("", other) for one, other in zip(roles, wanted, strict=True)):
        return None
    ours = bool({"human", "gpt"} & set(named)) or not {"user", "assistant"} & set(named)
    new, edits = [], []
    for index, (turn, speaker) in enumerate(zip(found, wanted, strict=True)):
        if not turn.get("from"):
            name = _LLAVA[speaker] if ours else speaker
            edits.append(Edit(turn.get("from"), name, f"{KEY}[{index}].from"))
            turn = {"from": name, **{key: value for key, value in turn.items() if key != "from"}}
        new.append(turn)
    return Result({**row, KEY: new}, tuple(edits))


def _speaker(name: str) -> str | None:
    if name in ROLES:
        return ROLES[name]
    word = name.casefold().strip(" \t\r\n:<>|[]{}#*\"'_-")
    if word in _KNOWN:
        return _KNOWN[word]
    if _GPT.fullmatch(word):
        return "assistant"
    near = get_close_matches(word, list(ROLES), 1, 0.74)
    if near:
        return ROLES[near[0]]
    # "gtp", "hunam": the letters of a name in another order.
    return next((ROLES[name] for name in ROLES if sorted(name) == sorted(word)), None)


def order(row: Row, facts: Facts) -> Result:
    """Put turns and speakers in the order user, assistant, user, ..."""
    found = turns(row)
    spoken = [role(turn) for turn in found]
    if not found or None in spoken:
        return Result(row)
    systems = [turn for turn in found if role(turn) == "system"]
    talk = [turn for turn in found if role(turn) != "system"]
    if len(systems) > 1:
        return Result(row, (), (Doubt("several system turns", KEY),))
    if _alternates(talk):
        mended: list[Any] | None = talk
    else:
        mended = _ordered(row, talk)
    if mended is None:
        return Result(row, (), (Doubt(_said(talk), KEY),))
    new = [*systems, *mended]
    if new == found:
        return Result(row)
    return Result({**row, KEY: new}, (Edit(found, new, KEY),))


def _alternates(talk: Sequence[Row]) -> bool:
    """Whether users and assistants take turns from a user on; the last may be either."""
    return all(
        role(turn) == ("assistant" if index % 2 else "user") for index, turn in enumerate(talk)
    )


def _said(talk: Sequence[Row]) -> str:
    if talk and role(talk[0]) == "assistant":
        return "opens with a reply: the first question is missing"
    for one, two in zip(talk, talk[1:], strict=False):
        if role(one) == role(two):
            return f"two turns running by the {role(one)}"
    return "speakers do not alternate"


def _ordered(row: Row, talk: Sequence[Row]) -> list[Any] | None:
    """The turns in order, where only one order can be meant."""
    joined = _joined(talk)
    if joined is not None:
        return joined
    if len(talk) % 2:
        return None
    if all(role(turn) == ("user" if index % 2 else "assistant") for index, turn in enumerate(talk)):
        return _swapped(row, talk)
    wrong = [
        index
        for index, turn in enumerate(talk)
        if role(turn) != ("assistant" if index % 2 else "user")
    ]
    if len(wrong) == 1:
        return _relabelled(row, talk, wrong[0])
    return _transposed(row, talk)


def _joined(talk: Sequence[Row]) -> list[Any] | None:
    """A question that was cut after its tags, or a reply cut after its thinking, made one again."""
    new: list[Any] = []
    for turn in talk:
        last = new[-1] if new else None
        if last is not None and role(last) == role(turn):
            text = last["value"].strip()
            if role(turn) == "user" and text and not text.replace(TAG, "").strip():
                new[-1] = {**last, "value": f"{text}\n{turn['value']}"}
                continue
            if role(turn) == "assistant" and text.startswith("<think>"):
                if text.endswith("</think>") and "<think>" not in turn["value"]:
                    new[-1] = {**last, "value": text + turn["value"]}
                    continue
        new.append(turn)
    return new if len(new) < len(talk) and _alternates(new) else None


def _swapped(row: Row, talk: Sequence[Row]) -> list[Any] | None:
    """Assistant, user, ...: either every name is the other's, or the turns lie the wrong way."""
    right = _evidence(row, talk[0::2], talk[1::2])
    wrong = _evidence(row, talk[1::2], talk[0::2])
    if right and not wrong:
        return [{**turn, "from": talk[1 - index % 2]["from"]} for index, turn in enumerate(talk)]
    if wrong and not right:
        if len(talk) == 2 or TAG in talk[1]["value"]:
            return [
                turn for index in range(0, len(talk), 2) for turn in (talk[index + 1], talk[index])
            ]
        return list(reversed(talk)) if TAG in talk[-1]["value"] else None
    return None


def _relabelled(row: Row, talk: Sequence[Row], index: int) -> list[Any] | None:
    """One turn under the other's name, where its text does not speak against that."""
    text, name = talk[index]["value"], talk[index]["from"]
    if role(talk[index]) == "user":
        doubtful = _asks(text) and not _answers(row, text)
        other = {"human": "gpt", "user": "assistant"}[name]
    else:
        doubtful = not _asks(text)
        other = {"gpt": "human", "assistant": "user"}[name]
    if doubtful or any(turn["value"] == text for turn in talk[max(index - 1, 0) : index]):
        return None
    return [{**turn, "from": other} if turn is talk[index] else turn for turn in talk]


def _transposed(row: Row, talk: Sequence[Row]) -> list[Any] | None:
    """Two neighbours that changed places, where that alone explains the order."""
    found = []
    for index in range(len(talk) - 1):
        moved = [*talk[:index], talk[index + 1], talk[index], *talk[index + 2 :]]
        if role(talk[index]) != role(talk[index + 1]) and _alternates(moved):
            found.append(moved)
    if len(found) != 1:
        return None
    moved = found[0]
    return moved if _evidence(row, moved[0::2], moved[1::2]) else None


def _evidence(row: Row, asked: Sequence[Row], replied: Sequence[Row]) -> bool:
    """Whether something says that these are the questions and those the replies."""
    return any(_asks(turn["value"]) for turn in asked) or any(
        _answers(row, turn["value"]) for turn in replied
    )


def _asks(text: str) -> bool:
    said = bare(text)
    return TAG in text or said.endswith(("?", "？")) or _ASKING.match(said) is not None


def _answers(row: Row, text: str) -> bool:
    if text.lstrip().startswith(("<think>", "<nothink>")):
        return True
    gold = answer(row).get("gold")
    return isinstance(gold, str) and tidy(bare(text)) == tidy(gold)


ROLE_NAMES = Operator("role_names", 1, "mend", "speakers by another name (bot, Human, gtp)", names)
ROLE_ORDER = Operator(
    "role_order", 1, "mend", "swapped or misplaced speakers; two turns running", order
)
