"""Every scene family keeps the promises of the table, over many seeds.

Same seed, same bytes; golds follow from the facts, recomputed here from the question's words; boxes
are true to a pixel; nothing overlaps or is cut; no answer is so common that guessing pays.
A new family with pictures needs a row in `OPTIONS` and one in `SOLVERS`; those of words alone
are in `test_scenes_in_words.py`.
"""

import json
import operator
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pellucid.base.errors import UserError
from pellucid.data.synth import (
    FAMILIES,
    Item,
    Picture,
    Scene,
    base,
    charts,
    figures,
    screens,
    shapes,
    windows,
)
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.recipe.data import (
    ChartsScene,
    DocumentsScene,
    GeometryScene,
    ScreensScene,
    ShapesScene,
)
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.rollout import Rollout
from pellucid.score import scorer_for

Facts = Mapping[str, Any]

GRID: dict[str, Any] = {"on_grid": True, "min_side_px": 128, "max_side_px": 176}
LEVELS = ("default", "hard", "grid")
OPTIONS = {
    "charts": [
        ChartsScene(),
        ChartsScene(min_bars=2, max_bars=8, max_value=99, min_side_px=90, max_side_px=400),
        ChartsScene(min_bars=2, max_value=30, **GRID),
    ],
    "documents": [
        DocumentsScene(),
        DocumentsScene(min_lines=2, max_lines=8, max_cents=2000, min_side_px=80, max_side_px=400),
        DocumentsScene(max_lines=5, max_cents=99, **GRID),
    ],
    "geometry": [
        GeometryScene(),
        GeometryScene(max_length=99, min_side_px=80, max_side_px=400),
        GeometryScene(**GRID),
    ],
    "screens": [
        ScreensScene(),
        ScreensScene(max_controls=8, max_number=9999, min_side_px=80, max_side_px=400),
        ScreensScene(max_controls=5, max_number=99, **GRID),
    ],
    "shapes": [
        ShapesScene(),
        ShapesScene(min_shapes=1, max_shapes=9, min_side_px=80, max_side_px=400),
        ShapesScene(**GRID),
    ],
}
WORK = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SEEDS = 150
THINGS = ("bars", "controls", "figures", "lines", "shapes")
ON_OTHERS = ("value", "text")
"""What may stand on something else."""
MAJORITY = 0.45
"""Largest share of one answer within a task, at the default options."""


@cache
def scenes(family: str, level: str) -> list[Scene]:
    options = OPTIONS[family][LEVELS.index(level)]
    count = SEEDS // 3 if level == "hard" else SEEDS
    return [FAMILIES[family].draw(options, seed) for seed in range(count)]


def every(family: str) -> list[Scene]:
    return [scene for level in LEVELS for scene in scenes(family, level)]


families = pytest.mark.parametrize("family", sorted(OPTIONS))


def is_said(text: str, box: list[float]) -> bool:
    """A box in hundredths, or as the gold spells it where it is too thin for them."""
    told, halved = json.loads(text), 0.005 + 1e-9
    return all(abs(one - other) <= halved for one, other in zip(told, box, strict=True))


def assert_said(text: str, answer: Answer) -> None:
    """What the assistant says is the gold, and its scorer thinks so too."""
    if answer.kind not in ("box", "point"):
        assert text == answer.gold
        return
    assert is_said(text, json.loads(answer.gold))
    _, scorer = scorer_for(answer)
    assert scorer(said(text), Evidence(answer)).value == 1.0


def test_every_family_is_tested() -> None:
    assert set(OPTIONS) == set(SOLVERS) == set(FAMILIES) - {"lists", "pages", "safety", "sums"}


@families
def test_same_seed_same_bytes(family: str) -> None:
    for options in OPTIONS[family]:
        for seed in (0, 1, 77):
            assert FAMILIES[family].draw(options, seed) == FAMILIES[family].draw(options, seed)
    pngs = [scene.pictures[0].png for scene in scenes(family, "default")]
    assert len(set(pngs)) == len(pngs)


