"""The renderer's files in a checkpoint folder, in the layout that transformers expects.

`tokenizer.json`, `processor_config.json` and `preprocessor_config.json` decide; the chat template
and `tokenizer_config.json` say the same to other programs and are never read back. Fields that
others add to the two configurations are left alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import write_bytes, write_json, write_text
from pellucid.prompt.format import ChatFormat
from pellucid.prompt.template import chat_template
from pellucid.prompt.tokenizer import Tokenizer
from pellucid.recipe.model import ImageOptions

FILES = (
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
"""Everything that `write` leaves in a folder."""

IMAGE_PROCESSOR_CLASS = "PellucidImageProcessor"
PROCESSOR_CLASS = "PellucidProcessor"
