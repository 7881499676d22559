"""Image plans: the published size table, exact search, budgets on odd sizes."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.siglip2.image_processing_pil_siglip2 import (
    get_image_size_for_max_num_patches,
)

from pellucid.base.errors import UserError
from pellucid.prompt.plan import Plan, View, plan
from pellucid.prompt.plan.crops import origins
from pellucid.prompt.plan.dynamic import dynamic
from pellucid.prompt.plan.grids import largest_grid
from pellucid.prompt.plan.s2 import tile_grid
from pellucid.recipe.model import (
    DynamicImages,
    DynamicS2Images,
    MultiCropImages,
    MultiCropS2Images,
    S2Images,
    Siglip2Images,
)

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
PUBLISHED = [
    ((224, 224), (256, 256, 256), (256, 256, 256)),
    ((640, 480), (640, 480, 1200), (640, 480, 1200)),
    ((1280, 720), (1280, 720, 3600), (960, 544, 2040)),
    ((1920, 1080), (1280, 720, 3600), (960, 544, 2040)),
    ((3840, 2160), (1280, 720, 3600), (960, 544, 2040)),
    ((1170, 2532), (656, 1392, 3567), (496, 1056, 2046)),
    ((100, 2000), (96, 1920, 720), (96, 1920, 720)),
]
SIDES = st.one_of(st.integers(1, 40), st.integers(1, 6000))


@pytest.mark.parametrize(("size", "at_3600", "at_2048"), PUBLISHED)
def test_sizes_of_the_published_processor(size, at_3600, at_2048):
    for most, (width, height, tokens) in ((3600, at_3600), (2048, at_2048)):
        got = plan(DynamicImages(min_patches=256, max_patches=most), 16, *size)
        grid = View(height // 16, width // 16)
        assert got == Plan(width, height, (grid,), tokens, tokens)


@QUICK
@given(width=st.integers(1, 60), height=st.integers(1, 60), target=st.integers(1, 80))
def test_grid_is_that_of_the_largest_scale(width, height, target):
    def grid(scale: Fraction) -> tuple[int, int]:
        return -int(-(height * scale) // 1), -int(-(width * scale) // 1)

    steps = range(1, target + 1)
    scales = [Fraction(k, side) for k in steps for side in (width, height)]
    fitting = [scale for scale in scales if grid(scale)[0] * grid(scale)[1] <= target]
    assert largest_grid(width, height, target) == grid(max(fitting))


@QUICK
@given(
    width=SIDES, height=SIDES, least=st.integers(1, 300), more=st.integers(0, 900),
    patch=st.sampled_from([14, 16]),
)  # fmt: skip
def test_budgets_hold_on_any_size(width, height, least, more, patch):
    options = DynamicImages(min_patches=least, max_patches=least + more)
    got = dynamic(options, patch, width, height)
    (view,) = got.views
    assert view.rows >= 1 and view.cols >= 1
    assert got.tokens == got.patches == view.rows * view.cols <= options.max_patches
    assert (got.width, got.height) == (view.cols * patch, view.rows * patch)


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((1, 1), View(16, 16)),
        ((5000, 3), View(1, 256)),
        ((3, 5000), View(256, 1)),
        ((100_000, 1), View(1, 256)),
        ((1, 3), View(27, 9)),  # 28 rows would need 28 * 10 = 280 > 256
    ],
)
def test_tiny_and_thin_images_grow_to_the_minimum(size, grid):
    assert plan(DynamicImages(min_patches=256, max_patches=3600), 16, *size).views == (grid,)


def test_within_the_budget_an_image_keeps_its_size_up_to_whole_patches():
    options = DynamicImages(min_patches=16, max_patches=4000)
    # 650 x 490 holds 40 x 30 whole patches: rounded down, not scaled.
    assert plan(options, 16, 650, 490).views == (View(30, 40),)


def test_an_image_without_pixels_is_refused():
    with pytest.raises(UserError, match="image='0x5' has no pixels"):
        plan(DynamicImages(), 16, 0, 5)


@pytest.mark.parametrize(
    ("size", "filled"),
    [
        ((224, 224), (960, 960)),
        ((640, 480), (1104, 832)),
        ((1280, 720), (1280, 720)),
        ((1170, 2532), (656, 1392)),
        ((100, 2000), (208, 4160)),
    ],
)
def test_the_stock_rule_fills_the_budget(size, filled):
    """Sizes that transformers' Siglip2ImageProcessor gives at 3,600 patches."""
    got = plan(Siglip2Images(max_patches=3600), 16, *size)
    assert (got.width, got.height) == filled
    assert got.tokens == got.patches == filled[0] * filled[1] // 256