@families
def test_sizes_vary_within_the_options(family: str) -> None:
    for level, options in zip(LEVELS, OPTIONS[family], strict=True):
        sizes = {(p.width, p.height) for s in scenes(family, level) for p in s.pictures}
        if options.on_grid:
            assert sizes == {(options.max_side_px, options.min_side_px)}
            continue
        sides = {side for size in sizes for side in size}
        assert options.min_side_px <= min(sides) and max(sides) <= options.max_side_px
        ratios = [width / height for width, height in sizes]
        assert min(ratios) < 0.8 and max(ratios) > 1.25


@families
def test_facts_are_json_and_boxes_have_four_decimals(family: str) -> None:
    for scene in every(family):
        assert json.loads(json.dumps(scene.facts)) == scene.facts
        for box in boxes_in(scene.facts):
            assert all(0 <= value <= 1 and round(value, 4) == value for value in box)


@families
def test_golds_follow_from_the_facts(family: str) -> None:
    solve = SOLVERS[family]
    for scene in every(family):
        for item in scene.items:
            if item.answer is None:
                continue
            last = item.asks[-1]
            asked = " ".join(ask.question for ask in item.asks)
            want = solve(item.task, asked, scene.facts)
            got = item.answer.gold
            if item.answer.kind == "choice":
                lines = re.findall(r"^([A-H])\. (.*)$", last.question, re.M)
                assert [letter for letter, _ in lines] == list("ABCDEFGH")[: len(lines)]
                assert len({text for _, text in lines}) == len(lines)
                got = dict(lines)[got]
                assert item.answer.aliases == (got,)
            assert got == want, (item, scene.facts)
            assert_said(last.reply, item.answer)


STATEMENTS = {
    "charts": [
        (r"bars (.*)", "count"),
        (r"title (.*)", "title"),
        (r"\w+ value (.*)", "read"),
        (r"\w+ label (.*)", "name"),
        (r"\w+ colour (.*)", "name"),
        (r"\w+ box (.*)", "locate"),
    ],
    "documents": [
        (r"lines (.*)", "count"),
        (r"heading \w+ (.*)", "heading"),
        (r".* number (.*)", "read"),
        (r"line \d words (.*)", "nth"),
        (r".* words (.*)", "name"),
        (r".* box (.*)", "locate"),
    ],
    "geometry": [
        (r"figures (.*)", "count"),
        (r".* (?:width|height|side|base|radius) (.*)", "read"),
        (r"\w+ kind (.*)", "name"),
        (r"length \d+ figure (.*)", "which"),
        (r".* box (.*)", "locate"),
    ],
    "screens": [
        (r"title (.*)", "title"),
        (r"bar (.*)", "colour"),
        (r"buttons (.*)", "count"),
        (r"(?:top|bottom) (?:left|right) label (.*)", "corner"),
        (r".* label (.*)", "which"),
        (r"\w+ field number (.*)", "read"),
        (r".* box (\[.*)", "locate"),
        (r"\w+ (checked|not checked|a field|not there)", "checked"),
    ],
    "shapes": [
        (r"shapes (.*)", "count_all"),
        (r"\w+ (\d)", "count_colour"),
        (r".* box (.*)", "locate"),
        (r"\w+ \w+ seen from \w+ \w+ (.*)", "relation"),
    ],
}
"""What a statement can look like, and the task whose answer it gives in its group."""


@families
def test_every_statement_is_true(family: str) -> None:
    seen = Counter()
    for scene in every(family):
        (item,) = [item for item in scene.items if item.task == "statements"]
        said = re.findall(r"(.+?)\.(?: |$)", item.asks[0].reply)
        assert ". ".join(said) + "." == item.asks[0].reply
        assert len(set(said)) == len(said)
        for sentence in said:
            task, got, where = next(
                (task, match.group(1), match.span(1))
                for pattern, task in STATEMENTS[family]
                if (match := re.fullmatch(pattern, sentence))
            )
            asked = sentence[: where[0]] + sentence[where[1] :]
            want = SOLVERS[family](task, asked, scene.facts)
            same = is_said(got, json.loads(want)) if task == "locate" else got == want
            assert same, (sentence, scene.facts)
            seen[task] += 1
    singles = {i.task for scene in every(family) for i in scene.items if i.asks[0].direct}
    own = {"title"} if family == "charts" else set()  # which no question asks for
    assert set(seen) == (singles | own) - {"click"}, "all that can be asked without steps"


