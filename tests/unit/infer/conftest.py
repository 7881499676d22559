"""A tiny model with random weights, requests of several lengths, with and without pictures."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.infer.engine import Engine
from pellucid.model.checkpoint import build
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import BuildModel, DecoderOptions, DynamicImages, VisionOptions
from pellucid.schema.record import Mode, Turn, user
from pellucid.schema.rollout import Request

CONTEXT = 160

MakeEngine = Callable[..., Engine]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are fastest on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def options() -> BuildModel:
    return BuildModel(
        images=DynamicImages(min_patches=4, max_patches=16),
        vision=VisionOptions(width=32, layers=2, heads=2, mlp_width=48, position_grid=4),
        decoder=DecoderOptions(
            width=64, layers=2, heads=4, kv_heads=2, mlp_width=96, context_tokens=CONTEXT
        ),
    )


@pytest.fixture(scope="session")
def renderer(options: BuildModel) -> Renderer:
    return Renderer.build(options)


@pytest.fixture
def model(options: BuildModel, renderer: Renderer) -> PellucidForConditionalGeneration:
    """Fresh weights, spread widely enough for answers to differ."""
    made = build(options, 1, renderer)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in made.decoder.parameters():
            if parameter.ndim == 2:
                parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator))
    return made


@pytest.fixture
def make(model: PellucidForConditionalGeneration, renderer: Renderer) -> MakeEngine:
    def engine(slots: int = 4, context: int = CONTEXT) -> Engine:
        return Engine(model, Processor(renderer), slots, context, "tiny")

    return engine


def picture(seed: int, width: int = 48, height: int = 48) -> bytes:
    """A PNG of coloured noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


QUESTIONS = (
    "How many red shapes are there?",
    "Sum?",
    "Which bar is the tallest, and how much taller is it than the one to its left?",
    "Is the circle above the square?",
)


def ask(
    number: int,
    *,
    images: int = 0,
    mode: Mode = "auto",
    tokens: int = 12,
    temperature: float = 1.0,
    group: str = "",
) -> Request:
    """One of many requests; `number` decides the question, the pictures and the seed."""
    question = QUESTIONS[number % len(QUESTIONS)]
    turn: Turn = user(*range(images), question)
    shown = tuple(picture(number + index, 40 + 16 * index) for index in range(images))
    return Request(
        f"r{number}", (turn,), shown, mode, tokens, temperature, seed=number, group=group
    )
