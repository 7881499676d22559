"""The store and the model agree on what a picture shows, whatever its file says."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pellucid.model.vision.picture import decode
from pellucid.store.pixels import examine


def file(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to show it upright
    return file(Image.new("RGB", (40, 20), (200, 10, 10)), "JPEG", exif=exif)


def grey16(value: int) -> bytes:
    return file(Image.fromarray(np.full((20, 30), value, np.uint16)), "PNG")


def see_through(alpha: int) -> bytes:
    return file(Image.new("RGBA", (30, 20), (255, 0, 0, alpha)), "PNG")


PICTURES = {
    "exif": rotated(),
    "grey16": grey16(20000),
    "transparent": see_through(0),
    "palette": file(Image.new("P", (30, 20), 3), "GIF"),
    "cmyk": file(Image.new("CMYK", (30, 20), (0, 200, 0, 0)), "JPEG"),
    "bilevel": file(Image.new("1", (30, 20), 1), "PNG"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_recorded_size_is_the_decoded_size(name: str) -> None:
    found = examine(PICTURES[name])
    assert (found.width, found.height) == decode(PICTURES[name], name).size


def test_a_phone_picture_is_recorded_upright() -> None:
    found = examine(rotated())
    assert (found.width, found.height) == (20, 40)


def test_pictures_that_look_different_hash_differently() -> None:
    pairs = [(grey16(1000), grey16(60000)), (see_through(0), see_through(255))]
    for one, two in pairs:
        assert examine(one).pixel_sha256 != examine(two).pixel_sha256


def test_a_grey_of_16_bits_is_scaled() -> None:
    assert decode(grey16(20000), "grey").getpixel((0, 0)) == (77, 77, 77)
