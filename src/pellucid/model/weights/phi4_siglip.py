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

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import write_json
from pellucid.model.config import PellucidConfig
from pellucid.model.weights.base import Layout
from pellucid.prompt.folder import IMAGE_PROCESSOR, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG
from pellucid.prompt.format import PHI4
from pellucid.prompt.render import Renderer
from pellucid.prompt.strips import unstripped
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
_REFUSED = (
    "use_s2", "rope_scaling", "rope_parameters", "sliding_window", "quantization_config",
    "attention_dropout", "embd_pdrop", "resid_pdrop",
)  # fmt: skip
"""Fields that the published configuration has unset, and that would make another model."""
_PIXELS = {
    "do_convert_rgb": True, "do_resize": True, "do_rescale": True, "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 1 / 255,
    "resample": 2,
}  # fmt: skip
"""What the published `preprocessor_config.json` says of pixels; anything else is refused."""
_BUDGET = {"min_num_patches": 256, "max_num_patches": 3600}
"""Where neither file says."""
_TOWER_SIZES = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers")
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
    for name in _REFUSED:
        if fields.get(name):
            raise ValueError(f"{name} is set, which is not read")
    vision = {"patch_size": PATCH_PX, **fields["vision_config"], "vision_use_head": False}
    if lacking := [name for name in _TOWER_SIZES if name not in vision]:
        raise ValueError(f"vision_config lacks {', '.join(lacking)}")
    if fields.get("min_num_patches", 256) > fields.get("max_num_patches", 3600):
        raise ValueError("min_num_patches exceeds max_num_patches")
    if vision.get("model_type", "siglip2_vision_model") != "siglip2_vision_model":
        raise ValueError(f"its tower is a {vision['model_type']}, not a siglip2_vision_model")
    text = {name: value for name, value in fields.items() if name not in _OWN}
    theta = float(text.pop("rope_theta", 10_000.0))
    text.pop("rope_scaling", None)
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

    >>> config = PellucidConfig()
    >>> ours("model.mm_projector.2.bias", config), ours("model.norm.weight", config)
    ('projector.2.bias', 'decoder.model.norm.weight')
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
    vision, held = fields.get("vision_config"), {**_BUDGET, **_pixels(folder)}
    numbers = {
        **{name: fields.get(name, held[name]) for name in _BUDGET},
        "vision_config.patch_size": (vision or {}).get("patch_size", PATCH_PX)
        if isinstance(vision, dict)
        else None,
    }
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            rule, fix = "is no whole number above 0", "fetch the folder again"
            raise UserError(Problem(f"config.json: {name}", value, rule, fix))
    least, most, patch_px = numbers.values()
    tokenizer, strips = unstripped(Tokenizer.load(folder / TOKENIZER))
    images = DynamicImages(min_patches=least, max_patches=most)
    system = strips.within(_system(folder))
    return Renderer(tokenizer, strips.format(PHI4), images, patch_px, system)


def _pixels(folder: Path) -> dict[str, Any]:
    """The fields of the folder's `preprocessor_config.json`; none where there is no file.

    Raises:
        UserError: it is no such file, or says another rule than the one that is run.
    """
    path = folder / IMAGE_PROCESSOR
    if not path.exists():
        return {}
    with boundary("reading the image rule"):
        source = path.read_bytes()
    try:
        fields = json.loads(source)
        other = {name: fields[name] for name in _PIXELS.keys() & fields.keys()}
    except (ValueError, RecursionError, TypeError, AttributeError) as error:
        rule = f"is no configuration of an image processor: {type(error).__name__}"
        raise UserError(Problem(str(path), path.name, rule, "fetch the folder again")) from error
    for name in sorted(other):
        if other[name] != _PIXELS[name]:
            rule, fix = f"is another image rule: {_PIXELS[name]} is run", "fetch the folder again"
            raise UserError(Problem(f"{path.name}: {name}", other[name], rule, fix))
    return dict(fields)


def _system(folder: Path) -> str:
    """The system text that opens the folder's chat template.

    Raises:
        UserError: the template opens with another system turn than a plain text.
    """
    at, template = folder / TEMPLATE, ""
    with boundary("reading the chat template"):
        if at.exists():
            template = at.read_text("utf-8", "replace")
        elif (folder / TOKENIZER_CONFIG).exists():
            at = folder / TOKENIZER_CONFIG
            held = at.read_bytes()
    if at.name == TOKENIZER_CONFIG and at.exists():
        try:
            template = json.loads(held).get("chat_template") or ""
        except (ValueError, AttributeError) as error:
            rule = f"is no configuration of a tokenizer: {error}"
            raise UserError(Problem(str(at), at.name, rule, "fetch the folder again")) from error
    found = _SYSTEM.match(template)
    plain = found is not None and not re.search(r"{{|{%|{#", found[1])
    if "<|im_start|>system" in template and not plain:
        rule = "does not open with a plain system text, as the published one does"
        raise UserError(Problem(str(at), at.name, rule, "fetch the folder again"))
    return found[1] if found and plain else ""


def told(renderer: Renderer, folder: Path) -> None:
    """Write the budget of images where it is another than the published one."""
    images = renderer.images
    assert isinstance(images, DynamicImages), f"{images.kind} in a folder of {MODEL_TYPE}"
    budget = {"min_num_patches": images.min_patches, "max_num_patches": images.max_patches}
    with boundary("writing the checkpoint"):
        for name in ("config.json", IMAGE_PROCESSOR):
            if not (path := folder / name).exists():
                continue
            fields = json.loads(path.read_bytes())
            if {name: fields.get(name, value) for name, value in budget.items()} != budget:
                write_json(path, {**fields, **budget})


LAYOUT = Layout(config, ours, renderer, told)
