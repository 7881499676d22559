"""Content hashes: SHA-256 over bytes, files and canonical JSON.

Canonical JSON (sorted keys, no spaces, UTF-8, no NaN) makes equal values hash equally everywhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
SHORT = 12
"""Hex digits of a hash that are shown to people and used in folder names."""


def canonical_json(value: Any) -> bytes:
    """Bytes of `value` as JSON that depend on nothing but the value.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return _CANONICAL.encode(value).encode("utf-8")


def hash_bytes(data: bytes) -> str:
    """SHA-256 of `data`, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return hash_bytes(canonical_json(value))


def hash_parts(parts: Iterable[Any]) -> str:
    """SHA-256 of the canonical JSON of a list; an iterator in it is a list that is never held.

    >>> hash_parts(["a", iter([1, [2]])]) == hash_json(["a", [1, [2]]])
    True
    """
    found = hashlib.sha256(b"[")
    for at, part in enumerate(parts):
        found.update(b"," if at else b"")
        if not isinstance(part, Iterator):
            found.update(canonical_json(part))
            continue
        found.update(b"[")
        for number, one in enumerate(part):
            found.update((b"," if number else b"") + canonical_json(one))
        found.update(b"]")
    found.update(b"]")
    return found.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
