"""Encoded images as grey pictures: upright, over white, and as bright as they are in colour."""

from io import BytesIO

import numpy as np
from benchmarks.planted import drawn
from PIL import Image

from pellucid.data.duplicates.pictures import grey


def encoded(picture: Image.Image, kind: str, **told: object) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **told)
    return out.getvalue()


def test_a_jpeg_file_is_as_bright_as_its_colours_and_upright() -> None:
    photo = drawn("photos", 1)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    data = encoded(photo, "JPEG", quality=95, exif=turned)
    found = grey(data)
    assert found.mode == "L" and found.size == (photo.height, photo.width)
    right = photo.transpose(Image.Transpose.ROTATE_270).convert("L")
    off = np.abs(np.asarray(found, np.int16) - np.asarray(right, np.int16))
    assert off.mean() < 3 and np.percentile(off, 99) < 12


def test_what_is_transparent_is_white() -> None:
    line = Image.new("L", (4, 1))
    line.putdata([0, 50, 100, 200])
    assert list(grey(encoded(line, "PNG")).tobytes()) == [0, 50, 100, 200]
    assert list(grey(encoded(line, "PNG", transparency=0)).tobytes()) == [255, 50, 100, 200]


def test_other_colour_spaces_of_jpeg_are_read() -> None:
    for mode in ("L", "CMYK"):
        plain = Image.new("RGB", (32, 32), (200, 200, 200)).convert(mode)
        values = np.asarray(grey(encoded(plain, "JPEG", quality=95)), np.int16)
        assert np.abs(values - 200).max() <= 3, mode
