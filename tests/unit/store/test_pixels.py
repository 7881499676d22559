"""Images are decoded whole or refused; hashes see pixels, not files."""

import hashlib
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageOps

from pellucid.store.pixels import examine


def encode(picture: Image.Image, name: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, name, **options)
    return out.getvalue()


def page(seed: int) -> Image.Image:
    """A page with the same frame each time and words of its own."""
    picture = Image.new("RGB", (200, 260), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((10, 10, 190, 40), fill=(30, 60, 120))
    rng = np.random.default_rng(seed)
    for line in range(14):
        x = 15
        while x < 170:
            width = int(rng.integers(6, 30))
            draw.rectangle((x, 55 + 14 * line, x + width, 62 + 14 * line), fill="black")
            x += width + 5
    return picture


def bits_apart(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def test_equal_pixels_in_different_files_share_the_pixel_hash() -> None:
    picture = page(1)
    small, large = examine(encode(picture)), examine(encode(picture, compress_level=0))
    assert small.sha256 != large.sha256
    assert small.pixel_sha256 == large.pixel_sha256
    assert (small.width, small.height, small.extension) == (200, 260, "png")


def test_the_pixel_hash_knows_the_shape() -> None:
    flat = [Image.new("RGB", size, "red") for size in ((4, 6), (6, 4))]
    assert len({examine(encode(picture)).pixel_sha256 for picture in flat}) == 2


@pytest.mark.parametrize("size", [(1, 1), (200, 218), (200, 219), (7, 50_000), (50_000, 7)])
def test_the_pixel_hash_is_of_size_and_all_pixels_however_they_are_taken(
    size: tuple[int, int],
) -> None:
    """About 128 KiB are hashed at once: 200 x 218 is less, 200 x 219 more."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    found = examine(encode(Image.fromarray(pixels))).pixel_sha256
    told = f"RGB {size[0]}x{size[1]} ".encode() + pixels.tobytes()
    assert found == hashlib.sha256(told).hexdigest()


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_jpeg_is_turned_as_its_tag_says(turn: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    data = encode(page(3), "JPEG", exif=exif)
    with Image.open(BytesIO(data)) as opened:
        whole = ImageOps.exif_transpose(opened).convert("RGB")
    facts = examine(data)
    assert facts.pixel_sha256 == examine(encode(whole)).pixel_sha256
    assert (facts.width, facts.height) == ((200, 260) if turn < 5 else (260, 200))


def test_the_perceptual_hash_tells_templates_from_copies() -> None:
    first = examine(encode(page(1))).phash256
    copy = examine(encode(page(1).filter(ImageFilter.GaussianBlur(0.8)), "JPEG", quality=70))
    assert len(first) == 64
    assert bits_apart(first, copy.phash256) <= 12
    others = [bits_apart(first, examine(encode(page(n))).phash256) for n in range(2, 12)]
    assert min(others) > 25


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_cut_off_image_is_refused(name: str) -> None:
    data = encode(page(3), name)
    assert examine(data).width == 200
    with pytest.raises(ValueError, match="broken or cut-off|not an image"):
        examine(data[: len(data) // 2])


@pytest.mark.parametrize("place", ["pixels", "checksum"])
def test_a_flipped_byte_inside_a_png_is_noticed(place: str) -> None:
    data = bytearray(encode(page(4)))
    at = len(data) // 2 if place == "pixels" else len(data) - 13  # IDAT's checksum precedes IEND
    data[at] ^= 0x20
    with pytest.raises(ValueError, match="broken"):
        examine(bytes(data))


@pytest.mark.parametrize("data", [b"", b"not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_other_files_are_refused_with_the_same_words_each_time(data: bytes) -> None:
    said = []
    for _ in range(2):
        with pytest.raises(ValueError, match="not an image of a known format") as caught:
            examine(data)
        said.append(str(caught.value))
    assert said[0] == said[1] and "0x" not in said[0]


def test_a_large_image_is_refused_before_it_is_decoded() -> None:
    data = encode(Image.new("L", (400, 300)))
    with pytest.raises(ValueError, match="400 x 300 pixels, more than 1000"):
        examine(data[:60], max_pixels=1000)