@families
def test_captions_name_everything(family: str) -> None:
    for scene in every(family):
        (caption,) = [item for item in scene.items if item.task == "caption"]
        text = caption.asks[0].reply
        assert caption.answer is None and text.endswith(".")
        for thing in scene.facts.get("bars", []):
            assert f"{thing['label']} is {thing['colour']} with value {thing['value']}" in text
        for thing in scene.facts.get("shapes", []):
            assert f"{thing['colour']} {thing['kind']} at the " in text
        for index, thing in enumerate(scene.facts.get("lines", []), 1):
            assert f"Line {index}: {thing['words']} {thing['value']}." in text
        for thing in scene.facts.get("figures", []):
            sides = [f"{side} {length}" for side, length in written(thing).items()]
            assert f"{name(thing)} with {' and '.join(sides)}" in text
        for thing in scene.facts.get("controls", []):
            marks = {"": " not checked", "x": " checked"} if thing["kind"] == "check" else {}
            assert (
                f"{named(thing)}{marks.get(thing['value'], ' ' + thing['value'])}".strip() in text
            )
        if "title" in scene.facts:
            assert scene.facts["title"]["text"] in text


@families
def test_steps_end_in_the_answer_and_only_arithmetic_has_them(family: str) -> None:
    thinking = {
        "charts": {"largest", "sum", "difference", "dialogue"},
        "documents": {"pair", "total", "change", "change_all", "difference", "dialogue"},
        "geometry": {"diameter", "area", "perimeter", "missing", "compare", "dialogue"},
        "screens": {"click_next", "click_second", "sum", "dialogue"},
        "shapes": {"most", "total", "dialogue", "changed"},
    }
    for scene in every(family):
        for item in scene.items:
            last = item.asks[-1]
            own_steps = last.reasoning is not None and not last.direct
            assert own_steps == (item.task in thinking[family])
            assert all(ask.reasoning is None for ask in item.asks[:-1])
            if not own_steps:
                continue
            assert "<" not in last.reasoning, "no tags in the steps"
            for left, sign, right, result in re.findall(
                r"([\d.]+) ([-+*/]) ([\d.]+) = ([\d.]*\d)", last.reasoning
            ):
                assert WORK[sign](Fraction(left), Fraction(right)) == Fraction(result)
            if item.answer.kind == "number":
                assert last.reasoning.endswith(f"= {last.reply}.")
            if item.task in ("largest", "most"):  # the steps end in the name beside its count
                assert re.search(rf" {last.reply} \d+\.$", " " + last.reasoning)
                continue
            if item.answer.kind == "point":  # the steps end in the name of what is clicked
                (at,) = [c for c in scene.facts["controls"] if is_said(last.reply, c["box"])]
                assert last.reasoning.endswith(f" is the {named(at)}.")
                continue
            assert last.reasoning.endswith(f" {last.reply}.")


@families
def test_scorers_take_the_gold_and_refuse_another(family: str) -> None:
    golds: dict[str, list[Answer]] = defaultdict(list)
    for scene in scenes(family, "default")[:40]:
        for item in scene.items:
            if item.answer:
                golds[item.task].append(item.answer)
    for answers in golds.values():
        for answer, other in zip(answers, answers[1:], strict=False):
            _, scorer = scorer_for(answer)
            evidence = Evidence(answer)
            assert scorer(said(answer.gold), evidence).value == 1.0
            assert all(scorer(said(alias), evidence).value == 1.0 for alias in answer.aliases)
            if answer.kind not in ("box", "point") and other.gold not in (
                answer.gold,
                *answer.aliases,
            ):
                assert scorer(said(other.gold), evidence).value == 0.0


@families
def test_no_answer_is_so_common_that_guessing_pays(family: str) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for scene in scenes(family, "default"):
        for item in scene.items:
            if item.answer:
                counts[item.task][item.answer.gold] += 1
    shares = {task: count.most_common(1)[0][1] / count.total() for task, count in counts.items()}
    print(family, {task: round(share, 2) for task, share in sorted(shares.items())})
    assert max(shares.values()) <= MAJORITY, shares


