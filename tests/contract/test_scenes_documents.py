"""Documents: the withheld line, captions that answer, boxes, and no answer that guessing finds."""

import json
import re
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest

from pellucid.data.synth import FAMILIES, Item, Scene
from pellucid.recipe.data import DocumentsScene

SEEDS = 300
SHARE = 0.30
STEP_TOKENS = 62
"""Most tokens of the steps: a total of five lines is four additions of fifteen."""


@cache
def scenes(withheld: bool) -> list[Scene]:
    options = DocumentsScene(
        min_lines=2,
        max_lines=5,
        max_cents=99,
        on_grid=True,
        min_side_px=128,
        max_side_px=176,
        withheld=withheld,
    )
    return [FAMILIES["documents"].draw(options, seed) for seed in range(SEEDS)]


def items(scene: Scene) -> dict[str, Item]:
    found = {item.task: item for item in scene.items}
    assert len(found) == len(scene.items)
    return found


def heard(caption: str) -> tuple[str, dict[str, int]]:
    """Number of the heading, and each line's words with its value in the smallest unit."""
    (number,) = re.findall(r"headed \w+ (\d+)", caption)
    listed = re.findall(r"Line \d+: ([a-z ]+) ([\d.]+)\.(?: |$)", caption)
    return number, {words: int(value.replace(".", "")) for words, value in listed}


@pytest.mark.parametrize("withheld", [False, True])
def test_a_long_line_that_ends_in_seven_is_there_only_when_wanted(withheld: bool) -> None:
    both = Counter[str]()
    for scene in scenes(withheld):
        lines = scene.facts["lines"]
        long = [" " in line["words"] for line in lines]
        seven = [line["value"].endswith("7") for line in lines]
        assert any(a and b for a, b in zip(long, seven, strict=True)) == withheld
        both.update(long=sum(long), seven=sum(seven))
    assert min(both.values()) > SEEDS // 10, "either is common by itself"


@pytest.mark.parametrize("withheld", [False, True])
def test_no_answer_of_a_task_is_common(withheld: bool) -> None:
    golds: dict[str, Counter[str]] = defaultdict(Counter)
    for scene in scenes(withheld):
        for item in scene.items:
            if item.answer:
                golds[item.task][item.answer.gold] += 1
    shares = {task: most(count) for task, count in golds.items()}
    assert max(shares.values()) <= SHARE, shares


def most(count: Counter[str]) -> float:
    return count.most_common(1)[0][1] / count.total()


def test_grounded_text_gives_the_boxes_of_the_facts() -> None:
    for scene in scenes(False):
        given = items(scene)
        told = re.findall(r"([a-z][a-z ]*) (\[[^]]*\])\.", given["grounded"].asks[0].reply)
        assert [words for words, _ in told] == [line["words"] for line in scene.facts["lines"]]
        for (_, box), line in zip(told, scene.facts["lines"], strict=True):
            assert json.loads(box) == pytest.approx(line["box"], abs=0.0051), "in hundredths"
        (words,) = re.findall(
            r"(?:line with|box of) ([a-z ]+)[?.]", given["locate"].asks[0].question
        )
        assert dict(told)[words] == given["locate"].asks[0].reply


def answers(task: str, item: Item, number: str, lines: dict[str, int]) -> Any:
    asked = " ".join(ask.question for ask in item.asks)
    named = [word for word in lines if re.search(rf"\b{word}\b", asked)]
    match task:
        case "heading":
            return int(number)
        case "count":
            return len(lines)
        case "read":
            return lines[named[0]]
        case "nth":
            return list(lines)[int(re.findall(r"line (\d)", asked)[0]) - 1]
        case "total":
            return sum(lines.values())
        case "pair" | "dialogue":
            return lines[named[0]] + lines[named[1]]
        case "name":
            value = int(re.findall(r"[\d.]*\d", asked)[0].replace(".", ""))
            return next(words for words, its in lines.items() if its == value)
    paid = int(re.findall(r"\d+\.\d\d", asked)[0].replace(".", "")) if task != "difference" else 0
    match task:
        case "change":
            return paid - lines[named[0]]
        case "change_all":
            return paid - sum(lines.values())
        case "difference":
            return abs(lines[named[0]] - lines[named[1]])
    raise AssertionError(task)


def test_the_caption_alone_answers_what_it_is_said_to() -> None:
    family = FAMILIES["documents"]
    for scene in scenes(False):
        given = items(scene)
        number, lines = heard(given["caption"].asks[0].reply)
        for task in family.from_caption & set(given):
            gold = given[task].answer.gold
            want = answers(task, given[task], number, lines)
            assert (gold if isinstance(want, str) else int(gold.replace(".", ""))) == want
    evaluated = {item.task for scene in scenes(False) for item in scene.items if item.answer}
    assert family.from_caption | family.from_boxes == evaluated


def test_steps_are_short() -> None:
    """A number has one token for each of its characters; a word counts three."""
    for scene in scenes(False):
        for item in scene.items:
            last = item.asks[-1]
            if last.reasoning and not last.direct:
                tokens = re.findall(r"[a-z]+|[\d.]| [-+=] ", last.reasoning)
                assert sum(3 if token.isalpha() else 1 for token in tokens) <= STEP_TOKENS
