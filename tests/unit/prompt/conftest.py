"""Renderers on the shipped tokenizer, and a strategy of records: many turns, many images."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from pellucid.base.paths import resolve
from pellucid.prompt import PELLUCID, Renderer, Tokenizer
from pellucid.recipe.model import DynamicImages
from pellucid.schema.record import (
    ImageRef,
    Part,
    Record,
    Source,
    Turn,
    assistant,
    make_record,
    user,
)

SOURCE = Source("made up", "train", 0, "CC0-1.0")


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(resolve("asset:tokenizer/tokenizer.json"))


@pytest.fixture(scope="session")
def make_renderer(tokenizer: Tokenizer) -> Callable[..., Renderer]:
    def make(format=PELLUCID, **options) -> Renderer:
        images = DynamicImages(min_patches=4, max_patches=40)
        return Renderer(tokenizer, format, images, patch_px=16, **options)

    return make


@pytest.fixture(scope="session")
def renderer(make_renderer: Callable[..., Renderer]) -> Renderer:
    return make_renderer()


@pytest.fixture(scope="session")
def record() -> Record:
    """Two turns, two images, one shown twice; the first answer thinks."""
    return record_of(
        user(1, "7?", 0),
        assistant("8", "7 + 1"),
        user("9", 1),
        assistant("red"),
        images=((64, 48), (32, 32)),
    )


@pytest.fixture(scope="session")
def make() -> Callable[..., Record]:
    return record_of


@pytest.fixture(scope="session")
def records() -> Callable[[st.SearchStrategy[str]], st.SearchStrategy[Record]]:
    return _records


def record_of(*turns: Turn, images: tuple[tuple[int, int], ...] = ()) -> Record:
    refs = tuple(ImageRef(f"{index:064x}", *size) for index, size in enumerate(images))
    return make_record(
        messages=turns, images=refs, answer=None, task="t", domain="d", source=SOURCE
    )


@st.composite
def _records(draw: st.DrawFn, text: st.SearchStrategy[str]) -> Record:
    sizes = draw(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), max_size=3))
    turns: list[Turn] = []
    if draw(st.booleans()):
        turns.append(Turn("system", (Part("text", draw(text)),)))
    unseen = set(range(len(sizes)))
    for pair in range(draw(st.integers(1, 4))):
        pieces: list[str | int] = draw(
            st.lists(st.one_of(text, st.sampled_from(range(len(sizes)))) if sizes else text)
        )
        unseen -= {piece for piece in pieces if isinstance(piece, int)}
        turns.append(user(*pieces, *(sorted(unseen) if pair == 0 else ())))
        reasoning = draw(st.one_of(st.none(), text))
        weight = draw(st.sampled_from([None, None, 1.0, 0.0]))
        answer = assistant(draw(text), reasoning)
        turns.append(Turn("assistant", answer.content, answer.mode, reasoning, weight))
    return record_of(*turns, images=tuple(sizes))
