"""A tiny world for RL: records with gold answers, pictures among them, and a model that speaks
five tokens (three digits, a full stop and the end), so that chance is worth rewarding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid import store
from pellucid.model import checkpoint
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import BuildModel, DecoderOptions, DynamicImages, VisionOptions
from pellucid.recipe.rl import RlOptions
from pellucid.rl.prompts import Entry, survey
from pellucid.rl.setting import Setting
from pellucid.schema.record import Answer, Record, Source, Turn, assistant, make_record, user
from pellucid.store import LedgerRow, MixRow, Store, Writer, read_mix, write_mix

TINY = BuildModel(
    images=DynamicImages(min_patches=4, max_patches=9),
    vision=VisionOptions(width=16, layers=2, heads=2, mlp_width=24, position_grid=4),
    decoder=DecoderOptions(
        width=32, layers=2, heads=2, kv_heads=1, mlp_width=48, context_tokens=96, tied_head=False
    ),
)
SPOKEN = "357."


@dataclass(frozen=True)
class World:
    """What the RL job needs, on disk."""

    root: Path
    records: tuple[Record, ...]

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def mix(self) -> Path:
        return self.root / "mix"

    @property
    def probe(self) -> Path:
        """A mix of three of the records; that they are learnt from too is no matter here."""
        return self.root / "probe"

    @property
    def stores(self) -> Store:
        return store.open(self.root / "data")


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def conversation(row: int) -> tuple[Turn, ...]:
    """Text or picture, direct or with thinking; the last one has an earlier turn."""
    asked = user(0, "How many?") if row % 3 == 1 else user(f"How many are {row} and 1?")
    turns = (asked, assistant("7", "I count 7." if row % 4 == 3 else None))
    return turns if row != 5 else (asked, assistant("3"), user("And now?"), assistant("7"))


def make_records(writer: Writer) -> list[Record]:
    """Six records with the gold 7, one without gold, one whose gold nobody can check."""
    golds = [Answer("number", "7")] * 6 + [None, Answer("json", "{}")]
    records = []
    for row, gold in enumerate(golds):
        turns = conversation(row)
        shown = any(part.type == "image" for turn in turns for part in turn.content)
        records.append(
            make_record(
                messages=turns,
                images=(writer.image(picture(row)),) if shown else (),
                answer=gold,
                task="count",
                domain="toy",
                source=Source("toy", "train", row, "CC0-1.0"),
            )
        )
    return records


def speak_little(model: torch.nn.Module, renderer: Renderer) -> None:
    """Let the model say five tokens only, about equally often.

    Dimension 0 of the hidden state is large and positive everywhere, and the head turns it against
    all other tokens.
    """
    spoken = [*renderer.tokenizer.encode_text(SPOKEN), renderer.end_id]
    assert len(spoken) == 5
    with torch.no_grad():
        model.decoder.model.embed_tokens.weight[:, 0] = 2.0
        model.projector[-1].bias[0] = 2.0
        head = model.decoder.lm_head.weight
        head[:, 0] = -9.0
        head[spoken, 0] = 0.0


def make_world(root: Path) -> World:
    writer = Writer(root / "data")
    records = make_records(writer)
    writer.shard("a", records)
    writer.finish()
    rows = [MixRow(record.id, 1 + (index == 0), "as_is") for index, record in enumerate(records)]
    write_mix(root / "mix", rows, [LedgerRow(0, "toy", row.id, "kept", "") for row in rows])
    asked = [MixRow(record.id, 1, "as_is") for record in records[1:4]]
    write_mix(root / "probe", asked, [LedgerRow(0, "toy", row.id, "kept", "") for row in asked])
    renderer = Renderer.build(TINY)
    model = checkpoint.build(TINY, 0, renderer)
    speak_little(model, renderer)
    checkpoint.save(model, renderer, root / "model")
    return World(root, tuple(records))


def make_options(**changes: object) -> RlOptions:
    """Small settings; fields can be replaced."""
    fields = {
        "mix": "toy",
        "batches": 3,
        "prompts_per_batch": 4,
        "group_size": 4,
        "updates_per_batch": 2,
        "max_new_tokens": 6,
        "rewards": {"accuracy": 0.9, "format": 0.1},
        "modules": {"projector": 1e-3, "decoder": 1e-3},
        "pack_tokens": 120,
    }
    return RlOptions.model_validate({**fields, **changes})


def make_setting(world: World, folder: Path, **changes: object) -> Setting:
    """The fixed side of a job on the world's model."""
    options, loaded = make_options(**changes), checkpoint.load(world.model)
    return Setting(folder, options, world.stores, loaded, 5, 8, "cpu", "float32")


def entries(setting: Setting, mix: Path) -> tuple[Entry, ...]:
    """What can be asked of a mix."""
    rows, told = read_mix(mix).rows, setting.loaded.renderer
    return survey("toy", setting.options, rows, setting.stores, told, 96).entries


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("rl"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are fastest on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