@QUICK
@given(width=st.integers(60, 6000), height=st.integers(60, 6000), most=st.integers(1, 1200))
def test_the_stock_rule_is_that_of_transformers(width, height, most):
    rows, cols = (s // 16 for s in get_image_size_for_max_num_patches(height, width, 16, most))
    (view,) = plan(Siglip2Images(max_patches=most), 16, width, height).views
    # Theirs searches in floating point until an interval is small, and may stop one step early; it
    # never scales up by more than a hundred.
    assert rows * cols <= view.rows * view.cols <= max(most, 1)
    assert rows in (view.rows, view.rows - 1) and cols in (view.cols, view.cols - 1)


@pytest.mark.parametrize(
    ("size", "across", "down", "resized"),
    [
        ((224, 224), 1, 1, (384, 384)),
        ((640, 480), 2, 2, (640, 480)),
        ((384, 384), 1, 1, (384, 384)),
        ((1000, 300), 3, 1, (1000, 300)),
        # Eight crops would cover it, five fit; 2 x 2 is the largest grid of its shape.
        ((1280, 720), 2, 2, (768, 432)),
        ((3000, 300), 5, 1, (1920, 192)),
        ((10, 4), 1, 1, (384, 154)),
    ],
)
def test_crops_by_hand(size, across, down, resized):
    got = plan(MultiCropImages(), 16, *size)
    assert (got.width, got.height) == resized
    assert got.views == (View(24, 24),) * (across * down)
    assert got.tokens == got.patches == 576 * across * down <= 3096


@QUICK
@given(width=SIDES, height=SIDES, most=st.integers(1, 12), crops=st.sampled_from([32, 96]))
def test_crops_cover_the_image_within_the_budget(width, height, most, crops):
    each = (crops // 16) ** 2
    options = MultiCropImages(crop_px=crops, max_tokens=most * each + 1)
    got = plan(options, 16, width, height)
    assert got.tokens == each * len(got.views) <= options.most_tokens(16) <= options.max_tokens
    starts = origins(max(got.width, crops), crops), origins(max(got.height, crops), crops)
    assert len(starts[0]) * len(starts[1]) == len(got.views)
    for begins, length in zip(starts, (got.width, got.height), strict=True):
        assert begins[0] == 0 and begins[-1] == max(length, crops) - crops
        assert all(0 < b - a <= crops for a, b in zip(begins, begins[1:], strict=False))
    cover = -(-width // crops) * -(-height // crops)
    if cover <= most and max(width, height) >= crops:
        assert (got.width, got.height) == (width, height), "native size where it fits"
    # The shape is kept to a pixel.
    wide, tall = got.width / width, got.height / height
    assert abs(wide - tall) * min(width, height) <= 1 + 1e-9


def tiles(down, across):
    return (View(24, 24, down, across),) * (down * across)


SQUARES = (*tiles(1, 1), *tiles(2, 2))


def test_s2_by_hand():
    for size in ((640, 480), (30, 3000)):
        got = plan(S2Images(), 16, *size)
        assert got.views == (*SQUARES, *tiles(3, 3))
        assert (got.tokens, got.patches) == (576, 14 * 576)


@pytest.mark.parametrize(
    ("size", "down", "across"),
    [
        ((640, 480), 1, 1),  # a second column would enlarge it
        ((1280, 720), 1, 2),  # 16:9 is nearer to 2:1 than to 3:1, and two rows do not fit
        ((1920, 1080), 1, 2),  # |16/9 - 2| is the least that five tiles allow
        ((1000, 1000), 2, 2),  # of 1 x 1 and 2 x 2, the larger
        ((800, 3000), 4, 1),  # 4/15 is nearer to 1/4 than to 1/5
        ((10, 10), 1, 1),
    ],
)
def test_dynamic_s2_by_hand(size, down, across):
    got = plan(DynamicS2Images(), 16, *size)
    assert (got.width, got.height) == (384 * across, 384 * down)
    assert got.views == (*SQUARES, *tiles(down, across))
    assert got.tokens == 576 * down * across <= 3096
    assert got.patches == got.tokens + 5 * 576


@pytest.mark.parametrize(("size", "crops"), [((1280, 720), 1), ((1920, 1080), 2), ((9000, 900), 3)])
def test_multi_crop_s2_by_hand(size, crops):
    got = plan(MultiCropS2Images(), 16, *size)
    assert got.views == (*SQUARES, *tiles(4, 4)) * crops
    assert got.tokens == 576 * crops <= 2048
    assert got.patches == 21 * 576 * crops


@QUICK
@given(width=SIDES, height=SIDES, most=st.integers(1, 12))
def test_no_other_grid_is_nearer_to_the_shape(width, height, most):
    down, across = tile_grid(width, height, 96, most)
    assert down * across <= most
    assert down == 1 or down * 96 <= height
    assert across == 1 or across * 96 <= width
    off = abs(Fraction(width, height) - Fraction(across, down))
    for rows in range(1, max(height // 96, 1) + 1):
        for cols in range(1, max(width // 96, 1) + 1):
            if rows * cols <= most:
                other = abs(Fraction(width, height) - Fraction(cols, rows))
                assert other > off or (other == off and rows * cols <= down * across)
