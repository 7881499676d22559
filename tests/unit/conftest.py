"""Small models that several rooms talk to.

One learnt four answers by heart; one has random weights and talks until its budget ends.
"""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.infer.engine import Engine
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import BuildModel, DecoderOptions, DynamicImages, VisionOptions
from pellucid.schema.record import ImageRef, Record, Source, Turn, assistant, make_record, user

CONTEXT = 4096
OPTIONS = BuildModel(
    images=DynamicImages(min_patches=4, max_patches=36),
    vision=VisionOptions(width=16, layers=2, heads=2, mlp_width=16, position_grid=4),
    decoder=DecoderOptions(
        width=32, layers=2, heads=2, kv_heads=1, mlp_width=48, context_tokens=CONTEXT
    ),
)


def picture(colour: str, side: int = 48) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(target, "PNG")
    return target.getvalue()


def data_uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


RED, BLUE = picture("red"), picture("blue")
LESSONS: list[tuple[tuple[Turn, ...], list[bytes]]] = [
    ((user("2 + 3?"), assistant("It is 5.", "2 + 3 = 5, so five.")), []),
    ((user("2 + 3?"), assistant("5")), []),
    ((user(0, "Which colour?"), assistant("red")), [RED]),
    ((user(0, "Which colour?"), assistant("blue")), [BLUE]),
]


def record(turns: tuple[Turn, ...], images: list[bytes], row: int) -> Record:
    refs = tuple(ImageRef(str(index), 48, 48) for index in range(len(images)))
    source = Source("lessons", "train", row, "CC0-1.0")
    return make_record(
        messages=turns, images=refs, answer=None, task="t", domain="d", source=source
    )


def build(seed: int = 0) -> tuple[PellucidForConditionalGeneration, Renderer]:
    renderer = Renderer.build(OPTIONS)
    return checkpoint.build(OPTIONS, seed, renderer), renderer


def learn(model: PellucidForConditionalGeneration, renderer: Renderer) -> None:
    """Learn the lessons by heart."""
    processor = Processor(renderer)
    examples = []
    for row, (turns, images) in enumerate(LESSONS):
        (rendered,) = renderer.examples(record(turns, images, row))
        examples.append(processor.example(rendered, images))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2, weight_decay=0.0)
    for _ in range(150):
        optimizer.zero_grad()
        worst = 0.0
        for example in examples:
            ids = torch.from_numpy(example.ids)[None]
            patches, grids = torch.from_numpy(example.patches), torch.from_numpy(example.grids)
            hidden = model.hidden(model.embed(ids, patches, grids))[0]
            # The mode token is left out: one question is answered in both modes.
            at = torch.from_numpy(np.flatnonzero(example.supervised))[1:]
            loss = torch.nn.functional.cross_entropy(model.head(hidden[at - 1]), ids[0, at])
            loss.backward()
            worst = max(worst, loss.item())
        if worst < 0.03:
            break
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert worst < 0.1, f"the tiny model did not learn its four answers (loss {worst})"


@pytest.fixture(scope="session")
def trained() -> Iterator[tuple[PellucidForConditionalGeneration, Renderer]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model, renderer = build()
    learn(model, renderer)
    yield model.eval(), renderer
    torch.set_num_threads(threads)


def engine_of(model: PellucidForConditionalGeneration, renderer: Renderer, slots: int) -> Engine:
    return Engine(model.eval(), Processor(renderer), slots, CONTEXT, "tiny")


@pytest.fixture(scope="session")
def make_engine(trained: Any) -> Any:
    """`make_engine(knows, slots)`: an engine over the trained or over random weights."""

    def make(knows: bool, slots: int = 1) -> Engine:
        return engine_of(*(trained if knows else build(1)), slots=slots)

    return make


@pytest.fixture(scope="session")
def pictures() -> dict[str, str]:
    """Data URIs of the pictures in the lessons."""
    return {"red": data_uri(RED), "blue": data_uri(BLUE)}


@pytest.fixture(scope="session")
def uri_of() -> Any:
    """`uri_of(side)`: a white picture of that side as a data URI."""
    return lambda side: data_uri(picture("white", side))