@families
def test_nothing_is_drawn_outside_the_facts_and_nothing_overlaps(family: str) -> None:
    for scene in every(family):
        for picture, facts in views(scene):
            pixels = decode(picture)
            owner = np.full(pixels.shape[:2], -1)
            edge = {tuple(int(v) for v in pixels[y, x]) for y, x in border(pixels)}
            assert len(edge) == 1, "something touches the edge"
            background = np.array(edge.pop())
            drawn = layers(facts)
            for index, (name, box) in enumerate(drawn):
                x0, y0, x1, y1 = pixel_box(box, picture)
                area = owner[y0:y1, x0:x1]
                (below,) = below if len(below := set(area.flat)) == 1 else (None,)
                assert below is not None, (name, "overlaps in part", facts)
                if name in ON_OTHERS:  # stands apart, or wholly on one thing
                    assert below == -1 or drawn[below][0] not in ON_OTHERS, (name, facts)
                    assert len(np.unique(pixels[y0:y1, x0:x1].reshape(-1, 3), axis=0)) > 1
                else:
                    assert below == -1, (name, facts)
                area[...] = index
                assert (pixels[y0:y1, x0:x1] != background).any(), f"{name} is not to be seen"
            outside = pixels[owner == -1]
            assert (outside == background).all(), "ink outside the boxes of the facts"


@families
def test_boxes_are_true_to_one_pixel(family: str) -> None:
    colours = {
        "charts": charts.COLOURS,
        "geometry": figures.COLOURS,
        "shapes": shapes.COLOURS,
    }
    for scene in every(family):
        for picture, facts in views(scene):
            pixels = decode(picture)
            things = [thing for kind in THINGS for thing in facts.get(kind, [])]
            assert things
            for thing in things:
                box = pixel_box(thing["box"], picture)
                colour = colours[family][thing["colour"]] if family in colours else None
                found = seen_box(pixels, colour, box)
                apart = max(abs(a - b) for a, b in zip(box, found, strict=True))
                assert apart <= 1, (thing, found)
                if family == "documents":  # a line reaches from its words to its number
                    assert thing["box"] == union([thing["words_box"], thing["value_box"]])
                if family == "screens":  # only the label of a field is not clicked
                    own = thing["value_box" if thing["kind"] == "field" else "label_box"]
                    assert thing["box"] == union([thing["box"], own])
                for text in thing.get("texts", []) if thing.get("kind") != "circle" else []:
                    box = pixel_box(text["box"], picture)
                    assert seen_box(pixels, None, box, around=0) == list(box)


@families
def test_a_gold_box_is_that_of_the_facts(family: str) -> None:
    for scene in every(family):
        (item,) = [item for item in scene.items if item.task == "locate"]
        assert item.answer is not None and item.answer.kind == "box"
        assert json.loads(item.answer.gold) in list(boxes_in(scene.facts))


@families
def test_one_conversation_has_two_questions(family: str) -> None:
    for scene in every(family):
        lengths = [len(item.asks) for item in scene.items if item.task != "quiz"]
        assert lengths.count(2) == 1


def test_the_changed_item_shows_two_pictures() -> None:
    kinds = Counter()
    for scene in every("shapes"):
        (item,) = [item for item in scene.items if item.task == "changed"]
        assert item.pictures == (0, 1) and scene.pictures[0].png != scene.pictures[1].png
        kinds[scene.facts["change"].split()[3]] += 1
    assert min(kinds.values()) > 20, kinds


def test_steps_of_a_change_list_both_pictures() -> None:
    for scene in every("shapes"):
        (item,) = [item for item in scene.items if item.task == "changed"]
        before, after = (
            [f"{shape['colour']} {shape['kind']}" for shape in plane["shapes"]]
            for plane in (scene.facts, scene.facts["after"])
        )
        gone, new = (
            next((one for one in these if one not in those), "nothing")
            for these, those in ((before, after), (after, before))
        )
        steps = str(item.asks[0].reasoning)
        assert steps.startswith(f"First: {', '.join(before)}. Second: {', '.join(after)}. ")
        assert f" Only in the first: {gone}. Only in the second: {new}. " in steps


