"""Codes of pictures: exact sums, the same for a crop, others for other pictures."""

import numpy as np
import pytest
from benchmarks.planted import drawn
from PIL import Image

from pellucid.data.duplicates import keypoints
from pellucid.data.duplicates.keypoints import _LEVELS, _REACHES, _UNIT, _blurred, _halved, _weights


@pytest.mark.parametrize("shape", [(12, 70), (33, 32), (97, 128)])
def test_blurs_are_exact_sums_of_whole_numbers(shape: tuple[int, int]) -> None:
    """Against 64-bit integers: single precision loses nothing, at the ends of blocks neither."""
    rng = np.random.default_rng(0)
    pixels = rng.choice([0, 1, 2040, 4079, 4080], shape)
    found = _blurred(pixels.astype(np.float32))
    widest = max(_REACHES)
    for level, reach in enumerate(_REACHES):
        kernel = _weights()[level, 0, widest - reach : widest + reach + 1].astype(np.int64)
        assert kernel.sum() == _UNIT
        down = np.rint(along(pixels, kernel, 0) / _UNIT).astype(np.int64)
        assert (found[level] == along(down, kernel, 1)).all()
    assert len(found) == _LEVELS


def along(pixels: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    """A blur along one axis, mirrored at the ends as often as it takes."""
    reach, side = len(kernel) // 2, pixels.shape[axis]
    total = np.zeros(pixels.shape, np.int64)
    for off, weight in zip(range(-reach, reach + 1), kernel.tolist(), strict=True):
        at = np.mod(np.arange(side) + off, 2 * side)
        total += weight * pixels.take(np.where(at >= side, 2 * side - 1 - at, at), axis)
    return total


def test_half_a_picture_is_means_of_four() -> None:
    pixels = np.array([[0, 4, 9], [8, 16, 9], [9, 9, 9]], np.float32)
    assert _halved(pixels).tolist() == [[7]]


def test_a_crop_keeps_codes_at_its_places_and_another_picture_has_others() -> None:
    photo = drawn("photos", 5)
    width, height = photo.size
    left, top, right, bottom = 31, 12, width - 20, height - 29
    whole, cut = (
        keypoints.keypoints(one) for one in (photo, photo.crop((left, top, right, bottom)))
    )
    _, here, there = np.intersect1d(whole["code"], cut["code"], return_indices=True)
    assert len(here) >= 40
    x = (left + cut["x"][there] * (right - left)) / width
    y = (top + cut["y"][there] * (bottom - top)) / height
    close = np.hypot(x - whole["x"][here], y - whole["y"][here]) < 0.01
    assert close.mean() > 0.9
    other = keypoints.keypoints(drawn("photos", 6))
    assert len(np.intersect1d(whole["code"], other["code"])) <= 2


def test_blobs_of_every_octave_are_found_at_their_place_and_size() -> None:
    """A disc of each size gives a code at its middle, with a blur of about its radius / 1.4."""
    for radius in (4, 9, 17):
        y, x = np.mgrid[:224, :224]
        disc = np.where((x - 90) ** 2 + (y - 130) ** 2 <= radius**2, 30, 200).astype(np.uint8)
        found = keypoints.keypoints(Image.fromarray(disc))
        at = np.hypot(found["x"] * 224 - 90.5, found["y"] * 224 - 130.5) < 1.5
        assert at.any(), radius
        sizes = found["size"][at]
        assert np.abs(np.log2(sizes / (radius / 2**0.5))).min() < 0.4, (radius, sizes)
