"""Encoded files to pictures, pictures to patches."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import Siglip2VisionConfig
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from pellucid.base.errors import UserError
from pellucid.model.vision import STRATEGIES, patchify
from pellucid.model.vision.picture import decode
from pellucid.model.vision.tower import VisionTower
from pellucid.prompt.plan import PLANNERS, plan
from pellucid.recipe.model import DynamicImages

SIDES = st.integers(1, 400)
TINY = Siglip2VisionConfig(
    hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, patch_size=8
)
SIZES = [(64, 48), (1, 1), (7, 300), (300, 7), (500, 333), (100, 2000)]


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("count", [16, 60])
def test_patches_are_those_of_the_stock_processor(picture, size, count):
    image = decode(picture(*size), "x")
    options = DynamicImages(min_patches=count, max_patches=count)  # the stock one fills its budget
    ours = patchify(options, 16, image, plan(options, 16, *size))
    stock = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=count)(image)
    real = np.array(stock["pixel_attention_mask"][0]) == 1
    expected = np.array(stock["pixel_values"][0])[real]
    assert ours.shape == expected.shape
    assert ours.dtype == np.float32
    assert np.abs(ours - expected).max() <= 1e-6


def test_a_patch_is_ordered_by_row_column_channel():
    options, height, width = DynamicImages(min_patches=1, max_patches=6), 4, 6
    pixels = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    patches = patchify(options, 2, Image.fromarray(pixels), plan(options, 2, width, height))
    back = np.rint((patches + 1) * 127.5).astype(np.uint8)
    # the second patch starts two pixels to the right: (y, x, channel) = (0, 2, 0)
    assert back[1].tolist() == [6, 7, 8, 9, 10, 11, 24, 25, 26, 27, 28, 29]
    assert back[3, :3].tolist() == pixels[2, 0].tolist()
    assert patches.min() == -1.0


def test_values_run_from_minus_one_to_one():
    options = DynamicImages(min_patches=1, max_patches=1)
    for grey, value in ((0, -1.0), (255, 1.0)):
        image = Image.new("RGB", (4, 4), (grey,) * 3)
        assert np.allclose(patchify(options, 4, image, plan(options, 4, 4, 4)), value, atol=1e-6)


def test_both_halves_of_every_strategy_are_there():
    assert PLANNERS.keys() == STRATEGIES.keys()


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([DynamicImages(min_patches=4, max_patches=48)]), SIDES, SIDES)
def test_tokens_promised_are_features_made(options, width, height):
    promised = plan(options, 8, width, height)
    patches = patchify(options, 8, Image.new("RGB", (width, height)), promised)
    tower = VisionTower(TINY, feature_layer=-1)
    grids = torch.tensor([(view.rows, view.cols) for view in promised.views])
    with torch.no_grad():
        assert len(tower(torch.from_numpy(patches), grids)) == promised.tokens


def test_exif_orientation_is_applied():
    upright = Image.new("RGB", (20, 10), "red")
    upright.paste("blue", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    found = decode(encoded(turned, exif=exif), "x")
    assert found.size == (20, 10)
    assert np.array_equal(np.asarray(found), np.asarray(upright))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_shows_white(mode):
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    clear.putpixel((0, 0), (200, 0, 0, 255))
    found = np.asarray(decode(encoded(clear.convert(mode)), "x"))
    assert (found[2, 2] == 255).all()
    assert not (found[0, 0] == 255).all()


def test_half_transparent_black_is_grey():
    found = decode(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128))), "x")
    assert abs(found.getpixel((0, 0))[0] - 127) <= 1


def test_sixteen_bit_greys_are_scaled():
    greys = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    found = np.asarray(decode(encoded(Image.fromarray(greys)), "x"))
    assert found[..., 0].tolist() == [[0, 100], [200, 255]]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"hello",
        lambda data: data[:60],
        lambda data: data[: len(data) // 2],
    ],
)
def test_a_damaged_file_is_named(picture, damage):
    with pytest.raises(UserError, match=r"images\.3=.* is not a readable image"):
        decode(damage(picture(30, 30)), "images.3")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of broken tags
def test_any_damage_is_a_user_error(picture):
    """Bytes are flipped and files are cut all over, in several formats."""
    random = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        whole = picture(24, 16, kind=kind)
        for _ in range(60):
            data = bytearray(whole[: random.integers(1, len(whole) + 1)])
            for place in random.integers(0, min(len(data), 200), 3):
                data[place] = random.integers(0, 256)
            try:
                assert decode(bytes(data), "x").mode == "RGB"
            except UserError:
                pass
