"""Build, save, load: equal weights are equal bytes, and damage is told."""

import json
import subprocess
import sys

import pytest
import torch

from pellucid.base.errors import UserError
from pellucid.base.hashing import hash_file
from pellucid.model import checkpoint

FILES = [
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
]

BUILD = """
import sys
from pathlib import Path
import torch
from pellucid.model import checkpoint
from pellucid.prompt import Renderer
from pellucid.recipe.model import BuildModel
torch.manual_seed(99)
options = BuildModel.model_validate_json(sys.argv[1])
renderer = Renderer.build(options)
checkpoint.save(checkpoint.build(options, 7, renderer), renderer, Path(sys.argv[2]))
"""


def hashes(folder):
    return {path.name: hash_file(path) for path in sorted(folder.iterdir())}


@pytest.fixture
def saved(tmp_path, model, renderer):
    checkpoint.save(model, renderer, tmp_path / "saved")
    return tmp_path / "saved"


def test_save_load_save_gives_the_same_bytes(saved, tmp_path, renderer):
    loaded = checkpoint.load(saved)
    checkpoint.save(loaded.model, loaded.renderer, tmp_path / "again")
    assert hashes(saved) == hashes(tmp_path / "again")
    assert list(hashes(saved)) == FILES
    assert loaded.renderer.hash == renderer.hash


def test_nothing_of_the_installation_is_written(saved, tmp_path):
    for path in (saved / "config.json", saved / "generation_config.json"):
        assert "version" not in path.read_text()
        assert str(tmp_path) not in path.read_text()


def test_a_fresh_process_builds_the_same_bytes(saved, tmp_path, options):
    arguments = [options.model_dump_json(), str(tmp_path / "other")]
    subprocess.run([sys.executable, "-c", BUILD, *arguments], check=True, timeout=120)
    assert hashes(saved) == hashes(tmp_path / "other")


def test_another_seed_gives_other_weights_and_global_randomness_is_left_alone(
    options, renderer, model
):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    other = checkpoint.build(options, 8, renderer)
    assert torch.equal(torch.rand(4), expected)
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two) == (one.ndim == 1), name


def test_one_part_does_not_change_anothers_weights(options, renderer, model):
    """A wider decoder leaves the tower's weights as they were."""
    decoder = options.decoder.model_copy(update={"width": 64})
    other = checkpoint.build(options.model_copy(update={"decoder": decoder}), 7, renderer)
    for one, two in zip(model.vision.parameters(), other.vision.parameters(), strict=True):
        assert torch.equal(one, two)


def test_initial_scales(model):
    """Image features start about as large as token embeddings; first guesses are near uniform."""
    patches, grids = torch.rand(48, 192) * 2 - 1, torch.tensor([(6, 8)])
    with torch.no_grad():
        features = model.features(patches, grids)
        logits = model(torch.randint(32, 2048, (1, 40))).logits
    assert 0.25 < features.std() / model.get_input_embeddings().weight.std() < 4
    assert logits.std() < 0.5
    assert not model.get_input_embeddings().weight[0].any()


def test_loaded_model_computes_the_same(saved, model):
    ids = torch.randint(32, 2048, (1, 20))
    with torch.no_grad():
        assert torch.equal(checkpoint.load(saved).model(ids).logits, model.eval()(ids).logits)


def test_weights_are_saved_in_fp32(tmp_path, saved, renderer):
    half = checkpoint.load(saved, dtype=torch.bfloat16).model
    assert half.dtype == torch.bfloat16
    checkpoint.save(half, renderer, tmp_path / "half")
    again = checkpoint.load(tmp_path / "half").model
    for one, two in zip(again.parameters(), half.parameters(), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two.float())


def test_far_positions_are_not_rounded_in_half_precision(saved):
    """Frequencies in bfloat16 turn position 4,000 by a tenth of a radian too much or too little."""
    where = torch.tensor([[4000]])
    turned = []
    for dtype in (torch.float32, torch.bfloat16):
        rotary = checkpoint.load(saved, dtype=dtype).model.decoder.model.rotary_emb
        turned.append(rotary(torch.zeros(1, 1, 1), where)[0])
    assert torch.equal(*turned)


def test_an_untied_head_is_saved(tmp_path, options, renderer):
    decoder = options.decoder.model_copy(update={"tied_head": False})
    model = checkpoint.build(options.model_copy(update={"decoder": decoder}), 7, renderer)
    head, embedding = model.decoder.lm_head.weight, model.get_input_embeddings().weight
    assert not torch.equal(head, embedding)
    checkpoint.save(model, renderer, tmp_path)
    assert torch.equal(checkpoint.load(tmp_path).model.decoder.lm_head.weight, head)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
    ],
)
def test_a_damaged_file_is_told(saved, name):
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=name.partition(".")[0]):
        checkpoint.load(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_told(saved, name):
    (saved / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name}"):
        checkpoint.load(saved)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(UserError, match="checkpoint=.*nowhere.* lacks config.json"):
        checkpoint.load(tmp_path / "nowhere")


def test_weights_are_as_readable_as_the_other_files(saved):
    modes = {path.stat().st_mode for path in saved.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llava"}, "model_type is 'llava'"),
        ({"feature_layer": -1}, "missing .*layers.2"),
        ({"projector": "resampler"}, "mlp2x_gelu"),
        ({"text_config": "none"}, "config.json"),
    ],
)
def test_a_config_that_does_not_fit_is_told(saved, change, message):
    fields = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(UserError, match=message):
        checkpoint.load(saved)


def test_other_shapes_are_told(saved):
    fields = json.loads((saved / "config.json").read_text())
    fields["text_config"]["intermediate_size"] = 64
    (saved / "config.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match="gate_up_proj.* config.json asks for"):
        checkpoint.load(saved)


def test_a_pickle_is_never_opened(saved):
    torch.save({"weight": torch.zeros(1)}, saved / "model.safetensors")
    with pytest.raises(UserError, match="safetensors"):
        checkpoint.load(saved)
