"""The sieve finds frames, keeps copies, and lets unlike pictures go; a batch says what one says."""

from random import Random

import numpy as np
import pytest
from benchmarks.planted import CLASSES, COPIES, drawn
from PIL import Image

from pellucid.data.duplicates import align, sieve
from pellucid.data.duplicates.pictures import grey

ASKED = align.RULE.overlap, align.RULE.cut
WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])


def test_a_frame_is_found_from_a_start_that_is_off() -> None:
    picture = drawn("photos", 3).convert("L")  # 480 x 360
    inside = sieve.small(picture.crop((24, 18, 456, 350)))[None]
    truth = np.array([24 / 480, 18 / 360, 456 / 480, 350 / 360])
    alive, found = sieve.sieved(sieve.small(picture)[None], inside, WHOLE, *ASKED)
    assert alive.all() and np.abs(found[0] - truth).max() < 0.3 / 128
    alive, found = sieve.sieved(inside, sieve.small(picture)[None], WHOLE, *ASKED)
    assert alive.all() and np.abs(sieve.turned(found)[0] - truth).max() < 0.3 / 128


def test_turned_twice_is_the_frame_itself() -> None:
    frames = np.array([[0.1, -0.05, 0.95, 1.1], [0.0, 0.0, 1.0, 1.0]])
    assert sieve.turned(np.array([[0.25, 0.0, 0.75, 0.5]])).tolist() == [[-0.5, 0.0, 1.5, 2.0]]
    assert np.allclose(sieve.turned(sieve.turned(frames)), frames)


def test_what_covers_too_little_is_let_go() -> None:
    rule = 0.6, 0.13
    frames = np.array([[0.1, 0.1, 0.9, 0.9], [0.2, 0.0, 1.0, 1.0], [0.12, 0.12, 0.88, 0.88]])
    assert sieve.covering(frames, *rule).tolist() == [True, False, False]
    assert sieve.covering(sieve.turned(frames), *rule).tolist() == [True, False, False]


@pytest.mark.parametrize("kind", CLASSES)
def test_copies_pass_and_pictures_of_other_classes_do_not(kind: str) -> None:
    first = drawn(kind, 6)
    copies = [grey(copy(first, Random(4))) for name, (_, copy) in COPIES.items()]
    others = [drawn(other, 6).convert("L") for other in CLASSES if other != kind]
    small = np.stack([sieve.small(one) for one in [*copies, *others]])
    own = np.repeat(sieve.small(first.convert("L"))[None], len(small), axis=0)
    alive, frames = sieve.sieved(own, small, np.repeat(WHOLE, len(small), axis=0), *ASKED)
    assert alive.tolist() == [True] * len(copies) + [False] * len(others)
    alone = sieve.sieved(own[:1], small[:1], WHOLE, *ASKED)
    assert alone[0][0] and np.allclose(alone[1][0], frames[0], atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (40, 40)])
def test_tiny_and_blank_pictures_do_not_fail(size: tuple[int, int]) -> None:
    blank, other = (sieve.small(Image.new("L", size, fill))[None] for fill in (255, 0))
    alive, frames = sieve.sieved(blank, other, WHOLE, *ASKED)
    assert not alive.any() and np.isfinite(frames).all()
