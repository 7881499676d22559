"""Serving: an OpenAI-compatible endpoint with limits, filters and an audit log.

Leaves out on purpose: API keys and TLS (put a proxy in front), more than one model per process,
`n` over 1, stop sequences, tools, and fetching anything from anywhere.
"""

from pellucid.serve.app import create_app
from pellucid.serve.server import run_server

__all__ = ["create_app", "run_server"]
