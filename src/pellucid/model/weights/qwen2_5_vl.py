"""Qwen2.5-VL as it is published: `model_type` "qwen2_5_vl".

Facts are from transformers 5.23 (`models/qwen2_5_vl`, Apache-2.0), whose own classes read the
configuration. The merger becomes the projector, so that it is frozen and trained by that name.

The family has no mode tokens. `<think>`, `</think>` and `<nothink>` take the ids that its embedding
has and its tokenizer does not; what stood in those rows stays until they are trained.

Leaves out on purpose: video, sliding windows in the decoder, and tools in the chat template.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from pydantic import ValidationError
from transformers import Qwen2_5_VLConfig
from transformers.utils.chat_template_utils import render_jinja_template

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import write_bytes, write_json, write_text
from pellucid.model.config import PellucidConfig
from pellucid.model.weights.base import Layout
from pellucid.prompt.folder import IMAGE_PROCESSOR, PROCESSOR, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG
from pellucid.prompt.format import QWEN
from pellucid.prompt.render import Renderer
from pellucid.prompt.template import chat_template
from pellucid.prompt.tokenizer import Tokenizer
from pellucid.recipe.model import ImageOptions, Qwen2VlImages

MODEL_TYPE = "qwen2_5_vl"
OLD_TEMPLATE = "chat_template.json"
"""Where folders of before 2026 hold the template."""
_CRASHES = (
    TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError, MemoryError
)  # fmt: skip
"""What a hostile template can raise."""
MODES = (QWEN.think, QWEN.think_close, QWEN.nothink)

_PARTS = (
    (re.compile(r"^(model\.)?visual\.merger\."), "projector."),
    (re.compile(r"^(model\.)?visual\."), "vision."),
    (re.compile(r"^model\.language_model\."), "decoder.model."),
    (re.compile(r"^"), "decoder."),
)
"""Beginnings of names, as the hub has them and as transformers 5 writes them -> ours."""
_USUAL = {
    "do_resize": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True,
    "rescale_factor": 1 / 255, "resample": 3, "temporal_patch_size": 2,
}  # fmt: skip
"""What the image rule does besides; a folder that says otherwise is not read."""
_PICTURED = [{"type": "image"}, {"type": "text", "text": "Why?"}]
_ASKED: tuple[list[dict[str, Any]], ...] = (
    [{"role": "user", "content": _PICTURED}],
    [{"role": "user", "content": "Why? Just so."}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": _PICTURED}],
)
"""Questions that a folder's template and ours must write alike."""
_SHOWN = 300
"""Most characters of a template's text in a message."""


def config(fields: Mapping[str, Any], image_token_id: int) -> PellucidConfig:
    """Our configuration of a published one.

    Raises:
        ValueError: it is of a variant that is not read.
    """
    if fields.get("quantization_config"):
        raise ValueError("quantization_config is set, which is not read")
    read: Any = Qwen2_5_VLConfig.from_dict(dict(fields))
    vision, text = read.vision_config, read.text_config
    turned = text.rope_parameters
    head = text.hidden_size // text.num_attention_heads
    told = {
        "rope_type": (turned["rope_type"], "default"),
        "vision_config.out_hidden_size": (vision.out_hidden_size, text.hidden_size),
        "rope_theta": (fields.get("rope_theta", turned["rope_theta"]), turned["rope_theta"]),
        "twice the sum of mrope_section": (2 * sum(turned.get("mrope_section", ())), head),
        "the smallest of mrope_section": (min(turned.get("mrope_section", (0,))) >= 0, True),
        "hidden_size over heads": (head * text.num_attention_heads, text.hidden_size),
        "vision_config.hidden_size over heads": (vision.hidden_size % (4 * vision.num_heads), 0),
        "vision_config.window_size in squares": (
            max(vision.window_size, 1) % (vision.spatial_merge_size * vision.patch_size),
            0,
        ),
        "vision_config.temporal_patch_size": (vision.temporal_patch_size, 2),
        "use_sliding_window": (text.use_sliding_window, False),
        "attention_dropout": (text.attention_dropout, 0.0),
        "vision_config.spatial_merge_size": (vision.spatial_merge_size, 2),
        "vision_config.in_channels": (vision.in_channels, 3),
        "image_token_id": (read.image_token_id, image_token_id),
    }
    for name, (found, wanted) in told.items():
        if found != wanted:
            raise ValueError(f"{name} is {found!r}, not {wanted!r}")
    text.tie_word_embeddings = bool(read.tie_word_embeddings)
    return PellucidConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=image_token_id,
        feature_layer=-1,
        projector="patch_merger",
    )


def ours(name: str, config: PellucidConfig) -> str | None:
    """Our name of a published weight; a tied head that is stored all the same is the embedding.

    >>> config = PellucidConfig()
    >>> ours("visual.merger.mlp.0.bias", config), ours("model.layers.0.mlp.up_proj.weight", config)
    ('projector.mlp.0.bias', 'decoder.model.layers.0.mlp.up_proj.weight')
    """
    if name == "lm_head.weight" and config.text_config.tie_word_embeddings:
        name = "model.embed_tokens.weight"
    pattern, part = next((one, part) for one, part in _PARTS if one.match(name))
    return pattern.sub(part, name, count=1)


