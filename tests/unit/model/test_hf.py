"""The same folder through transformers' Auto classes."""

import base64
import importlib
import io

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)

import pellucid.hf
from pellucid.base.errors import UserError
from pellucid.model import checkpoint
from pellucid.model.config import PellucidConfig
from pellucid.schema.record import user


@pytest.fixture
def folder(tmp_path, model, renderer):
    checkpoint.save(model, renderer, tmp_path)
    return tmp_path


@pytest.fixture
def conversation(picture):
    image = Image.open(io.BytesIO(picture(40, 50)))
    content = [{"type": "image", "image": image}, {"type": "text", "text": "How many bars?"}]
    return [{"role": "user", "content": content}]


def test_importing_twice_is_harmless(folder):
    importlib.reload(pellucid.hf)
    assert isinstance(AutoConfig.from_pretrained(folder), PellucidConfig)


def test_config_survives_its_file(folder, model):
    config = AutoConfig.from_pretrained(folder)
    assert config.vision_config.to_dict() == model.config.vision_config.to_dict()
    assert (config.image_token_id, config.feature_layer, config.projector) == (7, -2, "mlp2x_gelu")
    text, expected = config.text_config.to_dict(), model.config.text_config.to_dict()
    assert text == expected


def test_model_is_the_one_that_was_saved(folder, model):
    loaded = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(loaded) is type(model)
    assert loaded.decoder.lm_head.weight is loaded.get_input_embeddings().weight
    for (name, one), (other, two) in zip(
        model.named_parameters(), loaded.named_parameters(), strict=True
    ):
        assert name == other
        assert torch.equal(one, two), name
    assert loaded.generation_config.eos_token_id == 3


def test_transformers_own_save_can_be_loaded_by_both(folder, tmp_path):
    again = tmp_path / "again"
    AutoModelForImageTextToText.from_pretrained(folder).save_pretrained(again)
    weights = checkpoint._read_weights(again / "model.safetensors")
    expected = checkpoint._read_weights(folder / "model.safetensors")
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_chat_template_gives_what_training_sees(folder, conversation, processor, renderer, picture):
    inputs = AutoProcessor.from_pretrained(folder).apply_chat_template(
        conversation,
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
        return_tensors="pt",
    )
    rendered = renderer.prompt([user(0, "How many bars?")], [(40, 50)])
    example = processor.example(rendered, [picture(40, 50)])
    assert inputs.keys() == {"input_ids", "attention_mask", "pixel_values", "image_grids"}
    assert inputs["input_ids"][0].tolist() == example.ids.tolist()
    assert np.array_equal(inputs["pixel_values"].numpy(), example.patches)
    assert inputs["image_grids"].tolist() == example.grids.tolist()


def test_generate_takes_the_processors_output(folder, conversation):
    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor.apply_chat_template(
        conversation,
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
        return_tensors="pt",
    )
    given = model.generate(**inputs, max_new_tokens=5)
    with torch.no_grad():
        logits = model(inputs.input_ids, inputs.pixel_values, inputs.image_grids).logits
    assert given[0, inputs.input_ids.shape[1]] == logits[0, -1].argmax()
    assert processor.batch_decode(given[:, -5:])


def test_image_processor_packs_pictures_of_any_kind(folder, picture, tmp_path):
    processor = AutoImageProcessor.from_pretrained(folder)
    data = picture(40, 50)
    (tmp_path / "x.png").write_bytes(data)
    image = Image.open(io.BytesIO(data))
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    expected = processor(image)["pixel_values"]
    for other in (str(tmp_path / "x.png"), uri, np.asarray(image)):
        assert np.array_equal(processor(other)["pixel_values"], expected)
    both = processor([image, image], return_tensors="pt")
    assert both["image_grids"].shape == (2, 2)
    assert len(both["pixel_values"]) == 2 * len(expected) == both["image_tokens"].sum()


def test_nothing_is_fetched(folder):
    with pytest.raises(UserError, match="nothing is fetched"):
        AutoImageProcessor.from_pretrained(folder)("https://example.org/x.png")


def test_tokenizer_agrees_with_ours(folder, renderer):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "Bars: 12, 7 — naïve 例."
    assert tokenizer(text)["input_ids"] == renderer.tokenizer.encode_text(text)