def test_bars_on_the_grid_lie_in_the_row_of_their_label_and_value() -> None:
    for scene in scenes("charts", "grid"):
        bars, height = scene.facts["bars"], scene.facts["height"]
        rows = [round(bar["label_box"][1] * height) // 16 for bar in bars]
        assert rows == sorted(set(rows)) and rows[0] > 0, "one row each, under the title"
        largest = max(bars, key=lambda bar: bar["value"])
        for bar, row in zip(bars, rows, strict=True):
            for box in (bar["box"], bar["label_box"], bar["value_box"]):
                assert 16 * row <= box[1] * height and box[3] * height <= 16 * (row + 1)
            assert bar["label_box"][2] < bar["box"][0] and bar["box"][2] < bar["value_box"][0]
            long, longest = (one["box"][2] - one["box"][0] for one in (bar, largest))
            true = max(bar["value"] / largest["value"] * longest, 8 / scene.facts["width"])
            assert abs(long - true) <= 1 / scene.facts["width"] + 1e-3, "in proportion"


@given(st.tuples(*[st.integers(0, 399)] * 2, *[st.integers(1, 400)] * 2))
def test_a_box_as_it_is_said_is_right(corners: tuple[int, int, int, int]) -> None:
    x, y, wide, tall = corners
    box = (x, y, min(400, x + wide), min(400, y + tall))
    assert_said(base.said(base.box_answer(box, 400, 400)), base.box_answer(box, 400, 400))


def test_the_lexicon_has_words_enough() -> None:
    assert len(set(WORDS)) == len(WORDS) >= 200 and len(set(COMMANDS)) == len(COMMANDS)
    assert all(re.fullmatch("[a-z]{3,7}", word) for word in WORDS)
    assert all(re.fullmatch("[a-z]{3,7}", word) for word in COMMANDS)
    assert not set(COMMANDS) & set(WORDS), "a label is a button's or another control's"


def test_options_that_cannot_fit_are_a_user_error() -> None:
    options = ChartsScene(min_bars=8, max_bars=8, min_side_px=64, max_side_px=70)
    with pytest.raises(UserError, match="more than fits into a picture .* raise max_side_px"):
        FAMILIES["charts"].draw(options, 3)


# Facts and pixels.


def decode(picture: Picture) -> np.ndarray:
    pixels = np.asarray(Image.open(BytesIO(picture.png)).convert("RGB"), dtype=int)
    assert pixels.shape == (picture.height, picture.width, 3)
    return pixels


def name(figure: Facts) -> str:
    return f"{figure['colour']} {figure['kind']}"


def written(figure: Facts) -> dict[str, str]:
    """What is written beside a figure, by side."""
    return {
        side: "?" if side == figure["hidden"] else str(length)
        for side, length in figure["sides"].items()
    }


def named(control: Facts) -> str:
    return f"{control['label']} {windows.NOUNS[control['kind']]}"


def views(scene: Scene) -> list[tuple[Picture, Facts]]:
    facts = [scene.facts, *([scene.facts["after"]] if "after" in scene.facts else [])]
    return list(zip(scene.pictures, facts, strict=True))


def boxes_in(facts: Any) -> list[list[float]]:
    """Every box anywhere in the facts."""
    if isinstance(facts, list):
        if len(facts) == 4 and all(isinstance(value, float) for value in facts):
            return [facts]
        return [box for value in facts for box in boxes_in(value)]
    return boxes_in(list(facts.values())) if isinstance(facts, dict) else []


def layers(facts: Facts) -> list[tuple[str, list[float]]]:
    """What is drawn, bars before the values that may stand on them."""
    found = [("shape", shape["box"]) for shape in facts.get("shapes", [])]
    for bar in facts.get("bars", []):
        found += [("bar", bar["box"]), ("label", bar["label_box"]), ("value", bar["value_box"])]
    found += [("axis", box) for box in facts.get("axes", [])]
    figures, lines = facts.get("figures", []), facts.get("lines", [])
    found += [("figure", figure["box"]) for figure in figures]
    found += [("text", text["box"]) for figure in figures for text in figure["texts"]]
    found += [("rule", box) for box in facts.get("rules", [])]
    found += [("text", line[key]) for line in lines for key in ("words_box", "value_box")]
    if facts["family"] == "screens":
        found += [("bar", facts["bar"]["box"]), ("text", facts["title"]["box"])]
        found += [("frame", box) for box in facts["frame"]]
        found += [("control", control["box"]) for control in facts["controls"]]
        texts = [
            control[key] for control in facts["controls"] for key in ("label_box", "value_box")
        ]
        return found + [("text", box) for box in texts if box]
    return found + ([("title", facts["title"]["box"])] if "title" in facts else [])


def union(boxes: list[list[float]]) -> list[float]:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return [min(x0), min(y0), max(x1), max(y1)]


def pixel_box(box: list[float], picture: Picture) -> tuple[int, ...]:
    sizes = (picture.width, picture.height) * 2
    return tuple(round(value * size) for value, size in zip(box, sizes, strict=True))


def border(pixels: np.ndarray) -> list[tuple[int, int]]:
    height, width = pixels.shape[:2]
    rows = [(y, x) for y in (0, height - 1) for x in range(width)]
    return rows + [(y, x) for x in (0, width - 1) for y in range(height)]


def seen_box(
    pixels: np.ndarray, colour: tuple[int, int, int] | None, near: tuple[int, ...], around: int = 2
) -> list[int]:
    """Bounds of the colour's pixels near a box; without a colour, of all but the background's."""
    x0, y0 = max(near[0] - around, 0), max(near[1] - around, 0)
    area = pixels[y0 : near[3] + around, x0 : near[2] + around]
    hit = (area != pixels[0, 0]).any(axis=2)
    ys, xs = np.nonzero(hit if colour is None else (area == np.array(colour)).all(axis=2))
    return [x0 + xs.min(), y0 + ys.min(), x0 + xs.max() + 1, y0 + ys.max() + 1]


def said(text: str) -> Rollout:
    return Rollout(
        request_id="r",
        mode="nothink",
        chosen="nothink",
        prompt_hash="",
        prompt_tokens=1,
        token_ids=(1,),
        logprobs=(0.0,),
        text=text,
        thinking=None,
        answer=text,
        outcome="answered",
        finish_reason="stop",
        thinking_tokens=0,
    )


# Answers from the facts and the question's words alone.


def solve_charts(task: str, question: str, facts: Facts) -> str:
    bars = facts["bars"]
    asked = re.sub(r"\n.*", "", question, flags=re.S)
    named = sorted(
        (match.start(), index)
        for index, bar in enumerate(bars)
        for match in re.finditer(rf"\b({bar['label']}|{bar['colour']})\b", asked)
    )
    chosen = [bars[index] for _, index in named]
    match task:
        case "title":
            return facts["title"]["text"]
        case "count":
            return str(len(bars))
        case "read":
            return str(chosen[0]["value"])
        case "name":
            return chosen[0]["label" if chosen[0]["colour"] in asked else "colour"]
        case "locate":
            return "[" + ", ".join(f"{value:.4f}" for value in chosen[0]["box"]) + "]"
        case "largest":
            return max(bars, key=lambda bar: bar["value"])["label"]
        case "sum" | "dialogue":
            return str(chosen[0]["value"] + chosen[1]["value"])
        case "difference":
            return str(chosen[0]["value"] - chosen[1]["value"])
    raise AssertionError(task)


def solve_shapes(task: str, question: str, facts: Facts) -> str:
    there = facts["shapes"]
    colours = re.findall("|".join(shapes.COLOURS), question.partition("\n")[0])
    counts = Counter(shape["colour"] for shape in there)
    match task:
        case "count_all":
            return str(len(there))
        case "count_colour":
            return str(counts[colours[0]])
        case "locate":
            kind = re.search("circle|square|triangle|diamond", question).group()
            (shape,) = [s for s in there if (s["colour"], s["kind"]) == (colours[0], kind)]
            return "[" + ", ".join(f"{value:.4f}" for value in shape["box"]) + "]"
        case "most":
            (best, count), *others = counts.most_common()
            assert all(count > other for _, other in others), "one colour is there most often"
            return best
        case "total" | "dialogue":
            assert len(set(colours)) == 2
            return str(sum(counts[colour] for colour in colours))
        case "relation":
            return relation(question, facts)
        case "changed":
            return changed(question, facts)
    raise AssertionError(task)


def relation(question: str, facts: Facts) -> str:
    names = re.findall(r"(\w+) (circle|square|triangle|diamond)", question.partition("\n")[0])
    a, b = (
        next(s["box"] for s in facts["shapes"] if (s["colour"], s["kind"]) == name)
        for name in names
    )
    across = (a[0] + a[2] - b[0] - b[2]) * facts["width"]
    down = (a[1] + a[3] - b[1] - b[3]) * facts["height"]
    assert max(abs(across), abs(down)) > 1.4 * min(abs(across), abs(down)), "a clear relation"
    if abs(across) > abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"


def changed(question: str, facts: Facts) -> str:
    """The only option that is true of the two pictures."""
    before, after = (
        {(s["colour"], s["kind"]): s["box"] for s in view["shapes"]}
        for view in (facts, facts["after"])
    )
    right = []
    for text in re.findall(r"^[A-H]\. (.*)$", question, re.M):
        _, colour, kind, _, end = text.rstrip(".").split()
        name = (colour, kind)
        if "added" in text:
            true = name not in before and name in after
        elif "removed" in text:
            true = name in before and name not in after  # a recoloured shape counts as gone
        else:
            true = name in before and after.get((end, kind)) == before[name]
        right += [text] if true else []
    assert len(right) == 1, (question, facts)
    return right[0]


def spell_box(box: list[float]) -> str:
    return "[" + ", ".join(f"{value:.4f}" for value in box) + "]"


def solve_documents(task: str, question: str, facts: Facts) -> str:
    lines = facts["lines"]
    cents = {line["words"]: Fraction(line["value"]) for line in lines}
    hits = ((re.search(rf"\b{words}\b", question), words) for words in cents)
    found = sorted((hit.start(), words) for hit, words in hits if hit)
    chosen = [words for _, words in found]
    numbers = re.findall(r"\d+\.\d\d|\d+", question)

    def spell(value: Fraction) -> str:
        return f"{float(value):.2f}" if facts["kind"] == "receipt" else str(value)

    match task:
        case "count":
            return str(len(lines))
        case "heading":
            return facts["title"]["text"].split()[1]
        case "read":
            return spell(cents[chosen[0]])
        case "name":
            (line,) = [line for line in lines if line["value"] == numbers[0]]
            return line["words"]
        case "nth":
            return lines[int(numbers[0]) - 1]["words"]
        case "locate":
            (line,) = [line for line in lines if line["words"] == chosen[0]]
            return spell_box(line["box"])
        case "pair" | "dialogue":
            return spell(cents[chosen[0]] + cents[chosen[1]])
        case "difference":
            return spell(cents[chosen[0]] - cents[chosen[1]])
        case "total":
            return spell(sum(cents.values()))
        case "change":
            return spell(Fraction(numbers[0]) - cents[chosen[0]])
        case "change_all":
            return spell(Fraction(numbers[0]) - sum(cents.values()))
    raise AssertionError(task)


def solve_geometry(task: str, question: str, facts: Facts) -> str:
    figures = facts["figures"]
    asked = question.partition("\n")[0]
    found = sorted(
        (asked.index(f["colour"]), i) for i, f in enumerate(figures) if f["colour"] in asked
    )
    chosen = [figures[index] for _, index in found]
    side = re.findall(r"\b(width|height|side|base|radius|diameter|area)\b", asked)
    match task:
        case "count":
            return str(len(figures))
        case "read":
            return written(chosen[0])[side[0]]
        case "name":
            return chosen[0]["kind"]
        case "which":
            length = re.search(r"\d+", asked).group()
            (figure,) = [f for f in figures if length in written(f).values()]
            return name(figure)
        case "locate":
            assert name(chosen[0]) in asked
            return spell_box(chosen[0]["box"])
        case "compare":
            long, short = (figure["sides"][what] for figure, what in zip(chosen, side, strict=True))
            return str(long - short)
        case "diameter" | "area" | "perimeter" | "missing" | "dialogue":
            last = "perimeter" if task == "perimeter" else task if task != "dialogue" else side[-1]
            return follows(last, asked, chosen[0])
    raise AssertionError(task)


def area(figure: Facts) -> int:
    sides = [int(text) for text in written(figure).values()]
    assert figure["kind"] != "circle"
    whole = sides[0] * sides[-1]
    assert figure["kind"] != "right triangle" or whole % 2 == 0
    return whole // 2 if figure["kind"] == "right triangle" else whole


def follows(what: str, asked: str, figure: Facts) -> str:
    """What follows from the lengths that are written, and from a perimeter that is said."""
    sides = written(figure)
    if what == "diameter":
        return str(2 * int(sides["radius"]))
    if what == "area":
        return str(area(figure))
    if what == "perimeter":
        return str(4 * int(sides["side"]) if "side" in sides else 2 * sum(map(int, sides.values())))
    assert figure["hidden"] in asked
    (known,) = [int(text) for text in sides.values() if text != "?"]
    left = int(re.search(r"perimeter .*?is (\d+)", asked).group(1)) // 2 - known
    assert left == figure["sides"][figure["hidden"]]
    return str(left)


def solve_screens(task: str, question: str, facts: Facts) -> str:
    controls = facts["controls"]
    asked = question.partition("\n")[0]
    found = sorted((asked.index(named(c)), i) for i, c in enumerate(controls) if named(c) in asked)
    chosen = [controls[index] for _, index in found]
    ways = re.findall(r"\b(right of|left of|above|below)\b", asked)
    match task:
        case "title":
            return facts["title"]["text"]
        case "colour":
            return facts["bar"]["colour"]
        case "count":
            return str(sum(control["kind"] == "button" for control in controls))
        case "locate" | "click":
            return spell_box(chosen[0]["box"])
        case "which":
            return beside(chosen[0], ways[0], facts)["label"]
        case "corner":
            return corner(asked, facts)["label"]
        case "checked":
            said = [c for c in controls if re.search(rf"\b{c['label']}\b", asked)]
            if not said:
                return screens.STATES["absent"]
            kind, value = said[0]["kind"], said[0]["value"]
            marks = {"x": "checked", "": "empty"}
            return screens.STATES["field" if kind == "field" else marks[value]]
        case "read":
            return chosen[0]["value"]
        case "sum":
            return str(int(chosen[0]["value"]) + int(chosen[1]["value"]))
        case "click_next" | "click_second" | "dialogue":
            assert len(ways) == 1 + (task == "click_second")
            start = corner(asked.partition("?")[0], facts) if task == "dialogue" else chosen[0]
            at = start
            for way in ways:
                at = beside(at, way, facts)
            assert at is not start
            return spell_box(at["box"])
    raise AssertionError(task)


def seat(control: Facts, facts: Facts) -> tuple[float, float, float]:
    """Left and right end of a control with its label, and its middle from above, in pixels."""
    boxes = [control["box"], control["label_box"]]
    left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
    middle = (control["box"][1] + control["box"][3]) / 2
    return left * facts["width"], right * facts["width"], middle * facts["height"]


def beside(control: Facts, way: str, facts: Facts) -> Facts:
    """The nearest control of the same row or column, by where things are drawn."""
    x, _, y = seat(control, facts)
    sign = 1 if way in ("right of", "below") else -1
    found = []
    for other in facts["controls"]:
        to_x, _, to_y = seat(other, facts)
        if way.endswith("of") and abs(to_y - y) < 4:
            found.append((sign * (to_x - x), other["label"], other))
        if not way.endswith("of") and abs(to_x - x) < 2:
            found.append((sign * (to_y - y), other["label"], other))
    return min(one for one in found if one[0] > 3)[2]


def corner(asked: str, facts: Facts) -> Facts:
    rows = [seat(control, facts)[2] for control in facts["controls"]]
    wanted = min(rows) if "top" in asked else max(rows)
    row = [control for control in facts["controls"] if abs(seat(control, facts)[2] - wanted) < 4]
    pick = max if "right" in asked else min
    return pick(row, key=lambda control: seat(control, facts)[0])


SOLVERS: dict[str, Callable[[str, str, Facts], str]] = {
    "charts": solve_charts,
    "documents": solve_documents,
    "geometry": solve_geometry,
    "screens": solve_screens,
    "shapes": solve_shapes,
}


def test_items_are_sentences() -> None:
    """Questions and replies are non-empty and hold no control tags."""
    for family in OPTIONS:
        for scene in every(family):
            for item in scene.items:
                assert isinstance(item, Item)
                for ask in item.asks:
                    assert ask.question.strip() and ask.reply.strip()
                    assert not re.search("<|>", ask.question + ask.reply)
