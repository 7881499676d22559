"""Half precision on disk: how far off, what it says of itself, and fp32 once it is loaded."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

import pellucid.hf
from pellucid.base.errors import UserError
from pellucid.base.hashing import hash_file
from pellucid.model import checkpoint

assert pellucid.hf


@pytest.fixture
def folder(tmp_path, model, renderer):
    checkpoint.save(model, renderer, tmp_path / "half", half=True)
    return tmp_path / "half"


def test_the_file_holds_half_floats_and_the_config_says_so(folder):
    stored = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"


def test_loading_gives_fp32_within_half_a_unit_in_the_last_place(folder, model):
    """11 bits of significand: 2^-11 relative; below 2^-14 the steps stay 2^-24, so 2^-25."""
    loaded = checkpoint.load(folder).model
    changed = 0
    for (name, one), two in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        assert two[0] == name and two[1].dtype == torch.float32
        error = (one - two[1]).abs()
        assert bool((error <= torch.clamp(one.abs() * 2**-11, min=2**-25)).all()), name
        changed += int((error > 0).sum())
    assert changed > 1000
    assert loaded.dtype == loaded.config.dtype == torch.float32


def test_a_second_rounding_changes_nothing(folder, tmp_path):
    loaded = checkpoint.load(folder)
    checkpoint.save(loaded.model, loaded.renderer, tmp_path / "again", half=True)
    for path in folder.iterdir():
        assert hash_file(path) == hash_file(tmp_path / "again" / path.name), path.name


def test_saved_in_full_again_it_says_float32_and_nothing_else_differs(
    folder, tmp_path, model, renderer
):
    checkpoint.save(model, renderer, tmp_path / "full")
    loaded = checkpoint.load(folder)
    checkpoint.save(loaded.model, loaded.renderer, tmp_path / "again")
    for path in (tmp_path / "full").iterdir():
        if path.name != "model.safetensors":
            assert hash_file(path) == hash_file(tmp_path / "again" / path.name), path.name


def test_transformers_reads_the_same_weights(folder):
    ours = checkpoint.load(folder).model
    for dtype in ("auto", torch.float32):
        theirs = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype)
        assert theirs.dtype == (torch.float16 if dtype == "auto" else torch.float32)
        for (name, one), two in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert torch.equal(one, two.float()), name


def test_a_weight_that_half_precision_cannot_hold_is_told(tmp_path, model, renderer):
    with torch.no_grad():
        next(model.projector.parameters()).view(-1)[0] = 1e5
    with pytest.raises(UserError, match="weights='projector.*too large for half precision"):
        checkpoint.save(model, renderer, tmp_path, half=True)
