"""Every image strategy keeps its plan: tokens promised are features made, within the budgets.

A new strategy needs a row in `OPTIONS`.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.model.vision import STRATEGIES, patchify
from pellucid.prompt.plan import PLANNERS, plan
from pellucid.prompt.plan.multi_crop import origins
from pellucid.recipe.model import DynamicImages, MultiCropImages, Siglip2Images

QUICK = settings(deadline=None, max_examples=40, derandomize=True)
PATCH = 8
OPTIONS = {
    "dynamic": DynamicImages(min_patches=6, max_patches=40),
    "siglip2": Siglip2Images(max_patches=30),
    "multi_crop": MultiCropImages(crop_px=32, max_tokens=80),
}
kinds = pytest.mark.parametrize("kind", sorted(OPTIONS))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * 1009 + height).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def test_every_strategy_has_both_halves_and_is_tested() -> None:
    assert STRATEGIES.keys() == PLANNERS.keys() == OPTIONS.keys()
    assert all(options.kind == kind for kind, options in OPTIONS.items())


@kinds
@QUICK
@given(width=st.integers(1, 150), height=st.integers(1, 150))
def test_what_is_promised_is_made(kind: str, width: int, height: int) -> None:
    options = OPTIONS[kind]
    planned = plan(options, PATCH, width, height)
    patches = patchify(options, PATCH, noise(width, height), planned)
    assert patches.shape == (planned.patches, 3 * PATCH**2) and patches.dtype == np.float32
    assert sum(view.rows * view.cols for view in planned.views) == planned.patches
    assert 1 <= planned.tokens <= options.most_tokens(PATCH)
    assert planned.patches <= options.most_patches(PATCH)
    assert -1 <= patches.min() and patches.max() <= 1


@QUICK
@given(width=st.integers(20, 120), height=st.integers(20, 120))
def test_crops_put_together_are_the_picture(width: int, height: int) -> None:
    options, side = OPTIONS["multi_crop"], 32
    planned = plan(options, PATCH, width, height)
    picture = noise(width, height)
    patches = patchify(options, PATCH, picture, planned)
    crops = (patches.reshape(len(planned.views), 4, 4, PATCH, PATCH, 3).swapaxes(2, 3) + 1) * 127.5
    wide, tall = max(planned.width, side), max(planned.height, side)
    made = np.full((tall, wide, 3), -1.0)
    corners = [(x, y) for y in origins(tall, side) for x in origins(wide, side)]
    for (x, y), crop in zip(corners, crops.reshape(-1, side, side, 3), strict=True):
        seen = made[y : y + side, x : x + side]
        assert np.allclose(seen[seen >= 0], crop[seen >= 0], atol=1e-3), "overlaps agree"
        made[y : y + side, x : x + side] = crop
    x, y = (wide - planned.width) // 2, (tall - planned.height) // 2
    inner = made[y : y + planned.height, x : x + planned.width]
    size = (planned.width, planned.height)
    wanted = picture if size == picture.size else picture.resize(size, Image.Resampling.BILINEAR)
    assert np.allclose(inner, np.asarray(wanted), atol=1e-3)
    filled = made.copy()
    filled[y : y + planned.height, x : x + planned.width] = 128
    assert np.allclose(filled, 128, atol=1e-3), "grey around it"
