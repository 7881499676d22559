"""Phi-4-reasoning-vision as it is published, through transformers' Auto classes.

    import pellucid.hf
    model = AutoModelForImageTextToText.from_pretrained("microsoft/Phi-4-reasoning-vision-15B")
    processor = AutoProcessor.from_pretrained("microsoft/Phi-4-reasoning-vision-15B")

The folder is read by `weights`, as everywhere else; none of its code is run. What comes out is our
model and our processor: `save_pretrained` writes our layout, `pellucid export --like` theirs.
Leaves out on purpose: spreading a model over devices (`device_map` names one).
"""

import json
import tempfile
from pathlib import Path
from typing import Any, no_type_check

import torch
from huggingface_hub import snapshot_download

from pellucid.model import checkpoint, weights
from pellucid.model.config import PellucidConfig
from pellucid.model.hf_processor import PellucidProcessor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.model.weights import phi4_siglip

_FILES = ("*.json", "*.safetensors", "*.jinja")
"""What a model is read from."""
_HUB = ("revision", "cache_dir", "token", "local_files_only", "force_download")
_IGNORED = ("config", "trust_remote_code", "name_or_path", "adapter_kwargs", "low_cpu_mem_usage")
"""What transformers hands on, and what does not matter here."""
_INDEX = -200
"""Stands for the placeholder's id until the tokenizer is read, as in the published code."""


class Phi4SiglipConfig(PellucidConfig):
    """Our configuration of a published `config.json`."""

    model_type = phi4_siglip.MODEL_TYPE

    @classmethod
    @no_type_check
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read published fields; those of our own are taken as they are."""
        unused = kwargs.pop("return_unused_kwargs", False)
        if "text_config" in config_dict:
            made = super().from_dict(config_dict)
        else:
            ours = phi4_siglip.config(config_dict, _INDEX)
            made = cls(
                vision_config=ours.vision_config,
                text_config=ours.text_config,
                image_token_id=ours.image_token_id,
                feature_layer=ours.feature_layer,
                projector=ours.projector,
            )
        return (made, kwargs) if unused else made


class Phi4SiglipForConditionalGeneration(PellucidForConditionalGeneration):
    """How a published folder becomes a `PellucidForConditionalGeneration`."""

    config_class = Phi4SiglipConfig

    @classmethod
    @no_type_check
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, *_: Any, **kwargs: Any
    ) -> PellucidForConditionalGeneration:
        """Read a published folder, or fetch it.

        Args:
            pretrained_model_name_or_path: a folder, or `owner/name` on the hub.
            kwargs: `dtype` (the published one by default), `device_map` (one device),
                `attn_implementation` (ours by default), and what says where on the hub.

        Raises:
            UserError: a file is missing or damaged.
            TypeError: an argument is not known.
        """
        folder = _folder(pretrained_model_name_or_path, kwargs)
        dtype, device = kwargs.pop("dtype", "auto"), kwargs.pop("device_map", None) or "cpu"
        attention = kwargs.pop("attn_implementation", None)
        if unknown := sorted(kwargs.keys() - set(_IGNORED)):
            raise TypeError(f"{cls.__name__}.from_pretrained knows no {', '.join(unknown)}")
        if isinstance(device, dict):
            device = device.get("", "cpu")
        model = checkpoint.load(folder, device, _dtype(dtype, folder)).model
        if attention is not None:
            model.set_attn_implementation(attention)
        return model


class Phi4SiglipProcessor(PellucidProcessor):
    """How a published folder becomes a `PellucidProcessor`."""

    @classmethod
    @no_type_check
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, **kwargs: Any
    ) -> PellucidProcessor:
        """Read the tokenizer, the template's system text and the image rule of a folder."""
        folder = _folder(pretrained_model_name_or_path, kwargs)
        fields = json.loads((folder / checkpoint.CONFIG).read_bytes())
        with tempfile.TemporaryDirectory() as name:
            weights.read(folder, fields).renderer.save(Path(name))
            return PellucidProcessor.from_pretrained(name)


def _folder(given: str | Path, kwargs: dict[str, Any]) -> Path:
    """Where the files are; `kwargs` loses what says so."""
    where = {name: kwargs.pop(name) for name in _HUB if name in kwargs}
    if Path(given).is_dir():
        return Path(given)
    return Path(snapshot_download(str(given), allow_patterns=list(_FILES), **where))


def _dtype(asked: Any, folder: Path) -> torch.dtype:
    """The dtype that is meant; "auto" is that of `config.json`."""
    if asked in (None, "auto"):
        fields = json.loads((folder / checkpoint.CONFIG).read_bytes())
        asked = fields.get("dtype") or fields.get("torch_dtype") or "float32"
    return asked if isinstance(asked, torch.dtype) else getattr(torch, str(asked))
