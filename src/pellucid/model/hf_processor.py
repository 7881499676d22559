"""The processor as transformers' users know it: `AutoProcessor` and `AutoImageProcessor`.

Text goes through the shipped chat template and tokenizer, pictures through the same functions as in
training. Images are never fetched from the network here: give paths, data URIs or pictures.
"""

import base64
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
from PIL import Image
from pydantic import TypeAdapter
from transformers import BatchFeature, ProcessorMixin
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_transforms import to_pil_image
from transformers.image_utils import make_flat_list_of_images

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.model.vision import patchify
from pellucid.model.vision.picture import decode
from pellucid.prompt.plan import plan
from pellucid.recipe.model import ImageOptions
from pellucid.schema.picture import upright_rgb

_OPTIONS: TypeAdapter[ImageOptions] = TypeAdapter(ImageOptions)


class PellucidImageProcessor(BaseImageProcessor):
    """Pictures to packed patches: no padding, one row for all pictures."""

    model_input_names = ["pixel_values", "image_grids"]

    def __init__(self, images: dict[str, Any], patch_px: int, **kwargs: Any) -> None:
        """Take the fields of `preprocessor_config.json`.

        Args:
            images: the image strategy's options.
            patch_px: side of a patch in pixels.
            kwargs: kept as attributes, as in every image processor of transformers.
        """
        super().__init__(**kwargs)
        self.images, self.patch_px = images, patch_px

    def fetch_images(self, image_url_or_urls: Any) -> Any:
        """Read what is given as a path or a data URI; leave the rest as it is."""
        if isinstance(image_url_or_urls, (list, tuple)):
            return [self.fetch_images(each) for each in image_url_or_urls]
        if isinstance(image_url_or_urls, str):
            return _read(image_url_or_urls)
        return image_url_or_urls

    def preprocess(
        self, images: Any, return_tensors: str | None = None, **kwargs: Any
    ) -> BatchFeature:
        """Patches of all pictures.

        Returns:
            `pixel_values` float32 (p, c), `image_grids` int64 (n, 2 or 4), and `image_tokens`, the
            placeholders that each picture needs.
        """
        options = _OPTIONS.validate_python(self.images)
        pictures = [_picture(each) for each in make_flat_list_of_images(self.fetch_images(images))]
        plans = [plan(options, self.patch_px, *picture.size) for picture in pictures]
        patches = [
            patchify(options, self.patch_px, picture, each)
            for picture, each in zip(pictures, plans, strict=True)
        ]
        grids = [grid for each in plans for grid in each.grids(options.scales)]
        data = {
            "pixel_values": np.concatenate(patches),
            "image_grids": np.array(grids, dtype=np.int64),
            "image_tokens": np.array([each.tokens for each in plans], dtype=np.int64),
        }
        return BatchFeature(data, tensor_type=return_tensors)


class PellucidProcessor(ProcessorMixin):
    """Chat template, tokenizer and image processor; expands each image into its placeholders."""

    image_token: str
    image_token_id: int

    @no_type_check  # transformers reads the argument names from the function's code object
    def __init__(
        self,
        image_processor: Any,
        tokenizer: Any,
        chat_template: str | None = None,
        format: dict[str, str] | None = None,
        system: str = "",
        keep_thinking: bool = False,
    ) -> None:
        """Take the parts, and the fields of `processor_config.json` so that they are saved again.

        Args:
            image_processor: the image processor.
            tokenizer: the tokenizer; it names the image token.
            chat_template: the template's source.
            format: control strings of the conversation format.
            system: system text of conversations that bring none (already in the template).
            keep_thinking: whether later turns see earlier thinking (already in the template).
        """
        self.image_token = tokenizer.image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.format, self.system, self.keep_thinking = format, system, keep_thinking
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: Any, image_idx: int, **kwargs: Any) -> str:
        """The placeholders of one picture."""
        return self.image_token * int(image_inputs["image_tokens"][image_idx])

    @property
    def unused_input_names(self) -> list[str]:
        """What the model does not take."""
        return ["image_tokens", "token_type_ids"]


def _read(source: str) -> Image.Image:
    """A picture from a path or a data URI."""
    if source.startswith("data:"):
        return decode(base64.b64decode(source.partition(",")[2]), "image")
    if "://" in source:
        raise UserError(
            Problem(
                "image", source, "is an address; nothing is fetched", "give a path or a picture"
            )
        )
    with boundary("reading the image"):
        return decode(Path(source).read_bytes(), source)


def _picture(image: Any) -> Image.Image:
    """Any image that transformers accepts, as an upright RGB picture."""
    return upright_rgb(image if isinstance(image, Image.Image) else to_pil_image(image))
