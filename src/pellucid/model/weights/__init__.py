"""Published checkpoints, read as ours and written as theirs.

A plug-in kind: one file per layout, a row in `LAYOUTS` under the `model_type` of its `config.json`.
Nothing is pickled and no remote code runs. What a layout holds and our model never runs (layers
after the features, pooling heads) is left on disk, and goes from there into what is written.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, final

from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import atomic
from pellucid.model.config import PellucidConfig
from pellucid.model.tensors import write_tensors
from pellucid.model.weights import phi4_siglip, qwen2_5_vl
from pellucid.model.weights.base import Layout
from pellucid.model.weights.shards import Shards
from pellucid.prompt.render import Renderer

__all__ = ["LAYOUTS", "REFUSED", "Layout", "Published", "Shards", "read", "write_like"]

REFUSED = (
    KeyError, ValueError, TypeError, AttributeError, ArithmeticError, StrictDataclassError
)  # fmt: skip
"""What configurations raise whose fields are missing, of a wrong type, or out of range."""
LAYOUTS: dict[str, Layout] = {
    phi4_siglip.MODEL_TYPE: phi4_siglip.LAYOUT,
    qwen2_5_vl.MODEL_TYPE: qwen2_5_vl.LAYOUT,
}

LAYERS = 1000
"""More than any published model has; a damaged number would fill the memory."""
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
"""Endings of files of weights; those that are not in use would be stale beside what is written."""


@final
class _Renamed(Mapping[str, Tensor]):
    """The weights that our model has, by our names."""

    def __init__(self, shards: Shards, layout: Layout, config: PellucidConfig) -> None:
        # A tied head comes first, so that the embedding's own name stays.
        names = sorted(shards, key=lambda name: not name.startswith("lm_head"))
        named = ((layout.ours(name, config), name) for name in names)
        self._theirs = {ours: name for ours, name in named if ours is not None}
        self._shards = shards

    def __getitem__(self, name: str) -> Tensor:
        return self._shards[self._theirs[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._theirs)

    def __len__(self) -> int:
        return len(self._theirs)


class Published(NamedTuple):
    """A published checkpoint, its weights still on disk."""

    config: PellucidConfig
    renderer: Renderer
    weights: Mapping[str, Tensor]
    """By our names; read when they are asked for."""


def read(folder: Path, fields: Mapping[str, Any]) -> Published:
    """Open a published checkpoint.

    Args:
        folder: in a published layout.
        fields: of its `config.json`; `model_type` is in `LAYOUTS`.

    Raises:
        UserError: a file is missing or damaged, or says something else than the layout does.
        DiskError: a file cannot be read.
    """
    layout = LAYOUTS[fields["model_type"]]
    if any(depth > LAYERS for depth in _depths(fields)):
        rule, fix = f"has more than {LAYERS} layers", "fetch the folder again"
        raise UserError(Problem("checkpoint", str(folder / "config.json"), rule, fix))
    renderer = layout.renderer(folder, fields)
    try:
        config = layout.config(fields, renderer.image_id)
    except REFUSED as error:
        rule = f"is no configuration of {fields['model_type']}: {type(error).__name__}: {error}"
        fix = "fetch the folder again"
        raise UserError(Problem("checkpoint", str(folder / "config.json"), rule, fix)) from error
    if int(config.vision_config.patch_size) != renderer.patch_px:
        rule = f"cuts patches of {renderer.patch_px} pixels"
        fix = f"config.json gives the tower patches of {config.vision_config.patch_size}"
        raise UserError(Problem("checkpoint", str(folder), rule, fix))
    if renderer.tokenizer.size > config.text_config.vocab_size:
        rule = f"has ids up to {renderer.tokenizer.size - 1}"
        fix = f"config.json gives the embedding {config.text_config.vocab_size} rows"
        raise UserError(Problem("checkpoint", str(folder / "tokenizer.json"), rule, fix))
    config.text_config.eos_token_id = renderer.end_id
    config.text_config.pad_token_id = renderer.pad_id
    return Published(config, renderer, _Renamed(Shards(folder), layout, config))


def _depths(fields: Mapping[str, Any]) -> Iterator[float]:
    """Numbers of layers that a configuration names."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _depths(value)
        elif name in ("num_hidden_layers", "depth") and isinstance(value, int | float):
            yield value


def write_like(
    model: nn.Module,
    config: PellucidConfig,
    renderer: Renderer,
    like: Path,
    layout: Layout,
    to: Path,
) -> None:
    """Write a model's weights as a published folder has them.

    The files beside its weights are copied (no folders, no weights of another format); its weights
    are replaced by the model's, in the dtype that they have there. What the model does not run
    stays what it was.

    Args:
        model: ours, of the same shapes.
        config: its configuration.
        renderer: its conversation format.
        like: the published folder.
        layout: its layout.
        to: a new folder.

    Raises:
        UserError: a weight has another shape there, or is not there.
        DiskError: a file cannot be read or written.
    """
    shards, weights = Shards(like), dict(model.named_parameters())
    named = {name: layout.ours(name, config) for name in shards}
    if lost := sorted(weights.keys() - set(named.values())):
        rule = f"has no place for {', '.join(lost[:3])}"
        raise UserError(Problem("--like", str(like), rule, "give the folder it was trained from"))
    with boundary("writing the checkpoint"):
        to.mkdir(parents=True, exist_ok=True)
        for path in sorted(like.iterdir()):
            if path.is_file() and path not in shards.files and path.suffix not in _WEIGHTS:
                shutil.copyfile(path, to / path.name)
    layout.told(renderer, to)
    for path in shards.files:
        tensors = {name: _theirs(shards[name], weights, named[name]) for name in shards.of(path)}
        with boundary("writing the checkpoint"), atomic(to / path.name) as temporary:
            write_tensors(tensors, temporary)


def _theirs(there: Tensor, weights: Mapping[str, Tensor], name: str | None) -> Tensor:
    """The model's tensor in the dtype of theirs; theirs where the model has none."""
    if name is None:
        return there
    if name not in weights or weights[name].shape != there.shape:
        got = tuple(weights[name].shape) if name in weights else "no such weight"
        rule = f"is {tuple(there.shape)} there and {got} in the model"
        raise UserError(Problem("--like", name, rule, "give the folder it was trained from"))
    found = weights[name].detach().to("cpu", there.dtype)
    if bool(found.isinf().any()):
        rule = f"has a value that is too large for {str(there.dtype).removeprefix('torch.')}"
        raise UserError(Problem("--like", name, rule, "export without --like"))
    return found
