"""Phi-4-reasoning-vision as it is published: `model_type` "phi4-siglip".

Facts are from github.com/microsoft/Phi-4-reasoning-vision-15B (2026-03-04, MIT). Its `config.json`
is a Phi-3's with a `vision_config` and two patch budgets; the decoder's weights are named as
Phi-3's, the tower's as a SigLIP2 model's within a tower within the decoder. The system text is that
of the folder's own chat template; the format is `PHI4`.

Leaves out on purpose: its S2 and plain SigLIP variants (`use_s2`, towers of one resolution), and
`tokenizer_model_max_length`, by which the published code cuts sequences after images were put in.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Phi3Config, Siglip2VisionConfig

from pellucid.base.errors import boundary
from pellucid.model.config import PellucidConfig
from pellucid.model.weights.base import Layout
from pellucid.prompt.folder import TEMPLATE, TOKENIZER, TOKENIZER_CONFIG
from pellucid.prompt.format import PHI4
from pellucid.prompt.render import Renderer
from pellucid.prompt.tokenizer import Tokenizer
from pellucid.recipe.model import DynamicImages

MODEL_TYPE = "phi4-siglip"
FEATURE_LAYER = -2
"""Which hidden state of the tower is projected; the published class has it as a constant."""
PATCH_PX = 16
"""Where `vision_config` does not say."""

_OWN = {
    "architectures", "auto_map", "dtype", "model_type", "transformers_version", "vision_config",
    "freeze_mm_mlp_adapter", "tune_mm_mlp_adapter", "unfreeze_vision_tower", "use_mm_proj",
    "use_s2", "image_aspect_ratio", "max_num_patches", "min_num_patches", "mm_hidden_size",
    "mm_projector_lr", "mm_projector_type", "mm_vision_tower", "tokenizer_model_max_length",
    "tokenizer_padding_side",
}  # fmt: skip
"""Fields that are not the decoder's."""
_TOWER = "model.vision_tower.vision_tower."
_PROJECTOR = "model.mm_projector."
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.")
_SYSTEM = re.compile(r"<\|im_start\|>system<\|im_sep\|>(.*?)<\|im_end\|>", re.DOTALL)


def config(fields: Mapping[str, Any], image_token_id: int) -> PellucidConfig:
    """Our configuration of a published one.

    Raises:
        KeyError: it has no `vision_config`.
        ValueError: it is of a variant that is not read.
    """
    if fields.get("use_s2"):
        raise ValueError("use_s2 is set, and towers with S2 are not read")
    vision = {"patch_size": PATCH_PX, **fields["vision_config"], "vision_use_head": False}
    if vision.get("model_type", "siglip2_vision_model") != "siglip2_vision_model":
        raise ValueError(f"its tower is a {vision['model_type']}, not a siglip2_vision_model")
    text = {name: value for name, value in fields.items() if name not in _OWN}
    theta = float(text.pop("rope_theta", 10_000.0))
    if text.pop("rope_scaling", None):
        raise ValueError("rope_scaling is set, and scaled positions are not read")
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": theta}
    if (share := text.pop("partial_rotary_factor", 1.0)) != 1.0:
        text["rope_parameters"]["partial_rotary_factor"] = share
    return PellucidConfig(
        vision_config=Siglip2VisionConfig(**vision),
        text_config=Phi3Config(**text),
        image_token_id=image_token_id,
        feature_layer=FEATURE_LAYER,
        projector=fields.get("mm_projector_type", "mlp2x_gelu"),
    )


def ours(name: str, config: PellucidConfig) -> str | None:
    """Our name of a published weight; None for what lies behind the features that are used.

    >>> ours("model.mm_projector.2.bias", None), ours("model.layers.0.mlp.down_proj.weight", None)
    ('projector.2.bias', 'decoder.model.layers.0.mlp.down_proj.weight')
    """
    if name.startswith(_PROJECTOR):
        return f"projector.{name.removeprefix(_PROJECTOR)}"
    if not name.startswith(_TOWER):
        return f"decoder.{name}"
    inner = name.removeprefix(_TOWER).removeprefix("vision_model.")
    if inner.startswith(("post_layernorm.", "head.")):
        return None
    layer = _LAYER.match(inner)
    run = int(config.vision_config.num_hidden_layers) + 1 + config.feature_layer
    if layer and int(layer[1]) >= run:
        return None
    return f"vision.{inner}"


def renderer(folder: Path, fields: Mapping[str, Any]) -> Renderer:
    """The conversation format of a published folder.

    Raises:
        DiskError: its tokenizer cannot be read.
        UserError: its tokenizer is no BPE over bytes, or lacks a control string.
    """
    budgets = {
        "min_patches": int(fields.get("min_num_patches", 256)),
        "max_patches": int(fields.get("max_num_patches", 3600)),
    }
    patch_px = int(fields["vision_config"].get("patch_size", PATCH_PX))
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    return Renderer(tokenizer, PHI4, DynamicImages(**budgets), patch_px, _system(folder))


def _system(folder: Path) -> str:
    """The system text that stands in the folder's chat template; empty where none does."""
    template = ""
    with boundary("reading the chat template"):
        if (folder / TEMPLATE).exists():
            template = (folder / TEMPLATE).read_text("utf-8")
        elif (folder / TOKENIZER_CONFIG).exists():
            held = json.loads((folder / TOKENIZER_CONFIG).read_text("utf-8"))
            template = held.get("chat_template") or ""
    found = _SYSTEM.match(template)
    return found[1] if found and "{{" not in found[1] else ""


LAYOUT = Layout(config, ours, renderer)
