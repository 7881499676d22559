"""Conversation to token ids and back: tokenizer, format, image plans, supervision mask, parsing.

Torch-free. Leaves out on purpose: pixels (see `model/vision`) and everything about weights.
"""

from pellucid.prompt.format import PELLUCID, ChatFormat
from pellucid.prompt.parse import Parsed
from pellucid.prompt.render import Renderer
from pellucid.prompt.rendered import Rendered, Span, supervised_share
from pellucid.prompt.tokenizer import Detokenizer, Tokenizer

__all__ = [
    "PELLUCID",
    "ChatFormat",
    "Detokenizer",
    "Parsed",
    "Rendered",
    "Renderer",
    "Span",
    "Tokenizer",
    "supervised_share",
]
