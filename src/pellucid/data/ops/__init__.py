"""Operators, one per file: facts about one shard of a store, made without the others."""

from pellucid.data.ops.base import Images, Operator, Resources
from pellucid.data.ops.image_signature import ImageSignature
from pellucid.data.ops.text_signature import TextSignature
from pellucid.data.ops.text_stats import TextStats

OPERATORS: dict[str, type[Operator]] = {
    "image_signature": ImageSignature,
    "text_signature": TextSignature,
    "text_stats": TextStats,
}
"""By name, which is also that of their labels."""

__all__ = ["OPERATORS", "Images", "Operator", "Resources"]
