"""Pictures of five classes, copies of them, near misses, and stores made of both.

Invoices, notices, bar charts and windows are each drawn on *one* template, so that different ones
differ in a few words and numbers; `almost` differs in a single value. Photos are random fields with
shapes. Everything follows from the seed. `duplicates.py` measures with it.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from pellucid.base.seeds import derive
from pellucid.data.synth.base import font
from pellucid.schema.record import Answer, Source, Split, assistant, make_record, user
from pellucid.store import Writer

WORDS = (
    "tea milk bread lamp chair cable paper ink glue nails rope paint brush soap towel plate spoon "
    "knife clock mouse bottle basket carpet mirror pillow ladder hammer button candle wallet"
).split()


class Values(Random):
    """Draws values; the one numbered `other` comes out off by one, the rest as they are."""

    def __init__(self, seed: int, other: int = -1) -> None:
        super().__init__(seed)
        self.drawn, self.other = 0, other

    def number(self, low: int, high: int) -> int:
        """A whole number."""
        value = self.randint(low, high)
        self.drawn += 1
        return value if self.drawn - 1 != self.other else value + 1 if value < high else value - 1


def invoice(draw: Values) -> Image.Image:
    """A page of a supplier."""
    picture = Image.new("RGB", (620, 800), "white")
    pen = ImageDraw.Draw(picture)

    def put(x: int, y: int, text: str, size: int = 14, fill: object = "black") -> None:
        pen.text((x, y), text, font=font(size), fill=fill)

    pen.rectangle((0, 0, 620, 60), fill=(30, 60, 120))
    put(24, 16, "ACME Supplies Ltd.", 24, "white")
    put(24, 80, f"Invoice No. {draw.number(1000, 9999)}", 16)
    put(24, 104, f"Date: {draw.number(10, 28)}.{draw.number(10, 12)}.20{draw.number(10, 26)}")
    put(24, 126, f"Customer {draw.number(100, 999)}")
    pen.rectangle((20, 170, 600, 194), fill=(220, 220, 230))
    for x, text in ((28, "Item"), (300, "Quantity"), (380, "Price"), (500, "Amount")):
        put(x, 173, text)
    for row in range(10):
        y = 200 + 30 * row
        count, cents = draw.number(1, 20), draw.number(100, 9999)
        put(28, y, draw.choice(WORDS))
        for x, text in (
            (300, count),
            (380, f"{cents / 100:.2f}"),
            (500, f"{count * cents / 100:.2f}"),
        ):
            put(x, y, str(text))
        pen.line((20, y + 22, 600, y + 22), fill=(200, 200, 200))
    put(24, 750, "Thank you for your business. Payment within 14 days.", 12, (90, 90, 90))
    return picture


def notice(draw: Values) -> Image.Image:
    """A sheet on a door."""
    picture = Image.new("RGB", (320, 240), (250, 248, 240))
    pen = ImageDraw.Draw(picture)
    pen.text((90, 16), "NOTICE", font=font(28), fill=(160, 20, 20))
    days = [draw.number(10, 28) for _ in range(2)]
    lines = (
        f"Room {draw.number(100, 999)} is closed",
        f"from {days[0]}.{draw.number(10, 12)}. to {days[1]}.{draw.number(10, 12)}.",
        f"Please use room {draw.number(100, 999)}.",
    )
    for at, line in enumerate(lines):
        pen.text((20, 70 + 30 * at), line, font=font(16), fill="black")
    pen.text((20, 190), "The management", font=font(14), fill=(80, 80, 80))
    return picture


def chart(draw: Values) -> Image.Image:
    """Five bars with their values above them."""
    picture = Image.new("RGB", (480, 360), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((120, 10), "Quarterly sales by region", font=font(16), fill="black")
    pen.line((50, 40, 50, 320), fill="black", width=2)
    pen.line((50, 320, 460, 320), fill="black", width=2)
    for step in range(6):
        pen.line((50, 320 - step * 50, 460, 320 - step * 50), fill=(225, 225, 225))
        pen.text((18, 312 - step * 50), str(step * 20), font=font(12), fill="black")
    for at, name in enumerate(("North", "East", "South", "West", "Middle")):
        value, x = draw.number(10, 99), 70 + at * 78
        pen.rectangle((x, 320 - value * 2.5, x + 50, 319), fill=(60, 110, 180))
        pen.text((x + 14, 302 - value * 2.5), str(value), font=font(13), fill="black")
        pen.text((x + 4, 324), name, font=font(12), fill="black")
    return picture


def window(draw: Values) -> Image.Image:
    """A dialogue with five fields."""
    picture = Image.new("RGB", (400, 300), (240, 240, 240))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 400, 28), fill=(70, 70, 90))
    pen.text((10, 6), "Settings", font=font(14), fill="white")
    for at, name in enumerate(("Width", "Height", "Margin", "Copies", "Timeout")):
        y = 50 + at * 36
        pen.text((20, y), name, font=font(14), fill="black")
        pen.rectangle((150, y - 3, 300, y + 21), fill="white", outline=(120, 120, 120))
        pen.text((158, y), str(draw.number(1, 999)), font=font(14), fill="black")
    for x, text in ((200, "OK"), (300, "Cancel")):
        pen.rectangle((x, 250, x + 80, 278), fill=(200, 200, 210), outline="black")
        pen.text((x + 15, 255), text, font=font(14), fill="black")
    return picture


def photo(draw: Values) -> Image.Image:
    """Clouds of all sizes with a few ellipses in front."""
    width, height = 480, 360
    field = np.random.default_rng(draw.randint(0, 2**32))
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    slope = np.maximum(np.hypot(down, across), 1 / width) ** -1.6
    layers = []
    for _ in range(3):
        waves = field.normal(size=slope.shape) + 1j * field.normal(size=slope.shape)
        layer = np.fft.irfft2(waves * slope, (height, width))
        layers.append((layer - layer.mean()) / layer.std())
    pixels = np.stack([layers[0] * 40 + one * 12 for one in layers], -1)
    pixels += field.integers(90, 160, 3)
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(field.integers(2, 7)):
        x, y, side = field.integers(0, width), field.integers(0, height), field.integers(20, 90)
        colour = tuple(int(value) for value in field.integers(0, 255, 3))
        pen.ellipse((x, y, x + side, y + side * field.uniform(0.5, 1.5)), fill=colour)
    return picture


CLASSES: dict[str, Callable[[Values], Image.Image]] = {
    "invoices": invoice,
    "notices": notice,
    "charts": chart,
    "windows": window,
    "photos": photo,
}
GROUPS = {
    "documents": ("invoices", "notices", "windows"), "charts": ("charts",), "photos": ("photos",),
}  # fmt: skip
"""Classes as the figures are told by."""


def drawn(kind: str, seed: int) -> Image.Image:
    """The picture of a class and seed."""
    return CLASSES[kind](Values(derive(seed, "planted", kind)))


def almost(kind: str, seed: int) -> Image.Image:
    """The same picture with one value off by one."""
    counting = Values(derive(seed, "planted", kind))
    CLASSES[kind](counting)
    other = derive(seed, "planted", kind, "other") % max(1, counting.drawn)
    return CLASSES[kind](Values(derive(seed, "planted", kind), other))


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    return _file(picture, "PNG")


def _file(picture: Image.Image, kind: str, **options: int) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _exact(picture: Image.Image, rng: Random) -> bytes:
    return _file(picture, "PNG", compress_level=1)


def _jpeg(picture: Image.Image, rng: Random) -> bytes:
    return _file(picture, "JPEG", quality=rng.randint(40, 95))


def _webp(picture: Image.Image, rng: Random) -> bytes:
    return _file(picture, "WEBP", quality=rng.randint(40, 95))


def _scaled(picture: Image.Image, rng: Random) -> bytes:
    factor = 2 ** rng.uniform(-1, 1)
    size = round(picture.width * factor), round(picture.height * factor)
    filters = Image.Resampling
    how = rng.choice((filters.BOX, filters.BILINEAR, filters.BICUBIC, filters.LANCZOS))
    return png(picture.resize(size, how))


def _cut(picture: Image.Image, rng: Random) -> Image.Image:
    """Up to a tenth less at each side, and something at all."""
    while True:
        left, top, right, bottom = (rng.uniform(0, 0.1) for _ in range(4))
        box = (
            round(left * picture.width), round(top * picture.height),
            round((1 - right) * picture.width), round((1 - bottom) * picture.height),
        )  # fmt: skip
        if box != (0, 0, *picture.size):
            return picture.crop(box)


def _cropped(picture: Image.Image, rng: Random) -> bytes:
    return png(_cut(picture, rng))


def _cropped_jpeg(picture: Image.Image, rng: Random) -> bytes:
    return _jpeg(_cut(picture, rng), rng)


def _cropped_scaled(picture: Image.Image, rng: Random) -> bytes:
    return _scaled(_cut(picture, rng), rng)


COPIES: dict[str, tuple[float, Callable[[Image.Image, Random], bytes]]] = {
    "other file, same pixels": (0.99, _exact),
    "JPEG 40-95": (0.99, _jpeg),
    "WebP 40-95": (0.99, _webp),
    "rescaled 0.5-2x": (0.95, _scaled),
    "cropped <= 10 % a side": (0.95, _cropped),
    "cropped, then JPEG": (0.95, _cropped_jpeg),
    "cropped, then rescaled": (0.95, _cropped_scaled),
}
"""What is done to a picture, and the share that must be found."""


class Row(NamedTuple):
    """A record to be: pictures, question, gold."""

    pictures: tuple[bytes, ...]
    question: str
    gold: str


def build(folder: Path, rows: Sequence[Row], shard_rows: int = 500, split: Split = "train") -> None:
    """A store of rows, named by their number (`source.row`)."""
    writer = Writer(folder)
    for first in range(0, len(rows), shard_rows):
        records = []
        for number, row in enumerate(rows[first : first + shard_rows], first):
            refs = tuple(writer.image(data) for data in row.pictures)
            records.append(
                make_record(
                    messages=(user(*range(len(refs)), row.question), assistant(row.gold)),
                    images=refs,
                    answer=Answer("text", row.gold),
                    task="planted",
                    domain="planted",
                    source=Source(folder.name, split, number, "CC0-1.0"),
                )
            )
        writer.shard(f"shard-{first // shard_rows:06d}", records)
    writer.finish()