def renderer(folder: Path, fields: Mapping[str, Any]) -> Renderer:
    """The conversation format of a published folder, with our mode tokens.

    Raises:
        DiskError: a file cannot be read.
        UserError: a file is damaged, or its template writes conversations in another way.
    """
    tokenizer = Tokenizer.load(folder / TOKENIZER).with_controls(MODES)
    images, patch_px = _images(folder)
    at, template = _template(folder)
    opens = f"{QWEN.turn_start}system{QWEN.separator}"
    first = _rendered(at, template, _ASKED[0])
    system = first.removeprefix(opens).partition(QWEN.turn_end)[0] if opens in first else ""
    ours = chat_template(QWEN, tokenizer.controls, system, keep_thinking=False)
    for asked in _ASKED:
        shown, wanted = _rendered(at, template, asked), _rendered(at, ours, asked)
        if shown != wanted:
            rule = f"writes {shown[:_SHOWN]!r} where Pellucid writes {wanted[:_SHOWN]!r}"
            fix = "fetch the folder again; other templates of this family are not read"
            raise UserError(Problem(str(at), at.name, rule, fix))
    return Renderer(tokenizer, QWEN, images, patch_px, system)


def told(renderer: Renderer, folder: Path) -> None:
    """Write what is not as it was published: mode tokens and the template that writes them."""
    format, controls = renderer.format, renderer.tokenizer.controls
    with boundary("writing the conversation format"):
        write_bytes(folder / TOKENIZER, renderer.tokenizer.source)
        template = chat_template(format, controls, renderer.system, renderer.keep_thinking)
        write_text(folder / TEMPLATE, template)
        (folder / OLD_TEMPLATE).unlink(missing_ok=True)
    fields = _fields(folder / TOKENIZER_CONFIG)
    fields.pop("chat_template", None)
    if isinstance(fields.get("added_tokens_decoder"), dict):  # transformers believes it alone
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for control, id_ in zip(MODES, renderer.mode_ids, strict=True):
            token = {"content": control, **plain, "special": True}
            fields["added_tokens_decoder"].setdefault(str(id_), token)
    if fields != _fields(folder / TOKENIZER_CONFIG):
        _write(folder / TOKENIZER_CONFIG, fields)
    if _images(folder)[0] != renderer.images:
        _write_budget(folder, renderer.images)


def _write_budget(folder: Path, images: ImageOptions) -> None:
    """Put another budget of images where the folder has one."""
    assert isinstance(images, Qwen2VlImages), f"{images.kind} in a folder of {MODEL_TYPE}"
    for name in (PROCESSOR, IMAGE_PROCESSOR):
        fields = _fields(folder / name)
        part = fields.get("image_processor") if name == PROCESSOR else fields
        if part:
            part["size"] = {"shortest_edge": images.min_pixels, "longest_edge": images.max_pixels}
            part |= {"min_pixels": images.min_pixels, "max_pixels": images.max_pixels}
            _write(folder / name, fields)


def _write(path: Path, fields: Mapping[str, Any]) -> None:
    with boundary("writing the conversation format"):
        write_json(path, fields)


def _images(folder: Path) -> tuple[Qwen2VlImages, int]:
    """Image rule and patch side, where this transformers or an older one wrote them."""
    held = _fields(folder / PROCESSOR).get("image_processor")  # which transformers 5 believes
    at = folder / (PROCESSOR if isinstance(held, dict) else IMAGE_PROCESSOR)
    fields = held if isinstance(held, dict) else _fields(folder / IMAGE_PROCESSOR)
    size = fields.get("size") or {}
    patch_px = fields.get("patch_size", 14)
    try:
        images = Qwen2VlImages(
            merge=fields["merge_size"],
            min_pixels=fields.get("min_pixels") or size["shortest_edge"],
            max_pixels=fields.get("max_pixels") or size["longest_edge"],
            mean=tuple(fields["image_mean"]),
            std=tuple(fields["image_std"]),
        )
        if images.merge != 2 or not isinstance(patch_px, int) or patch_px < 2:
            raise ValueError(f"squares of {images.merge} x {images.merge} patches of {patch_px!r}")
        for name, usual in _USUAL.items():
            if fields.get(name, usual) != usual:
                raise ValueError(f"{name} is {fields[name]!r}, not {usual!r}")
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        said = " ".join(str(error).split())[:_SHOWN]
        rule = f"says no image rule of this family: {type(error).__name__}: {said}"
        raise UserError(Problem(str(at), at.name, rule, "fetch the folder again")) from error
    return images, patch_px


def _template(folder: Path) -> tuple[Path, str]:
    """The folder's chat template and the file that it is in."""
    path = folder / TEMPLATE
    if path.is_file():
        with boundary("reading the chat template"):
            return path, path.read_text("utf-8", "replace")
    for path in (folder / OLD_TEMPLATE, folder / TOKENIZER_CONFIG):
        found = _fields(path).get("chat_template")
        if isinstance(found, str):
            return path, found
    rule = f"has none of {TEMPLATE}, {OLD_TEMPLATE} and a template in {TOKENIZER_CONFIG}"
    raise UserError(Problem("checkpoint", str(folder), rule, "fetch the folder again"))


def _rendered(at: Path, template: str, asked: list[dict[str, Any]]) -> str:
    """What a template makes of a question; it runs in a sandbox."""
    try:
        texts, _ = render_jinja_template(
            conversations=[asked], chat_template=template, add_generation_prompt=True
        )
    except (TemplateError, *_CRASHES) as error:
        rule = f"is no chat template: {type(error).__name__}: {error}"
        raise UserError(Problem(str(at), at.name, rule, "fetch the folder again")) from error
    return str(texts[0])


def _fields(path: Path) -> dict[str, Any]:
    """The fields of a JSON file; none where there is no file."""
    if not path.is_file():
        return {}
    with boundary("reading the conversation format"):
        source = path.read_bytes()
    try:
        fields = json.loads(source)
    except (ValueError, RecursionError) as error:
        rule = f"is not JSON: {error}"
        raise UserError(Problem(str(path), path.name, rule, "fetch the folder again")) from error
    return fields if isinstance(fields, dict) else {}


LAYOUT = Layout(config, ours, renderer, told)
