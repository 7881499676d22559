"""Every image strategy keeps its plan: tokens promised are features made, within the budgets.

A new strategy needs a row in `OPTIONS`.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.model.vision import STRATEGIES, patchify
from pellucid.model.vision.stitch import stitch, stitched_tokens
from pellucid.prompt.plan import PLANNERS, plan
from pellucid.prompt.plan.crops import origins
from pellucid.prompt.plan.own import load
from pellucid.recipe.model import (
    DynamicImages,
    DynamicS2Images,
    ImageOptions,
    MultiCropImages,
    MultiCropS2Images,
    PythonImages,
    Qwen2VlImages,
    S2Images,
    Siglip2Images,
)

QUICK = settings(deadline=None, max_examples=40, derandomize=True)
PATCH = 8


def three_parts(width: int, height: int, patch_px: int) -> list[tuple[object, object]]:
    """A strategy of a user's: the picture, its upper left quarter, and its last column."""
    sizes = [(3 * patch_px, 2 * patch_px), (patch_px, patch_px), (patch_px, 4 * patch_px)]
    quarter = (0, 0, (width + 1) // 2, (height + 1) // 2)
    boxes = [(0, 0, width, height), quarter, (width - 1, 0, width, height)]
    return list(zip(boxes, sizes, strict=True))


HALF = (0.5, 0.5, 0.5)
OPTIONS = {
    "dynamic": DynamicImages(min_patches=6, max_patches=40),
    "siglip2": Siglip2Images(max_patches=30),
    "multi_crop": MultiCropImages(crop_px=32, max_tokens=80),
    "s2": S2Images(tile_px=16, scales_px=(16, 32, 64)),
    "dynamic_s2": DynamicS2Images(tile_px=16, scales_px=(16, 32), max_tokens=27),
    "multi_crop_s2": MultiCropS2Images(crop_px=50, tile_px=16, scales_px=(32, 64), max_tokens=50),
    "qwen2_vl": Qwen2VlImages(min_pixels=600, max_pixels=3100, mean=HALF, std=HALF),
    "python": load(PythonImages(path=f"{__file__}:three_parts", max_tokens=24)),
}
SEVERAL = sorted(kind for kind, options in OPTIONS.items() if options.scales > 1)
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
    views = torch.tensor(planned.grids(options.scales))
    made = torch.from_numpy(patches)
    if options.scales > 1:
        made = stitch(made, views, options.scales, options.merged)
        assert sum(stitched_tokens(views, options.scales, options.merged)) == len(made)
    made = made.unflatten(0, (-1, options.patches_per_token))[:, 0]
    assert made.shape == (planned.tokens, options.scales * 3 * PATCH**2)


TABLE_1 = {
    "dynamic S2": (DynamicS2Images(), 3096),
    "multi-crop": (MultiCropImages(), 3096),
    "multi-crop with S2": (MultiCropS2Images(), 2048),
    "dynamic, 2,048": (DynamicImages(min_patches=256, max_patches=2048), 2048),
    "dynamic, 3,600": (DynamicImages(min_patches=256, max_patches=3600), 3600),
}


@pytest.mark.parametrize("row", TABLE_1)
@settings(deadline=None, max_examples=6, derandomize=True)
@given(width=st.integers(1, 3000), height=st.integers(1, 3000))
def test_the_rows_of_table_1_keep_their_budgets(row: str, width: int, height: int) -> None:
    """At their own sizes: tokens promised are features made, and no more than the report's."""
    options, most = TABLE_1[row]
    planned = plan(options, 16, width, height)
    patches = patchify(options, 16, noise(width, height), planned)
    made, views = torch.from_numpy(patches[:, :3]), torch.tensor(planned.grids(options.scales))
    if options.scales > 1:
        made = stitch(made, views, options.scales, options.merged)
    assert 1 <= len(made) == planned.tokens <= options.most_tokens(16) <= most
    assert patches.shape == (planned.patches, 768)


def sloped(width: int, height: int) -> Image.Image:
    """Red rises from left to right and green from top to bottom, from 0 to 1."""
    across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    pixels = np.zeros((height, width, 3))
    pixels[..., 0], pixels[..., 1] = across, down[:, None]
    return Image.fromarray((255 * pixels).round().astype(np.uint8))


def seen(options: ImageOptions, picture: Image.Image) -> np.ndarray:
    """(tokens, scales, 2): mean red and green that each token sees at each scale."""
    planned = plan(options, PATCH, *picture.size)
    patches = (patchify(options, PATCH, picture, planned) + 1) / 2
    colours = torch.from_numpy(patches.reshape(len(patches), -1, 3).mean(1)[:, :2])
    views = torch.tensor(planned.grids(options.scales))
    stitched = stitch(colours, views, options.scales, options.merged)
    return stitched.reshape(len(stitched), options.scales, 2).numpy()


@pytest.mark.parametrize("kind", ["s2", "dynamic_s2"])
@QUICK
@given(width=st.integers(16, 150), height=st.integers(16, 150))
def test_a_token_sees_one_place_at_every_scale(kind: str, width: int, height: int) -> None:
    options = OPTIONS[kind]
    planned = plan(options, PATCH, width, height)
    found = seen(options, sloped(width, height))
    merged = planned.views[0] if options.merged == "first" else planned.views[-1]
    rows, cols = merged.down * merged.rows, merged.across * merged.cols
    down, across = np.divmod(np.arange(rows * cols), cols)
    placed = np.stack([(across + 0.5) / cols, (down + 0.5) / rows], axis=-1)
    own = 0 if options.merged == "first" else -1
    assert np.allclose(found[:, own], placed, atol=0.02), "its own scale, in reading order"
    sides = [2, 4, 8] if kind == "s2" else [2, 4]
    for scale, side in enumerate(sides):
        # Averaged to fewer cells the place is the same; spread to more, it is right to half a cell.
        cells = np.array([side / cols, side / rows])
        within = np.where(cells % 1 == 0, 0.02, 0.5 / side + 0.02)
        assert (np.abs(found[:, scale] - placed) <= within).all(), f"scale {scale}"


def test_crops_are_seen_one_after_the_other_at_every_scale() -> None:
    options = OPTIONS["multi_crop_s2"]
    found = seen(options, sloped(100, 50))  # two crops side by side, of 4 x 4 tokens each
    assert found.shape == (32, 2, 2)
    down, across = np.divmod(np.arange(16), 4)
    left = np.stack([(across + 0.5) / 8, (down + 0.5) / 4], axis=-1)
    for scale in range(2):
        assert np.allclose(found[:16, scale], left, atol=0.02)
        assert np.allclose(found[16:, scale], left + [0.5, 0], atol=0.02)


@pytest.mark.parametrize("kind", SEVERAL)
def test_an_average_is_by_area(kind: str) -> None:
    options = OPTIONS[kind]
    planned = plan(options, PATCH, 90, 70)
    views = torch.tensor(planned.grids(options.scales))
    features = torch.randn(planned.patches, 5, dtype=torch.float64)
    stitched = stitch(features, views, options.scales, options.merged)
    assert stitched.shape == (planned.tokens, 5 * options.scales)
    own = slice(0, 5) if options.merged == "first" else slice(-5, None)
    tokens = stitched[:, own]
    assert len({tuple(row) for row in tokens.tolist()}) == planned.tokens, "none is lost or twice"


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
