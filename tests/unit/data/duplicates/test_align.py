"""Two pictures are one when their least similar window is: a copy passes, one digit does not.

A pair is judged as `look.py` does: guess, sieve, windows.
"""

from random import Random

import numpy as np
import pytest
from benchmarks.planted import CLASSES, COPIES, almost, drawn
from PIL import Image

from pellucid.data.duplicates import align, sieve
from pellucid.data.duplicates.keypoints import KEPT, keypoints
from pellucid.data.duplicates.pictures import grey

TEMPLATES = [kind for kind in CLASSES if kind != "photos"]


def left(a: Image.Image, b: Image.Image) -> list[align.Frame]:
    """Frames that pass the sieve."""
    frames = [align.WHOLE, align.guess(keypoints(a), keypoints(b))]
    starts = np.array([frame for frame in frames if frame])
    first, second = (
        np.repeat(sieve.small(picture)[None], len(starts), axis=0) for picture in (a, b)
    )
    alive, found = sieve.sieved(first, second, starts, align.RULE.overlap, align.RULE.cut)
    return [align.Frame(*frame) for frame in found[alive].tolist()]


def one(a: Image.Image, b: Image.Image) -> bool:
    a, b = a.convert("L"), b.convert("L")
    pair = align.shown(a), align.shown(b)
    values = [align.worst_window(*pair, frame) for frame in left(a, b)]
    return any(value is not None and value <= align.RULE.worst for value in values)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_the_same_picture(kind: str, copy: str) -> None:
    first = drawn(kind, 5)
    assert one(first, grey(COPIES[copy][1](first, Random(2))))


@pytest.mark.parametrize("kind", TEMPLATES)
def test_one_other_value_is_another_picture(kind: str) -> None:
    assert not any(one(drawn(kind, seed), almost(kind, seed)) for seed in range(6))


@pytest.mark.parametrize("kind", CLASSES)
def test_two_documents_of_one_template_are_two(kind: str) -> None:
    assert not any(one(drawn(kind, seed), drawn(kind, seed + 1)) for seed in range(4))


def test_a_crop_beyond_a_tenth_a_side_is_not_asked_for() -> None:
    first = drawn("photos", 1)
    assert not one(first, first.crop((0, 0, first.width * 2 // 3, first.height)))


def test_the_place_of_a_crop_is_found() -> None:
    first = drawn("photos", 3)
    inside = first.crop((24, 18, 456, 350))
    frame = align.guess(keypoints(first), keypoints(inside))
    assert frame is not None
    assert np.allclose(frame, (24 / 480, 18 / 360, 456 / 480, 350 / 360), atol=0.01)


def test_codes_are_few_sorted_and_do_not_depend_on_the_file() -> None:
    picture = drawn("invoices", 0)
    found = keypoints(picture)
    assert 20 < len(found) <= KEPT and (np.diff(found["code"].astype(np.int64)) > 0).all()
    again = keypoints(grey(COPIES["other file, same pixels"][1](picture, Random(0))))
    assert (found == again).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (40, 40)])
def test_tiny_and_blank_pictures_have_no_codes_and_do_not_fail(size: tuple[int, int]) -> None:
    blank, other = Image.new("L", size, "white"), Image.new("L", size, "black")
    assert len(keypoints(blank)) == 0
    assert align.guess(keypoints(blank), keypoints(other)) is None
    assert not one(blank, other)
