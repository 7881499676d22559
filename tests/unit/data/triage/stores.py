"""Small stores for the tests of triage and review."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

from pellucid.schema.record import Answer, Record, Source, assistant, make_record, user
from pellucid.store import Writer


def chart(seed: int) -> bytes:
    """Fields of random greys: pictures of different seeds are far apart."""
    draw, image = Random(seed), Image.new("RGB", (160, 120))
    pen = ImageDraw.Draw(image)
    for x in range(0, 160, 20):
        for y in range(0, 120, 20):
            grey = draw.randrange(256)
            pen.rectangle((x, y, x + 19, y + 19), fill=(grey, grey, 90))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def store(folder: Path, count: int, wrong: Sequence[int] = (), dataset: str = "charts") -> Path:
    """A store of charts, one question each; the reply of those in `wrong` is not the gold."""
    writer, records = Writer(folder), list[Record]()
    for row in range(count):
        image = writer.image(chart(row))
        said = str(row % 7 + (1 if row in wrong else 0))
        records.append(
            make_record(
                messages=(user(0, f"How tall is bar {row % 4}?"), assistant(said)),
                images=(image,),
                answer=Answer("number", str(row % 7)),
                task="read" if row % 3 else "count",
                domain="perception",
                source=Source(dataset, "train", row, "MIT", group=f"g{row}"),
            )
        )
    writer.shard("shard-0", records)
    writer.finish()
    return folder
