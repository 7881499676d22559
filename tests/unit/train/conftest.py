"""A tiny model and a tiny store of real images, made by the rooms themselves."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from pellucid import store
from pellucid.model import checkpoint
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import BuildModel, DecoderOptions, DynamicImages, VisionOptions
from pellucid.recipe.train import AdamW, Modules, Pack, Schedule, Stage
from pellucid.schema.record import Record, Source, assistant, make_record, user
from pellucid.store import LedgerRow, MixRow, Store, Writer, write_mix

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 200)}
TINY = BuildModel(
    images=DynamicImages(min_patches=4, max_patches=16),
    vision=VisionOptions(width=16, layers=3, heads=2, mlp_width=32, position_grid=4),
    decoder=DecoderOptions(
        width=32, layers=2, heads=2, kv_heads=1, mlp_width=48, context_tokens=256
    ),
)


@dataclass(frozen=True)
class World:
    """What a stage needs, on disk."""

    root: Path
    model: Path
    mix: Path
    data: Path
    records: tuple[Record, ...]

    @property
    def stores(self) -> Store:
        return store.open(self.data)


def make_stage(**changes) -> Stage:
    """A stage over the tiny mix; fields can be replaced."""
    fields = {
        "name": "tiny",
        "mix": "tiny",
        "modules": Modules(vision=1e-3, projector=2e-3, decoder=3e-3),
        "optimizer": AdamW(),
        "schedule": Schedule(warmup_share=0.1),
        "pack": Pack(max_tokens=120, max_patches=40, window_records=8),
        "batch_records": 6,
        "checkpoint_every": 2,
    }
    return Stage(**{**fields, **changes})


def picture(name: str, width: int, height: int) -> bytes:
    """A coloured PNG whose patches all differ."""
    image = Image.new("RGB", (width, height), COLOURS[name])
    for x in range(width):
        for y in range(height):
            if (x * y + x) % 7 < 3:
                image.putpixel((x, y), (5 * x % 256, 4 * y % 256, x * y % 256))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def conversation(row: int, images: list) -> dict:
    """Some are text alone, some think, some have two images and two turns (or examples)."""
    name = list(COLOURS)[row % 3]
    turns = (user(f"What is {row} + {row}?"), assistant(str(2 * row)))
    if images:
        turns = (user(0, "Colour?"), assistant(name))
    if row % 4 == 0 or row % 12 == 1:
        turns = (turns[0], assistant(turns[1].text, f"It is {turns[1].text}."))
    if len(images) == 2:
        turns = (*turns, user("And ", 1, "?"), assistant("the same", "I compare both."))
    return {"messages": turns}


def make_world(root: Path, count: int = 20) -> World:
    """`count` records in a store, a mix of them all (the first one twice), and a fresh model."""
    writer = Writer(root / "data")
    records = []
    for row in range(count):
        name = list(COLOURS)[row % 3]
        sizes = [] if row % 3 == 0 else [(32 + 7 * row % 40, 30)]
        sizes += [(20, 50)] if row % 6 == 1 else []
        images = [writer.image(picture(name, *size)) for size in sizes]
        source = Source("tiny", "train", row, "CC0-1.0")
        shared = {"answer": None, "task": "colour", "domain": "toy", "source": source}
        records.append(make_record(**conversation(row, images), images=tuple(images), **shared))
    writer.shard("a", records)
    writer.finish()
    rows = [
        MixRow(record.id, 2 if index == 0 else 1, "as_is") for index, record in enumerate(records)
    ]
    kept = [LedgerRow(0, "tiny", record.id, "kept", "") for record in records]
    write_mix(root / "mix", rows, kept)
    renderer = Renderer.build(TINY)
    checkpoint.save(checkpoint.build(TINY, 0, renderer), renderer, root / "model")
    return World(root, root / "model", root / "mix", root / "data", tuple(records))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="session")
def stage():
    """Builder of stages over the tiny mix."""
    return make_stage
