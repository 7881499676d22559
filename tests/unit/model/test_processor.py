"""Rendered conversations to arrays, with the checks that keep placeholders and features equal."""

from dataclasses import replace

import numpy as np
import pytest

from pellucid.base.errors import UserError
from pellucid.model.vision import patchify
from pellucid.model.vision.picture import decode
from pellucid.schema.record import ImageRef, Source, assistant, make_record, user

SIZES = ((40, 50), (30, 16))


@pytest.fixture
def images(picture):
    return [picture(*size, seed=index) for index, size in enumerate(SIZES)]


@pytest.fixture
def rendered(renderer):
    """The second image first, then the first, then the second again."""
    record = make_record(
        messages=(user(1, "and", 0, "?"), assistant("a"), user("again", 1), assistant("b", "c")),
        images=tuple(ImageRef(str(index), *size) for index, size in enumerate(SIZES)),
        answer=None,
        task="t",
        domain="d",
        source=Source("s", "train", 0, "CC0-1.0"),
    )
    (example,) = renderer.examples(record)
    return example


def test_example_follows_the_order_of_appearance(processor, renderer, rendered, images):
    example = processor.example(rendered, images)
    parts = [
        patchify(renderer.images, renderer.patch_px, decode(images[index], "x"), each)
        for index, each in zip((1, 0, 1), rendered.plans, strict=True)
    ]
    assert np.array_equal(example.patches, np.concatenate(parts))
    assert example.grids.tolist() == [
        [view.rows, view.cols] for each in rendered.plans for view in each.views
    ]
    assert example.ids.tolist() == list(rendered.ids)
    assert example.supervised.tolist() == list(rendered.supervised)
    assert (example.ids == renderer.image_id).sum() == len(example.patches)


def test_text_only_has_no_patches(processor, renderer):
    example = processor.example(renderer.prompt([user("2 + 2?")], []), [])
    assert example.patches.shape == (0, 3 * 8 * 8)
    assert example.grids.shape == (0, 2)


def test_a_picture_of_another_size_than_declared_is_refused(processor, rendered, picture, images):
    with pytest.raises(UserError, match=r"images\.0='50x40' is not of the declared size"):
        processor.example(rendered, [picture(50, 40), images[1]])


def test_a_damaged_picture_is_named(processor, rendered, images):
    with pytest.raises(UserError, match=r"images\.1="):
        processor.example(rendered, [images[0], images[1][:50]])


def test_a_missing_placeholder_is_noticed(processor, rendered, images, renderer):
    ids = list(rendered.ids)
    ids[ids.index(renderer.image_id)] = 100
    with pytest.raises(AssertionError, match="placeholders for"):
        processor.example(replace(rendered, ids=tuple(ids)), images)
