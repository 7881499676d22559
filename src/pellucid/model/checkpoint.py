"""Build, save and load a model: a folder in Hugging Face layout.

Equal weights give equal bytes: no versions, paths or times are written. Weights are safetensors,
fp32 to go on from or half precision to hand on; nothing is ever unpickled. What other layouts say
is in `weights`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers.initialization import no_init_weights

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import atomic, write_text
from pellucid.model import weights
from pellucid.model.config import PellucidConfig, config_for
from pellucid.model.init import init_weights
from pellucid.model.tensors import write_tensors
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.prompt.folder import FILES as RENDERER_FILES
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import BuildModel

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
GENERATION = "generation_config.json"
_HOW_IT_IS_RUN = (
    "_attn_implementation",
    "attn_implementation",
    "dtype",
    "transformers_version",
    "use_cache",
    "_name_or_path",
)


class Loaded(NamedTuple):
    """A checkpoint in memory."""

    model: PellucidForConditionalGeneration
    renderer: Renderer


def build(options: BuildModel, seed: int, renderer: Renderer) -> PellucidForConditionalGeneration:
    """A new model with random weights (see `init`); the same seed gives the same bytes.

    Args:
        options: the recipe's slice.
        seed: the recipe's seed.
        renderer: gives the vocabulary and the ids of the special tokens.
    """
    config = config_for(
        options,
        vocab_size=_rows(options, renderer),
        image_token_id=renderer.image_id,
        pad_token_id=renderer.pad_id,
        eos_token_id=renderer.end_id,
    )
    model = _skeleton(config)
    init_weights(model, seed)
    return model


def _rows(options: BuildModel, renderer: Renderer) -> int:
    """Rows of the embedding."""
    needed, asked = renderer.tokenizer.size, options.decoder.vocab_size
    if asked is not None and asked < needed:
        rule, fix = f"is under the {needed} ids of the tokenizer", "raise it, or leave it out"
        raise UserError(Problem("model.decoder.vocab_size", asked, rule, fix))
    return asked or needed


def save(
    model: PellucidForConditionalGeneration, renderer: Renderer, folder: Path, half: bool = False
) -> None:
    """Write a checkpoint; weights are converted to fp32, or to fp16 when `half`.

    Args:
        model: on any device, in any dtype.
        renderer: the conversation format that the model was trained with.
        folder: made if missing; files in it are replaced, each atomically.
        half: write 16-bit floats: half the bytes, a relative error of up to 2^-11 (below 2^-14,
            where they thin out, an absolute one of up to 2^-25).

    Raises:
        UserError: a weight is too large for half precision.
        DiskError: a file cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    text = model.config.text_config
    generation = {
        "do_sample": False,
        "eos_token_id": text.eos_token_id,
        "pad_token_id": text.pad_token_id,
    }
    with boundary("writing the checkpoint"):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(folder / WEIGHTS) as temporary:
            write_tensors(_weights(model, dtype), temporary)
        _write_json(folder / CONFIG, _config_dict(model.config, dtype))
        _write_json(folder / GENERATION, generation)
        renderer.save(folder)


def skeleton(folder: Path) -> tuple[PellucidForConditionalGeneration, Renderer]:
    """A checkpoint's model on the meta device, without weights, and its conversation format.

    Raises:
        UserError: a file is missing or damaged.
        DiskError: a file cannot be read.
    """
    found = _open(folder, weightless=True)
    with torch.device("meta"):
        return _built(found.config, folder / CONFIG), found.renderer


def skeleton_of(options: BuildModel, renderer: Renderer | None) -> PellucidForConditionalGeneration:
    """A new model on the meta device; without its tokenizer, of the rows that the recipe says."""
    known = {} if renderer is None else {"vocab_size": _rows(options, renderer)}
    ids = {"vocab_size": options.decoder.vocab_size or 0, **known}
    config = config_for(options, image_token_id=0, pad_token_id=0, eos_token_id=0, **ids)
    with torch.device("meta"):
        return _skeleton(config)


