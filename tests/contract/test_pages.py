"""Pages: what is said is what stands there, in reading order, and the levels are what they say."""

import re
from collections import defaultdict
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pellucid.base.errors import UserError
from pellucid.data.synth import FAMILIES
from pellucid.data.synth.base import Scene, clash
from pellucid.data.synth.pages import WITHHELD
from pellucid.recipe.data import ScenesSource

STILL = {"columns": 4, "rows": 4, "max_digits": 1, "jitter": 0, "min_font_px": 13}
WORDS = {"columns": 2, "rows": 6, "word_share": 0.5}


def draw(seed: int, **options: object) -> Scene:
    source = {"kind": "scenes", "scene": {"kind": "pages", **options}, "scenes": 1}
    return FAMILIES["pages"].draw(ScenesSource.model_validate(source).scene, seed)


@pytest.mark.parametrize("options", [STILL, WORDS, {}], ids=["still", "words", "default"])
def test_the_caption_reads_the_cells_row_by_row(options: dict[str, object]) -> None:
    columns, rows = int(str(options.get("columns", 2))), int(str(options.get("rows", 4)))
    for seed in range(60):
        scene = draw(seed, **options)
        item = scene.items[0]
        texts = scene.facts["texts"]
        assert item.asks[0].reply == " ".join(text["text"] for text in texts)
        assert len(texts) == columns * rows
        for cell, text in enumerate(texts):
            row, column = divmod(cell, columns)
            x0, y0, _, _ = text["box"]
            assert column / columns < x0 < (column + 1) / columns
            assert row / rows < y0 < (row + 1) / rows


def test_spelling_takes_every_word_apart_and_leaves_numbers() -> None:
    for seed in range(40):
        scene = draw(seed, **WORDS)
        item = next(item for item in scene.items if item.task == "spelling")
        texts = [text["text"] for text in scene.facts["texts"]]
        spelt = [text if text.isdigit() else " ".join(text) + "," for text in texts]
        assert item.asks[0].reply == " ".join(spelt)


def test_statements_say_what_stands_beside_and_below() -> None:
    said = 0
    for seed in range(40):
        scene = draw(seed, **WORDS)
        texts = [text["text"] for text in scene.facts["texts"]]
        item = next(item for item in scene.items if item.task == "statements")
        for where, text, other in re.findall(r"(right of|below) (\w+) (\w+)\.", item.asks[0].reply):
            cell = texts.index(text)
            assert texts.count(text) == 1
            assert texts[cell + (1 if where == "right of" else 2)] == other
            assert where == "below" or cell % 2 == 0, "the last of a row has nothing beside it"
            said += 1
    assert said > 400


def test_a_page_of_one_text_says_nothing_of_places() -> None:
    scene = draw(3, columns=1, rows=1)
    assert [item.task for item in scene.items] == ["caption", "spelling"]


def test_nothing_is_cut_or_overlaps() -> None:
    for seed in range(60):
        boxes = [
            tuple(round(side * 128) for side in text["box"])
            for text in draw(seed, **WORDS).facts["texts"]
        ]
        assert all(0 <= x0 < x1 <= 128 and 0 <= y0 < y1 <= 128 for x0, y0, x1, y1 in boxes)
        pairs = [(a, b) for at, a in enumerate(boxes) for b in boxes[at + 1 :]]
        assert not any(clash(a, b, 0) for a, b in pairs)


def test_without_jitter_a_cell_starts_in_one_place() -> None:
    places = {
        tuple((text["box"][0], text["box"][1]) for text in draw(seed, **STILL).facts["texts"])
        for seed in range(40)
    }
    assert len(places) == 1
    moved = {draw(seed, **{**STILL, "jitter": 1}).facts["texts"][0]["box"][0] for seed in range(40)}
    assert len(moved) > 5


def test_the_withheld_page_is_never_or_always_there() -> None:
    def holds(scene: Scene) -> bool:
        texts = [text["text"] for text in scene.facts["texts"]]
        return texts[0] == texts[-1] == WITHHELD

    assert not any(holds(draw(seed, **STILL)) for seed in range(400))
    assert all(holds(draw(seed, **STILL, withheld=True)) for seed in range(20))


GRID = {"on_grid": True, "min_side_px": 128, "max_side_px": 176, "columns": 2, "rows": 8}


def test_on_the_grid_every_letter_has_a_cell() -> None:
    """The same letter looks the same wherever it stands, on one background and in one ink."""
    letters: dict[tuple[str, object, object], set[bytes]] = defaultdict(set)
    for seed in range(60):
        scene = draw(seed, **GRID, word_share=0.5)
        pixels = np.asarray(Image.open(BytesIO(scene.pictures[0].png)).convert("RGB"))
        for text in scene.facts["texts"]:
            x0, x1 = (round(side * 176) for side in text["box"][::2])
            row, column = round(text["box"][1] * 128) // 16, x0 // 8
            assert x1 <= 8 * (column + len(text["text"]))
            for at, letter in enumerate(text["text"], column):
                cell = pixels[16 * row : 16 * row + 16, 8 * at : 8 * at + 8]
                colours = {tuple(int(v) for v in pixel) for pixel in cell.reshape(-1, 3)}
                letters[letter, pixels[0, 0].tobytes(), frozenset(colours)].add(cell.tobytes())
    seen = [looks for looks in letters.values() if looks]
    assert len(seen) > 200 and all(len(looks) == 1 for looks in seen)


def test_a_word_that_is_wider_than_its_cell_on_the_grid_is_a_user_error() -> None:
    with pytest.raises(UserError, match=r"columns=8, which leaves no room|columns=8 leaves no"):
        draw(0, **{**GRID, "columns": 8}, word_share=1)


@pytest.mark.parametrize("options", [{}, GRID], ids=["free", "grid"])
def test_white_texts_stand_on_bars(options: dict[str, object]) -> None:
    """In the middle of every text's box both are there, and nothing else is."""
    for seed in range(30):
        scene = draw(seed, **{**WORDS, **options}, white_share=1)
        with Image.open(BytesIO(scene.pictures[0].png)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        height, width, _ = pixels.shape
        for text in scene.facts["texts"]:
            x0, y0, x1, y1 = (
                round(side * size)
                for side, size in zip(text["box"], (width, height) * 2, strict=True)
            )
            inked = pixels[y0:y1, x0:x1].reshape(-1, 3)
            bar = inked[inked.sum(1).argmin()]
            assert bar.mean() < 110 and inked.mean(1).max() > 200, "white on a dark bar"
            away = np.cross(inked - bar.astype(int), 255 - bar.astype(int))
            assert np.abs(away).max() < 3 * 255, "and what lies between the two"


def test_a_share_of_the_texts_is_white() -> None:
    def dark(scene: Scene) -> float:
        with Image.open(BytesIO(scene.pictures[0].png)) as picture:
            return float((np.asarray(picture.convert("L")) < 140).mean())

    shares = [
        np.mean([dark(draw(seed, **GRID, word_share=1, white_share=share)) for seed in range(20)])
        for share in (0, 0.25, 1)
    ]
    assert shares[0] < shares[1] < shares[2]
