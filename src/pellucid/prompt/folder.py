"""The renderer's files in a checkpoint folder, in the layout that transformers expects.

`tokenizer.json`, `processor_config.json` and `preprocessor_config.json` decide; the chat template
and `tokenizer_config.json` say the same to other programs and are never read back. Fields that
others add to the two configurations are ignored.
"""

from pathlib import Path
from typing import TypedDict, TypeVar

from pydantic import BaseModel, Field, ValidationError

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.own import shipped_code, source_by_hash
from pellucid.base.paths import write_bytes, write_json, write_text
from pellucid.prompt.format import ChatFormat
from pellucid.prompt.plan.own import FILE as STRATEGY
from pellucid.prompt.template import chat_template
from pellucid.prompt.tokenizer import Tokenizer
from pellucid.recipe.model import ImageOptions, PythonImages

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
IMAGE_PROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"
FILES = (TEMPLATE, IMAGE_PROCESSOR, PROCESSOR, TOKENIZER, TOKENIZER_CONFIG)
"""Everything that `write` leaves in a folder; beside it a strategy of the user's own."""

IMAGE_PROCESSOR_CLASS = "PellucidImageProcessor"
"""Class of `model/hf_processor` that transformers makes from `preprocessor_config.json`."""
PROCESSOR_CLASS = "PellucidProcessor"
"""Class of `model/hf_processor` that transformers makes from `processor_config.json`."""


class Parts(TypedDict):
    """The arguments of `Renderer`."""

    tokenizer: Tokenizer
    format: ChatFormat
    images: ImageOptions
    patch_px: int
    system: str
    keep_thinking: bool


class _ImageProcessor(BaseModel):
    images: ImageOptions
    patch_px: int = Field(ge=2)


class _Processor(BaseModel):
    format: ChatFormat
    system: str
    keep_thinking: bool


_M = TypeVar("_M", bound=BaseModel)


def read(folder: Path) -> Parts:
    """What `write` was given.

    Raises:
        DiskError: a file is missing.
        UserError: a file is damaged; names the file and the field. Or the image strategy is code
            that is not trusted (`base.own.shipped_code`).
    """
    processor = _read(folder / PROCESSOR, _Processor)
    images = _read(folder / IMAGE_PROCESSOR, _ImageProcessor)
    if isinstance(images.images, PythonImages):
        own = images.images
        shipped_code("image strategy", f"{folder / STRATEGY}:{own.function}", own.sha256)
    return {
        "tokenizer": Tokenizer.load(folder / TOKENIZER),
        "format": processor.format,
        "images": images.images,
        "patch_px": images.patch_px,
        "system": processor.system,
        "keep_thinking": processor.keep_thinking,
    }


def write(
    folder: Path,
    tokenizer: Tokenizer,
    format: ChatFormat,
    images: ImageOptions,
    patch_px: int,
    system: str,
    keep_thinking: bool,
) -> None:
    """Write `FILES`, each whole or not at all; equal arguments give equal bytes.

    Raises:
        DiskError: the folder cannot be written.
    """
    template = chat_template(format, tokenizer.controls, system, keep_thinking)
    with boundary("writing the conversation format"):
        write_bytes(folder / TOKENIZER, tokenizer.source)
        if isinstance(images, PythonImages):
            write_bytes(folder / STRATEGY, source_by_hash(images.sha256))
        write_json(folder / TOKENIZER_CONFIG, _tokenizer_config(format))
        write_text(folder / TEMPLATE, template)
        write_json(
            folder / IMAGE_PROCESSOR,
            {
                "image_processor_type": IMAGE_PROCESSOR_CLASS,
                "processor_class": PROCESSOR_CLASS,
                "images": images.model_dump(mode="json"),
                "patch_px": patch_px,
            },
        )
        write_json(
            folder / PROCESSOR,
            {
                "processor_class": PROCESSOR_CLASS,
                "format": format.as_dict(),
                "system": system,
                "keep_thinking": keep_thinking,
            },
        )


def _tokenizer_config(format: ChatFormat) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "padding_side": "left",  # a batch is generated from: answers follow their own prompts
        "processor_class": PROCESSOR_CLASS,
        "pad_token": format.pad,
        "eos_token": format.turn_end,
        "extra_special_tokens": {"image_token": format.image},
        "clean_up_tokenization_spaces": False,
    }


def _read(path: Path, kind: type[_M]) -> _M:
    with boundary("reading the conversation format"):
        source = path.read_bytes()
    try:
        return kind.model_validate_json(source)
    except ValidationError as error:
        raise UserError(
            [
                Problem(
                    f"{path.name}: {'.'.join(str(step) for step in found['loc']) or 'file'}",
                    _told(found["input"]),
                    f"is refused: {found['msg']}",
                    "restore the file, or save the checkpoint again",
                )
                for found in error.errors(include_url=False)
            ]
        ) from error


def _told(value: object) -> object:
    """A refused value as people read it; pydantic hands a broken file over as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
