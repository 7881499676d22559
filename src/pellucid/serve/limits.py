"""Limits that hold before anything costly is done: body, pictures, budget, queue.

No image is decoded here; its header alone says how large it is. Nothing is ever fetched.
"""

import base64
import binascii
import io
import re
from collections.abc import AsyncIterator

from PIL import Image

from pellucid.base.hashing import hash_bytes
from pellucid.recipe.serve import ServeOptions
from pellucid.schema.record import ImageRef
from pellucid.serve.api import ApiError, ChatRequest

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""Image formats that are read; the fewer decoders, the fewer holes."""

_DATA_URI = re.compile(r"data:image/[a-zA-Z0-9.+-]+;base64,")


async def read_body(chunks: AsyncIterator[bytes], options: ServeOptions) -> bytes:
    """A request's body, at most `max_body_bytes` of it.

    Raises:
        ApiError: 413, as soon as it is too large.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > options.max_body_bytes:
            limit = options.max_body_bytes
            raise ApiError(413, f"the body exceeds {limit} bytes", "request_too_large")
    return bytes(body)


def budget(asked: ChatRequest, options: ServeOptions) -> int:
    """How many tokens may be generated.

    Raises:
        ApiError: 400, the two fields disagree or exceed the server's limit.
    """
    both = {value for value in (asked.max_tokens, asked.max_completion_tokens) if value}
    if len(both) > 1:
        message = "max_tokens and max_completion_tokens differ; give one of them"
        raise ApiError(400, message, "invalid_value", "max_tokens")
    wanted = both.pop() if both else options.max_new_tokens
    if wanted > options.max_new_tokens:
        field = "max_tokens" if asked.max_tokens else "max_completion_tokens"
        message = f"{field}={wanted} exceeds this server's limit of {options.max_new_tokens}"
        raise ApiError(400, message, "invalid_value", field)
    return wanted


def check_queue(waiting: int, options: ServeOptions) -> None:
    """Refuse a request that would wait behind too many others.

    Raises:
        ApiError: 429.
    """
    if waiting >= options.max_waiting:
        raise ApiError(
            429,
            f"{waiting} requests are waiting already; try again later",
            "queue_full",
            type="rate_limit_error",
        )


def check_image_count(count: int, options: ServeOptions) -> None:
    """Refuse too many pictures, before the first is read.

    Raises:
        ApiError: 400.
    """
    if count > options.max_images:
        message = f"{count} images in one request; at most {options.max_images} are allowed"
        raise ApiError(400, message, "too_many_images", "messages")


def image_bytes(url: str, param: str) -> bytes:
    """The file inside a data URI.

    Raises:
        ApiError: 400, it is an address to fetch, or no base64.
    """
    found = _DATA_URI.match(url)
    if not found:
        message = (
            "only data URIs (data:image/png;base64,...) are accepted; this server fetches nothing"
        )
        raise ApiError(400, message, "image_not_inline", param)
    try:
        return base64.b64decode(url[found.end() :], validate=True)
    except binascii.Error:
        raise ApiError(400, "the image's base64 is broken", "invalid_image", param) from None


def image_ref(data: bytes, options: ServeOptions, param: str) -> ImageRef:
    """Hash and size of an image file, read from its header.

    Raises:
        ApiError: 400, no image of a known format, or too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(options, param) from None
    except (OSError, SyntaxError, ValueError, EOFError):
        message = f"the image is not readable as one of {', '.join(FORMATS)}"
        raise ApiError(400, message, "invalid_image", param) from None
    if width * height > options.max_image_pixels:
        raise _too_large(options, param)
    return ImageRef(hash_bytes(data), width, height)


def _too_large(options: ServeOptions, param: str) -> ApiError:
    message = f"the image has more than {options.max_image_pixels} pixels"
    return ApiError(400, message, "image_too_large", param)