def load(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Loaded:
    """Read a checkpoint that `save` wrote, or one in a published layout, ready for inference.

    Args:
        folder: the checkpoint.
        device: where the weights go.
        dtype: what they are converted to, whatever the file holds.

    Raises:
        UserError: a file is missing or damaged, or the weights do not fit the configuration.
        DiskError: a file cannot be read.
    """
    found = _open(folder)
    model = _built(found.config, folder / CONFIG)
    _fill(model, found.weights, folder / WEIGHTS)
    model.config.dtype = dtype  # the file's was that of the weights on disk
    return Loaded(_placed(model, device, dtype), found.renderer)


def save_like(loaded: Loaded, like: Path, folder: Path) -> None:
    """Write a checkpoint as a published folder has it (see `weights.write_like`).

    Args:
        loaded: what is written; only its weights are, the rest is the published folder's.
        like: a folder in a published layout, of a model of the same shapes.
        folder: made if missing.

    Raises:
        UserError: the folder is in no published layout, or its model has other shapes.
        DiskError: a file cannot be read or written.
    """
    fields = _read_fields(like)
    kind = fields.get("model_type")
    if not isinstance(kind, str) or kind not in weights.LAYOUTS:
        rule = "is in no published layout that Pellucid writes"
        fix = f"give a folder of model_type {' or '.join(weights.LAYOUTS)}"
        raise UserError(Problem("--like", str(like), rule, fix))
    there, own = weights.read(like, fields), loaded.model.config
    told = {
        "conversation format": (there.renderer.text_hash, loaded.renderer.text_hash),
        "image rule": (_rule(there.renderer), _rule(loaded.renderer)),
        "vision tower": (_sizes(there.config.vision_config), _sizes(own.vision_config)),
        "decoder": (_sizes(there.config.text_config), _sizes(own.text_config)),
        "projector": (there.config.projector, own.projector),
        "attention over images": (there.config.image_attention, own.image_attention),
    }
    if (lead := loaded.renderer.format.lead) != there.renderer.format.lead:
        rule = f"does not open answers with {lead!r}, as model.lead says of what is written"
        raise UserError(Problem("--like", str(like), rule, "export without --like"))
    other = [name for name, (one, two) in told.items() if one != two]
    if other:
        rule = f"has another {' and another '.join(other)} than what is written"
        raise UserError(Problem("--like", str(like), rule, "give the folder it was trained from"))
    layout = weights.LAYOUTS[kind]
    weights.write_like(loaded.model, own, loaded.renderer, like, layout, folder)


def _rule(renderer: Renderer) -> dict[str, Any]:
    """What is done with images, but for how large they may be."""
    told = {**renderer.images.model_dump(), "patch_px": renderer.patch_px}
    return {name: value for name, value in told.items() if not name.startswith(("min_", "max_"))}


def _sizes(config: Any) -> dict[str, Any]:
    """What decides what a part of a model computes."""
    told: dict[str, Any] = config.to_dict()
    return {name: value for name, value in told.items() if name not in _HOW_IT_IS_RUN}


def _open(folder: Path, weightless: bool = False) -> weights.Published:
    """Configuration, format and weights of a folder in our layout or a published one."""
    fields = _read_fields(folder)
    kind = fields.get("model_type")
    if isinstance(kind, str) and kind in weights.LAYOUTS:
        return weights.read(folder, fields)
    _check_complete(folder)
    config = _config(fields, folder / CONFIG)
    held = {} if weightless else _read_weights(folder / WEIGHTS)
    return weights.Published(config, Renderer.load(folder), held)


def _check_complete(folder: Path) -> None:
    missing = [name for name in (CONFIG, WEIGHTS, *RENDERER_FILES) if not (folder / name).exists()]
    if missing:
        rule = f"is not a whole checkpoint: it lacks {', '.join(missing)}"
        raise UserError(
            Problem("checkpoint", str(folder), rule, "choose a folder that Pellucid saved")
        )


def _skeleton(config: PellucidConfig) -> PellucidForConditionalGeneration:
    """A model whose weights are still to be written; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]), no_init_weights():
        model = PellucidForConditionalGeneration(config)
    model.tie_weights()
    model.generation_config.do_sample = False
    model.generation_config.eos_token_id = config.text_config.eos_token_id
    model.generation_config.pad_token_id = config.text_config.pad_token_id
    model.eval()
    return model


def _built(config: PellucidConfig, path: Path) -> PellucidForConditionalGeneration:
    """A model of sizes that come from outside: what cannot be built is the file's fault."""
    try:
        return _skeleton(config)
    except (AssertionError, ArithmeticError, RuntimeError, *weights.REFUSED) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _placed(
    model: PellucidForConditionalGeneration, device: torch.device | str, dtype: torch.dtype
) -> PellucidForConditionalGeneration:
    """Weights in a dtype; buffers stay fp32: rounded rotary frequencies lose far positions."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    model.to(device=device)
    model.eval()
    return model


def _weights(model: PellucidForConditionalGeneration, dtype: torch.dtype) -> dict[str, Tensor]:
    """Every parameter once, by its first name: a tied head is left out."""
    stored = dict[str, Tensor]()
    for name, parameter in model.named_parameters():
        stored[name] = parameter.detach().to("cpu", dtype).contiguous()
        if dtype == torch.float16 and bool(stored[name].isinf().any()):
            rule = "has a weight that is too large for half precision"
            raise UserError(Problem("weights", name, rule, "save them in full precision"))
    return stored


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _config_dict(config: PellucidConfig, dtype: torch.dtype) -> dict[str, Any]:
    """What `config.json` holds; `dtype` is that of the weights beside it."""
    fields = config.to_diff_dict()
    if config.feature_scales == 1:  # as in files from before there were several
        del fields["feature_scales"], fields["merged_scale"]
    if config.image_attention == "causal":
        del fields["image_attention"]
    fields["architectures"] = [PellucidForConditionalGeneration.__name__]
    fields["dtype"] = _name(dtype)
    return dict(_without_versions(fields))


def _without_versions(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what depends on the installation or on how the model is run, not on what it is."""
    return {
        key: _without_versions(value) if isinstance(value, dict) else value
        for key, value in fields.items()
        if key not in ("transformers_version", "_name_or_path")
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _read_fields(folder: Path) -> dict[str, Any]:
    """What `config.json` says; nothing where there is none."""
    path = folder / CONFIG
    with boundary("reading the checkpoint"):
        source = path.read_bytes() if path.exists() else b"{}"
    try:
        fields = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(fields, dict):
        raise _damaged(path, "it holds no fields")
    return fields


def _config(fields: dict[str, Any], path: Path) -> PellucidConfig:
    if fields.get("model_type") != PellucidConfig.model_type:
        raise _damaged(path, f"model_type is {fields.get('model_type')!r}")
    try:
        config: PellucidConfig = PellucidConfig.from_dict(fields)
    except weights.REFUSED as error:
        raise _damaged(path, str(error)) from error
    return config


def _read_weights(path: Path) -> dict[str, Tensor]:
    with boundary("reading the checkpoint"):
        try:
            return dict(load_file(path))
        except SafetensorError as error:
            raise _damaged(path, str(error)) from error


def _fill(model: PellucidForConditionalGeneration, held: Mapping[str, Tensor], path: Path) -> None:
    """Copy weights into a model; every name and shape must be there, and nothing else."""
    wanted = dict(model.named_parameters())
    missing = sorted(wanted.keys() - held.keys())
    unknown = sorted(held.keys() - wanted.keys())
    if missing or unknown:
        raise _damaged(path, f"missing {missing[:3]}, unknown {unknown[:3]}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            tensor = held[name]
            if parameter.shape != tensor.shape:
                got, want = tuple(tensor.shape), tuple(parameter.shape)
                raise _damaged(path, f"{name} is {got}, config.json asks for {want}")
            parameter.copy_(tensor)


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        Problem(
            str(path),
            path.name,
            f"is no checkpoint file that can be read: {reason}",
            "make or fetch it anew",
        )
    )
