"""Evidence: all that a scorer may know about an item besides the rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.schema.record import Answer


@dataclass(frozen=True, slots=True)
class Evidence:
    """The gold answer and the scene's facts."""

    answer: Answer | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    max_new_tokens: int = 0
    """The budget the rollout was generated under, for length rules; 0 when unknown."""
