"""A new model on a published tower and a published language model, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import Siglip2Config, Siglip2Model

from pellucid.base.errors import UserError
from pellucid.flow.run import Selection, run
from pellucid.model import checkpoint
from pellucid.model.weights import parts
from pellucid.prompt.render import Renderer
from pellucid.recipe import load
from pellucid.recipe.model import BuildModel


@pytest.fixture(scope="module")
def folders(published, tmp_path_factory):
    """A SigLIP2 whole, its text tower included, and a Phi-3 with Phi-4's tokenizer beside it."""
    root = tmp_path_factory.mktemp("parts")
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    vision = {**sizes, "num_hidden_layers": 3, "patch_size": 16, "num_patches": 256}
    text = {**sizes, "num_hidden_layers": 1, "vocab_size": 20, "projection_size": 32}
    whole = Siglip2Model(Siglip2Config(vision_config=vision, text_config=text))
    whole.save_pretrained(root / "siglip2")
    published.decoder.save_pretrained(root / "phi4")
    shutil.copyfile(published.folder / "tokenizer.json", root / "phi4/tokenizer.json")
    return root, whole


def recipe(root, decoder, *sets):
    text = decoder.config
    sizes = {
        "width": text.hidden_size, "layers": text.num_hidden_layers, "tied_head": False,
        "heads": text.num_attention_heads, "kv_heads": text.num_key_value_heads,
        "mlp_width": text.intermediate_size, "context_tokens": text.max_position_embeddings,
        "rope_theta": text.rope_parameters["rope_theta"], "vocab_size": text.vocab_size,
        "weights": {"path": str(root / "phi4")},
    }  # fmt: skip
    vision = {"width": 32, "layers": 3, "heads": 4, "mlp_width": 48}
    model = {
        "kind": "build", "images": {"kind": "dynamic", "max_patches": 64},
        "vision": {**vision, "weights": {"path": str(root / "siglip2")}},
        "decoder": sizes, "prompt": {"format": "phi4"},
    }  # fmt: skip
    return load("finetune", [f"model={json.dumps(model)}", "name=parts", *sets])


def test_a_run_starts_from_both(folders, published, tmp_path):
    """Through the recipe: tower and decoder are the published ones, the projector is drawn."""
    root, whole = folders
    made = recipe(root, published.decoder)
    run(made, tmp_path / "runs", Selection(only=("init",)))
    (folder,) = (tmp_path / "runs/artifacts").glob("init-*")
    loaded = checkpoint.load(folder / "checkpoint")
    theirs = dict(whole.vision_model.named_parameters())
    for name, one in loaded.model.vision.named_parameters():
        assert torch.equal(one, theirs[name]), name
    theirs = dict(published.decoder.named_parameters())
    for name, one in loaded.model.decoder.named_parameters():
        assert torch.equal(one, theirs[name]), name
    fresh = Renderer.build(made.model, root / "phi4")
    drawn = checkpoint.build(made.model, made.seed, fresh).projector.state_dict()
    for name, one in loaded.model.projector.state_dict().items():
        assert torch.equal(one, drawn[name]), name
    assert loaded.renderer.format.nothink == "<|dummy_84|>" and loaded.renderer.system == ""
    told = json.loads((folder / "manifest.json").read_text("utf-8"))["slice"]["inputs"]
    assert {name.partition("/")[0] for name in told} == {"vision", "decoder"}


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("vision", {"layers": 5}, r"model.vision.weights=.* has no vision_model.encoder.layers.3"),
        ("vision", {"mlp_width": 64}, r"fc1.weight=\(48, 32\) is \(64, 32\) by the recipe"),
        ("decoder", {"layers": 9}, "has no model.layers.2"),
        ("decoder", {"vocab_size": 100_000}, r"embed_tokens.weight=.* by the recipe"),
    ],
)
def test_weights_of_other_sizes_are_refused(part, change, message, folders, published):
    root, _ = folders
    options = recipe(root, published.decoder).model.model_dump()
    options[part] |= change
    changed = BuildModel.model_validate(options)
    renderer = Renderer.build(changed, root / "phi4")
    model = checkpoint.build(changed, 0, renderer)
    with pytest.raises(UserError, match=message):
        parts.fill(model, part, root / {"vision": "siglip2", "decoder": "phi4"}[part])


def test_too_few_rows_for_the_tokenizer(folders, published):
    root, _ = folders
    options = recipe(root, published.decoder).model.model_dump()
    options["decoder"]["vocab_size"] = 10
    changed = BuildModel.model_validate(options)
    renderer = Renderer.build(changed, root / "phi4")
    with pytest.raises(UserError, match="vocab_size=10 is under the"):
        checkpoint.build(changed, 0, renderer)


def test_a_folder_that_is_not_there(folders, published, tmp_path):
    root, _ = folders
    made = recipe(root, published.decoder, f"model.vision.weights.path={tmp_path / 'no'}")
    with pytest.raises(UserError, match=r"model\.vision\.weights\.path=.* does not exist"):
        run(made, Path(tmp_path / "runs"), Selection(only=("init",)))
