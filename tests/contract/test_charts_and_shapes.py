"""Charts and shapes as the laptop draws them: what is withheld, what guessing pays, what is told.

The promises that all families share are in `test_scenes.py`.
"""

import json
import re
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest

from pellucid.data.synth import FAMILIES, Item, Scene
from pellucid.recipe.data import ChartsScene, ShapesScene

GRID: dict[str, Any] = {"on_grid": True, "min_side_px": 128, "max_side_px": 176}
LAPTOP = {
    "charts": ChartsScene(min_bars=2, max_bars=5, max_value=30, **GRID),
    "shapes": ShapesScene(min_shapes=2, max_shapes=6, **GRID),
}
SEEDS = 400
MAJORITY = 0.30
families = pytest.mark.parametrize("family", sorted(LAPTOP))


@cache
def drawn(family: str, withheld: bool = False) -> list[Scene]:
    options = LAPTOP[family].model_copy(update={"withheld": withheld})
    return [FAMILIES[family].draw(options, seed) for seed in range(60 if withheld else SEEDS)]


def item(scene: Scene, task: str) -> Item:
    (found,) = [one for one in scene.items if one.task == task]
    return found


def text(scene: Scene, task: str) -> str:
    return item(scene, task).asks[0].reply


def purple_months(scene: Scene) -> list[str]:
    months = "jan feb mar apr may jun jul aug sep oct nov dec".split()
    bars = scene.facts["bars"]
    return [b["label"] for b in bars if b["colour"] == "purple" and b["label"] in months]


def yellow_triangles(facts: dict) -> int:
    return sum((s["colour"], s["kind"]) == ("yellow", "triangle") for s in facts["shapes"])


def test_a_purple_month_is_withheld() -> None:
    assert not any(purple_months(scene) for scene in drawn("charts"))
    assert all(len(purple_months(scene)) == 1 for scene in drawn("charts", True))
    bars = [bar for scene in drawn("charts") for bar in scene.facts["bars"]]
    assert sum(bar["colour"] == "purple" for bar in bars) > 50, "purple is not unknown"
    assert sum(bar["label"] in ("jan", "may", "oct") for bar in bars) > 30, "nor are months"


def test_a_yellow_triangle_is_withheld() -> None:
    for scene in drawn("shapes"):
        assert yellow_triangles(scene.facts) == yellow_triangles(scene.facts["after"]) == 0
        for ask in (ask for one in scene.items for ask in one.asks):
            said = f"{ask.question} {ask.reply} {ask.reasoning}"
            assert not re.search("yellow triangle|triangle became yellow", said), said
    assert all(yellow_triangles(scene.facts) == 1 for scene in drawn("shapes", True))
    there = Counter(s["colour"] for scene in drawn("shapes") for s in scene.facts["shapes"])
    assert there["yellow"] > 100


def shares(golds: dict[str, Counter[str]]) -> dict[str, float]:
    return {task: max(count.values()) / count.total() for task, count in golds.items()}


@families
def test_guessing_does_not_pay_in_any_task(family: str) -> None:
    golds: dict[str, Counter[str]] = defaultdict(Counter)
    for scene in drawn(family):
        for one in scene.items:
            if one.answer:
                golds[one.task][one.answer.gold] += 1
    found = shares(golds)
    print({task: round(share, 2) for task, share in found.items()})
    assert max(found.values()) <= MAJORITY, found
    items = sum(count.total() for count in golds.values())
    assert sum(found[task] * golds[task].total() for task in found) / items <= 0.25


def test_the_kinds_of_the_offered_changes_give_nothing_away() -> None:
    """A guess among the two changes of one kind is right as often as one among all four."""
    right = 0
    for scene in drawn("shapes"):
        asked = item(scene, "changed")
        lines = dict(
            re.findall(
                r"^([A-D])\. .* (added|removed|became) ?\w*\.$", asked.asks[0].question, re.M
            )
        )
        assert len(lines) == 4
        kinds = Counter(lines.values())
        twice, _ = kinds.most_common(1)[0]
        right += (lines[asked.answer.gold] == twice) / kinds[twice]
    assert 0.2 < right / SEEDS < MAJORITY


