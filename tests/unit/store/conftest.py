"""Small pictures and records that the store's tests share."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from pellucid.schema.record import Answer, ImageRef, Record, Source, assistant, make_record, user


def _png(red: int, width: int = 12, height: int = 8) -> bytes:
    picture = Image.new("RGB", (width, height), (red, 10, 20))
    for x in range(width):
        picture.putpixel((x, x % height), (x * 20 % 256, red, 99))
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _record(row: int, images: tuple[ImageRef, ...] = (), **changes: object) -> Record:
    shown = tuple(range(len(images)))
    given = {
        "messages": (user(*shown, f"What is {row}?"), assistant(str(row))),
        "images": images,
        "answer": Answer("number", str(row)),
        "task": "read",
        "domain": "tests",
        "source": Source("set", "train", row, "CC0-1.0"),
        **changes,
    }
    return make_record(**given)  # type: ignore[arg-type]


@pytest.fixture
def png() -> Callable[..., bytes]:
    return _png


@pytest.fixture
def record() -> Callable[..., Record]:
    return _record
