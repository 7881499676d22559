"""Slice `serve`: the endpoint's limits."""

from pydantic import Field

from pellucid.recipe.base import Options


class ServeOptions(Options):
    """An OpenAI-compatible endpoint."""

    host: str = "127.0.0.1"
    """Address to listen on; the default is this machine only."""
    port: int = Field(8000, ge=0, le=65535)
    """Port; 0 takes a free one."""
    max_image_pixels: int = Field(20_000_000, ge=1)
    """Larger images are refused with status 400."""
    max_images: int = Field(8, ge=0)
    """Images per request."""
    max_body_bytes: int = Field(32_000_000, ge=1024)
    """Larger requests are refused with status 413."""
    max_new_tokens: int = Field(512, ge=1)
    """Upper limit of a request's own budget."""
    max_waiting: int = Field(64, ge=1)
    """Requests in the queue; one more gets status 429."""
    blocked_words: tuple[str, ...] = ()
    """Words that a prompt or an answer (thinking included) may not hold."""
