"""What the families `geometry` and `screens` promise beyond the table's common rules.

The withheld combination is re-derived from the facts; guessing does not pay; what the captions and
the lists of boxes say is read back by a parser that knows nothing of the generator.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from pellucid.data.synth import FAMILIES, Item, Scene
from pellucid.recipe.data import GeometryScene, ScreensScene

Facts = Mapping[str, Any]

SEEDS = 400
MAJORITY = 0.30
"""Largest share of one answer, or of one place, within a task."""
GUESSES = 60
"""Boxes of other scenes that are tried as a guess."""


@cache
def scenes(family: str, withheld: bool = False) -> list[Scene]:
    grid: dict[str, Any] = {"on_grid": True, "min_side_px": 128, "max_side_px": 176}
    options: GeometryScene | ScreensScene = GeometryScene(withheld=withheld, **grid)
    if family == "screens":
        options = ScreensScene(max_controls=5, max_number=99, withheld=withheld, **grid)
    count = SEEDS // 4 if withheld else SEEDS
    return [FAMILIES[family].draw(options, seed) for seed in range(count)]


families = pytest.mark.parametrize("family", ["geometry", "screens"])


def items(scene: Scene, task: str) -> list[Item]:
    return [item for item in scene.items if item.task == task]


def said(scene: Scene, task: str) -> str:
    (item,) = items(scene, task)
    assert item.answer is None
    return item.asks[0].reply


def has_withheld(facts: Facts) -> bool:
    if facts["family"] == "geometry":
        return any((f["colour"], f["kind"]) == ("purple", "circle") for f in facts["figures"])
    checked = any(c["kind"] == "check" and c["value"] == "x" for c in facts["controls"])
    return facts["bar"]["colour"] == "green" and checked


@families
def test_the_withheld_combination_is_in_every_scene_or_in_none(family: str) -> None:
    assert not any(has_withheld(scene.facts) for scene in scenes(family))
    assert all(has_withheld(scene.facts) for scene in scenes(family, True))


def test_both_halves_of_the_combination_occur_without_the_other() -> None:
    figures = [f for scene in scenes("geometry") for f in scene.facts["figures"]]
    assert sum(f["colour"] == "purple" for f in figures) > SEEDS / 8
    assert sum(f["kind"] == "circle" for f in figures) > SEEDS / 8
    windows = [scene.facts for scene in scenes("screens")]
    assert sum(facts["bar"]["colour"] == "green" for facts in windows) > SEEDS / 16
    assert sum(any(c["value"] == "x" for c in f["controls"]) for f in windows) > SEEDS / 8


def test_no_question_or_answer_speaks_of_a_purple_circle() -> None:
    for scene in scenes("geometry"):
        words = " ".join(ask.question + ask.reply for item in scene.items for ask in item.asks)
        assert "purple circle" not in words


def overlap(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def best_guess(kind: str, golds: list[str]) -> float:
    """Share of the golds that one answer, the same for all, gets right."""
    if kind not in ("box", "point"):
        return Counter(golds).most_common(1)[0][1] / len(golds)
    boxes = [json.loads(gold) for gold in golds]
    if kind == "box":
        hits = (sum(overlap(one, box) >= 0.5 for box in boxes) for one in boxes[:GUESSES])
        return max(hits) / len(golds)
    grid = [(x / 24, y / 24) for x in range(24) for y in range(24)]
    inside = (sum(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in boxes) for x, y in grid)
    return max(inside) / len(golds)


@families
def test_no_task_is_won_by_guessing(family: str) -> None:
    golds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for scene in scenes(family):
        for item in scene.items:
            if item.answer:
                golds[item.task, item.answer.kind].append(item.answer.gold)
    shares = {task: best_guess(kind, found) for (task, kind), found in golds.items()}
    assert max(shares.values()) <= MAJORITY, shares
    hits = sum(shares[task] * len(found) for (task, _), found in golds.items())
    assert hits <= 0.2 * sum(map(len, golds.values()))


def test_a_missing_side_is_not_given_away_by_the_words() -> None:
    """No perimeter that occurs often goes with one answer only."""
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    for scene in scenes("geometry"):
        for item in items(scene, "missing"):
            assert item.answer is not None
            words = re.sub(r"the \w+ rectangle", "it", item.asks[-1].question)
            asked[words][item.answer.gold] += 1
    common = [answers for answers in asked.values() if answers.total() >= 5]
    assert common and all(len(answers) > 1 for answers in common)


def test_the_list_of_boxes_is_that_of_the_figures() -> None:
    for scene in scenes("geometry"):
        found = re.findall(r"(\w+) ([a-z ]+) (\[[\d., ]+\])\.", said(scene, "grounded"))
        want = [(f["colour"], f["kind"]) for f in scene.facts["figures"]]
        assert [one[:2] for one in found] == want
        for (*_, box), figure in zip(found, scene.facts["figures"], strict=True):
            assert json.loads(box) == pytest.approx(figure["box"], abs=0.0051), "in hundredths"


def rows(text: str) -> list[list[tuple[str, str]]]:
    """Labels with what follows them, row by row, from a caption or a list of boxes."""
    lines = re.findall(r"Row \d+: (.*?)\.(?= Row|$)", text)
    return [re.findall(r"(\w+) (?:button|box|field) ?(\[.*?\]|[^,]*)", line) for line in lines]


def test_the_list_of_boxes_is_that_of_the_controls() -> None:
    for scene in scenes("screens"):
        found = [one for row in rows(said(scene, "grounded")) for one in row]
        assert [label for label, _ in found] == [c["label"] for c in scene.facts["controls"]]
        for (_, box), control in zip(found, scene.facts["controls"], strict=True):
            assert json.loads(box) == pytest.approx(control["box"], abs=0.0051), "in hundredths"


def test_questions_about_figures_follow_from_the_caption() -> None:
    for scene in scenes("geometry"):
        listed = re.findall(r"an? (\w+) ([a-z ]+?) with ([^,.]+)", said(scene, "caption").lower())
        told = {f"{colour} {kind}": sides for colour, kind, sides in listed}
        for item in items(scene, "read") + items(scene, "area"):
            assert item.answer is not None
            side, name = re.findall(r"the (\w+) of the ([a-z ]+)\?", item.asks[0].question)[0]
            sides = dict(re.findall(r"(\w+) (\d+)", told[name]))
            lengths = [int(length) for length in sides.values()]
            got = sides[side] if item.task == "read" else str(lengths[0] * lengths[-1])
            if item.task == "area" and "triangle" in name:
                got = str(lengths[0] * lengths[-1] // 2)
            assert got == item.answer.gold
        for item in items(scene, "which"):
            assert item.answer is not None
            (length,) = re.findall(r"\d+", item.asks[0].question)
            (got,) = [name for name, sides in told.items() if length in sides.split()]
            assert got == item.answer.gold


WAYS = {"right of": (0, 1), "left of": (0, -1), "below": (1, 0), "above": (-1, 0)}


def walk(question: str, table: list[list[tuple[str, str]]]) -> tuple[str, str]:
    """Where the ways that a question names lead, from the label that it names."""
    labels = {label: (r, c) for r, row in enumerate(table) for c, (label, _) in enumerate(row)}
    (name,) = re.findall(r"the (\w+) (?:button|box|field)", question)
    row, column = labels[name]
    for way in re.findall(r"directly (?:to the )?(right of|left of|below|above)", question):
        row, column = row + WAYS[way][0], column + WAYS[way][1]
        assert row >= 0 and column >= 0
    return table[row][column]


def test_questions_about_windows_follow_from_the_caption_or_the_boxes() -> None:
    states = {"checked": "checked", "not checked": "not checked"}
    for scene in scenes("screens"):
        caption = said(scene, "caption")
        table, boxes = rows(caption), rows(said(scene, "grounded"))
        values = {label: value for row in table for label, value in row}
        for item in scene.items:
            asked = item.asks[0].question
            if item.task == "which":
                got = walk(asked, table)[0]
            elif item.task in ("locate", "click", "click_next", "click_second"):
                got = walk(asked, boxes)[1]
            elif item.task == "checked":
                value = values.get(asked.split()[1])
                got = "not there" if value is None else states.get(value, "a field")
            elif item.task == "sum":
                one, other = re.findall(r"the (\w+) field", asked)
                got = str(int(values[one]) + int(values[other]))
            elif item.task == "colour":
                got = re.findall(r"with a (\w+) bar", caption)[0]
            else:
                continue
            assert got == item.asks[-1].reply, item


@families
def test_every_evaluated_task_follows_from_one_of_the_texts(family: str) -> None:
    row = FAMILIES[family]
    tasks = {item.task for scene in scenes(family) for item in scene.items if item.answer}
    assert row.from_caption | row.from_boxes == tasks and not row.from_caption & row.from_boxes
