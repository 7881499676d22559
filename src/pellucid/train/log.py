"""Append-only JSON lines that a kill cannot make inconsistent.

The size of the file at a checkpoint is part of the checkpoint; on resume the file is cut back to
it, so lines of steps that will be repeated, and half a line, disappear. Leaves out on purpose:
exporters to tracking servers, which read this file.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final


@final
class JsonLines:
    """One growing file of one JSON object per line."""

    def __init__(self, path: Path, size: int) -> None:
        """Open `path` and cut it back to its first `size` bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        found = path.stat().st_size if path.exists() else 0
        assert found >= size, f"{path} has {found} bytes, its checkpoint recorded {size}"
        self._file = path.open("ab")
        self._file.truncate(size)
        self._size = size

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one line and hand it to the operating system."""
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        data = line.encode("utf-8")
        self._file.write(data)
        self._file.flush()
        self._size += len(data)

    def sync(self) -> int:
        """Flush to disk; return the size in bytes."""
        os.fsync(self._file.fileno())
        return self._size

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *exception: object) -> None:
        """Flush to disk and close, whatever happened."""
        try:
            self.sync()
        finally:
            self._file.close()