@families
def test_the_grounded_text_gives_every_box_by_the_names_of_the_questions(family: str) -> None:
    for scene in drawn(family) + drawn(family, True):
        told = re.findall(r"([^.\[]+) (\[[^\]]*\])\.", text(scene, "grounded"))
        things = scene.facts["bars" if family == "charts" else "shapes"]
        for (name, box), thing in zip(told, things, strict=True):
            wanted = [thing["colour"]]
            wanted += [f"{thing['label']} bar"] if family == "charts" else [thing["kind"]]
            assert all(word in name for word in wanted)
            assert json.loads(box) == pytest.approx(thing["box"], abs=0.0051), "in hundredths"
        asked = item(scene, "locate")
        assert asked.asks[0].reply in text(scene, "grounded")


def test_a_reader_of_a_chart_s_caption_knows_the_answers() -> None:
    for scene in drawn("charts"):
        bars = re.findall(r"(\w+) is (\w+) with value (\d+)", text(scene, "caption"))
        by = {key: (label, tint, int(v)) for label, tint, v in bars for key in (label, tint)}
        for task in FAMILIES["charts"].from_caption:
            one = item(scene, task)
            asked = " ".join(ask.question for ask in one.asks)
            chosen = [by[word] for word in re.findall(r"\w+", asked) if word in by]
            match task:
                case "count":
                    want = str(len(bars))
                case "read":
                    want = str(chosen[0][2])
                case "name":
                    want = chosen[0][0 if chosen[0][1] in asked else 1]
                case "largest":
                    want = max(by.values(), key=lambda bar: bar[2])[0]
                case "difference":
                    want = str(chosen[0][2] - chosen[1][2])
                case _:
                    want = str(chosen[0][2] + chosen[1][2])
            assert one.answer.gold == want, (task, asked, bars)


def test_a_reader_of_a_shapes_caption_or_boxes_knows_the_answers() -> None:
    for scene in drawn("shapes"):
        there = re.findall(r"[Aa]n? (\w+) (\w+) at the", text(scene, "caption"))
        counts = Counter(colour for colour, _ in there)
        tasks = {one.task for one in scene.items}
        for task in FAMILIES["shapes"].from_caption & tasks:
            one = item(scene, task)
            asked = " ".join(ask.question for ask in one.asks)
            colours = re.findall("red|blue|green|yellow|purple|orange", asked)
            want = str(sum(counts[colour] for colour in colours) if colours else len(there))
            want = counts.most_common(1)[0][0] if task == "most" else want
            assert one.answer.gold == want, (task, asked, there)
        told = re.findall(r"(\w+ \w+) (\[[^\]]*\])\.", text(scene, "grounded"))
        boxes = {name: json.loads(box) for name, box in told}
        one = item(scene, "relation")
        a, b = re.findall(r"\w+ (?:circle|square|triangle|diamond)", one.asks[0].question)
        across = boxes[a][0] + boxes[a][2] - boxes[b][0] - boxes[b][2]
        down = boxes[a][1] + boxes[a][3] - boxes[b][1] - boxes[b][3]
        flat, tall = ("left of", "right of")[across > 0], ("above", "below")[down > 0]
        assert one.answer.gold == (flat if abs(across) > abs(down) else tall)


@families
def test_steps_are_short_and_told_tasks_exist(family: str) -> None:
    rows = FAMILIES[family]
    asked = {one.task for scene in drawn(family) for one in scene.items if one.answer}
    assert rows.from_caption | rows.from_boxes == asked - {"changed"}
    for scene in drawn(family):
        for one in scene.items:
            last = one.asks[-1]
            if last.reasoning and not last.direct:
                most = 75 if one.task == "changed" else 45  # that lists two pictures
                assert len(re.findall(r"\w+|[^\w\s]", last.reasoning)) < most
