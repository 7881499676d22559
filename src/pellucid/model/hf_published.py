"""Phi-4-reasoning-vision as it is published, through transformers' Auto classes.

    import pellucid.hf
    model = AutoModelForImageTextToText.from_pretrained("microsoft/Phi-4-reasoning-vision-15B")
    processor = AutoProcessor.from_pretrained("microsoft/Phi-4-reasoning-vision-15B")

The folder is read by `weights`, as everywhere else; none of its code is run. What comes out is our
model and our processor. Leaves out on purpose: spreading a model over devices (`device_map` names
one), and writing the folder back (`pellucid export --like`).
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

_WEIGHTS = ("*.safetensors",)
_REST = ("*.json", "*.jinja")
"""What a processor is read from."""
_HUB = ("revision", "cache_dir", "token", "local_files_only", "force_download")
_IGNORED = (
    "config", "trust_remote_code", "name_or_path", "adapter_kwargs", "low_cpu_mem_usage",
    "use_safetensors", "_from_auto",
)  # fmt: skip
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
        where = {name: kwargs.pop(name) for name in _HUB if name in kwargs}
        device = _device(kwargs.pop("device_map", None))
        dtype = kwargs.pop("torch_dtype", kwargs.pop("dtype", "auto"))
        attention = kwargs.pop("attn_implementation", None)
        _refuse(cls, kwargs)
        folder = _folder(pretrained_model_name_or_path, where, (*_REST, *_WEIGHTS))
        model = checkpoint.load(folder, device, _dtype(dtype, folder)).model
        if attention is not None:
            model.set_attn_implementation(attention)
        return model


class Phi4VisionRProcessor(PellucidProcessor):
    """How a published folder becomes a `PellucidProcessor`.

    It has the name of the published class, which the folder asks for.
    """

    @classmethod
    @no_type_check
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, **kwargs: Any
    ) -> PellucidProcessor:
        """Read the tokenizer, the template's system text and the image rule of a folder."""
        where = {name: kwargs.pop(name) for name in _HUB if name in kwargs}
        _refuse(cls, kwargs)
        folder = _folder(pretrained_model_name_or_path, where, _REST)
        fields = json.loads((folder / checkpoint.CONFIG).read_bytes())
        layout = weights.LAYOUTS[phi4_siglip.MODEL_TYPE]
        with tempfile.TemporaryDirectory() as name:
            layout.renderer(folder, fields).save(Path(name))
            return PellucidProcessor.from_pretrained(name)


def _refuse(cls: type, kwargs: dict[str, Any]) -> None:
    """What would be passed over in silence."""
    if unknown := sorted(kwargs.keys() - set(_IGNORED)):
        raise TypeError(f"{cls.__name__}.from_pretrained knows no {', '.join(unknown)}")


def _folder(given: str | Path, where: dict[str, Any], wanted: tuple[str, ...]) -> Path:
    """A folder as it is, or what is wanted of one on the hub."""
    if Path(given).is_dir():
        return Path(given)
    return Path(snapshot_download(str(given), allow_patterns=list(wanted), **where))


def _device(asked: Any) -> torch.device:
    """The one device that is meant; "auto" is a GPU where there is one."""
    if isinstance(asked, dict):
        if set(asked) != {""}:
            raise ValueError("device_map names one device here: a word, a number, or {'': device}")
        asked = asked[""]
    if asked is None:
        return torch.device("cpu")
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device("cuda", asked) if isinstance(asked, int) else torch.device(asked)


def _dtype(asked: Any, folder: Path) -> torch.dtype:
    """The dtype that is meant; "auto" is that of `config.json`."""
    if asked in (None, "auto"):
        fields = json.loads((folder / checkpoint.CONFIG).read_bytes())
        asked = fields.get("dtype") or fields.get("torch_dtype") or "float32"
    return asked if isinstance(asked, torch.dtype) else getattr(torch, asked.removeprefix("torch."))
