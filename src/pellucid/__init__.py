"""Pellucid: compact multimodal reasoning models that can be audited."""

__version__ = "0.1.0"
