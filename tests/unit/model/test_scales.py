"""Models that see a picture at several scales, against tiles put together by hand."""

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import pellucid.hf  # noqa: F401 - registers the classes
from pellucid.infer.engine import Engine
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.prompt import Renderer
from pellucid.recipe.model import DynamicS2Images, MultiCropS2Images, S2Images
from pellucid.schema.record import user
from pellucid.schema.rollout import Request

KINDS = {
    "s2": S2Images(tile_px=16, scales_px=(16, 32)),
    "dynamic_s2": DynamicS2Images(tile_px=16, scales_px=(16,), max_tokens=16),
    "multi_crop_s2": MultiCropS2Images(crop_px=40, tile_px=16, scales_px=(16, 48), max_tokens=8),
}
SIZES = ((40, 33), (70, 40))


@pytest.fixture(params=KINDS)
def built(request, options):
    """Model and renderer of one strategy."""
    told = options.model_copy(update={"images": KINDS[request.param]})
    renderer = Renderer.build(told)
    return checkpoint.build(told, 7, renderer), renderer


@pytest.fixture
def example(built, picture):
    model, renderer = built
    images = [picture(*size, seed=seed) for seed, size in enumerate(SIZES)]
    rendered = renderer.prompt([user(0, "and", 1, "?")], SIZES)
    return Processor(renderer).example(rendered, images)


def averaged(map_: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Each cell of the new map is the mean of the old cells by the area that it shares with them.

    Both maps are cut into the smallest common cells first.
    """
    tall, wide = math.lcm(rows, map_.shape[0]), math.lcm(cols, map_.shape[1])
    fine = map_.repeat(tall // map_.shape[0], 0).repeat(wide // map_.shape[1], 1)
    return fine.reshape(rows, tall // rows, cols, wide // cols, -1).mean((1, 3))


def by_hand(model, example, merged: str) -> np.ndarray:
    """Features before the projector: the tower on one tile at a time, the rest with loops."""
    maps, at = [], 0
    views = example.grids.tolist()
    while views:
        rows, cols, down, across = views[0]
        lines = []
        for _ in range(down):
            line = []
            for _ in range(across):
                assert views.pop(0) == [rows, cols, down, across]
                tile = torch.from_numpy(example.patches[at : at + rows * cols])
                features = model.vision(tile, torch.tensor([[rows, cols]]))
                line.append(features.detach().numpy().reshape(rows, cols, -1))
                at += rows * cols
            lines.append(np.concatenate(line, axis=1))
        maps.append(np.concatenate(lines))
    tokens = []
    for first, second in zip(maps[::2], maps[1::2], strict=True):
        rows, cols = (first if merged == "first" else second).shape[:2]
        beside = [averaged(first, rows, cols), averaged(second, rows, cols)]
        tokens.append(np.concatenate(beside, axis=-1).reshape(rows * cols, -1))
    return np.concatenate(tokens)


def test_features_are_those_of_tiles_put_together_by_hand(built, example):
    model, renderer = built
    found = model.features(torch.from_numpy(example.patches), torch.from_numpy(example.grids))
    expected = by_hand(model, example, renderer.images.merged)
    with torch.no_grad():
        wanted = model.projector(torch.from_numpy(expected).float())
    assert torch.allclose(found, wanted, atol=1e-5)
    assert len(found) == (example.ids == renderer.image_id).sum()
    assert model.projector[0].in_features == 2 * model.config.vision_config.hidden_size


def test_every_patch_of_every_scale_is_learnt_from(built, example):
    model, _ = built
    patches = torch.from_numpy(example.patches).requires_grad_()
    hidden = model.hidden(
        model.embed(torch.from_numpy(example.ids)[None], patches, torch.from_numpy(example.grids))
    )
    model.head(hidden).logsumexp(-1).sum().backward()
    assert (patches.grad.abs().sum(1) > 0).all()


def test_a_checkpoint_says_how_it_sees(built, example, tmp_path, picture):
    model, renderer = built
    checkpoint.save(model, renderer, tmp_path)
    loaded = checkpoint.load(tmp_path)
    assert loaded.renderer.images == renderer.images
    inputs = torch.from_numpy(example.patches), torch.from_numpy(example.grids)
    assert torch.equal(loaded.model.features(*inputs), model.features(*inputs))
    assert loaded.model.config.feature_scales == 2


def test_the_engine_and_transformers_answer_alike(built, tmp_path, picture):
    model, renderer = built
    checkpoint.save(model, renderer, tmp_path)
    images = [picture(*size, seed=seed) for seed, size in enumerate(SIZES)]
    request = Request("r", (user(0, "and", 1, "?"),), tuple(images), max_new_tokens=6)
    (rollout,) = Engine.load(tmp_path, slots=2).generate([request])
    content = [
        {"type": "image", "image": Image.open(io.BytesIO(images[0]))},
        {"type": "text", "text": "and"},
        {"type": "image", "image": Image.open(io.BytesIO(images[1]))},
        {"type": "text", "text": "?"},
    ]
    inputs = AutoProcessor.from_pretrained(tmp_path).apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=True, return_dict=True, add_generation_prompt=True, return_tensors="pt",
    )  # fmt: skip
    stock = AutoModelForImageTextToText.from_pretrained(tmp_path)
    ids = stock.generate(**inputs, max_new_tokens=6, do_sample=False)
    assert rollout.prompt_tokens == inputs["input_ids"].shape[1]
    assert rollout.token_ids == tuple(ids[0, rollout.prompt_tokens :].tolist())


def test_a_model_of_one_scale_has_the_configuration_that_it_always_had(options, tmp_path):
    renderer = Renderer.build(options)
    checkpoint.save(checkpoint.build(options, 7, renderer), renderer, tmp_path)
    told = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert not {"feature_scales", "merged_scale"} & told.keys()
    assert checkpoint.load(tmp_path).model.config.feature_scales == 1
