"""The audit log: one JSON line per request, without its content.

Says when, which model, which mode, how many tokens, how it ended, and the hash of the prompt, so
that a log line and a kept conversation can be matched. Leaves out on purpose: texts, pictures,
addresses of clients.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from pellucid.base.errors import boundary


@dataclass(slots=True)
class Line:
    """What is written about one request."""

    id: str
    model: str
    status: int = 200
    code: str | None = None
    """Error code of a request that was refused."""
    stream: bool = False
    mode: str | None = None
    """What was asked for."""
    chosen: str | None = None
    """What the answer shows."""
    images: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    prompt_hash: str | None = None
    """Hash of the prompt's ids and of the images."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    finish_reason: str | None = None
    """stop, length, content_filter, or `cancelled` when the client left."""
    outcome: str | None = None
    """What the rollout came to: answered, truncated, malformed, failed."""
    filter: str | None = None
    """Which filter blocked it."""
    seconds: float = 0.0


@final
class Audit:
    """Appends lines to a file; does nothing without one."""

    def __init__(self, path: Path | None) -> None:
        """Open the file for appending.

        Raises:
            DiskError: it cannot be written.
        """
        self._handle: int | None = None
        if path is not None:
            with boundary("opening the audit log"):
                path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._handle = os.open(path, flags, 0o640)

    def write(self, line: Line) -> None:
        """Append one line in one write; a disk that refuses is reported on standard error."""
        if self._handle is None:
            return
        told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **asdict(line)}
        try:
            os.write(self._handle, (json.dumps(told, ensure_ascii=False) + "\n").encode())
        except OSError as error:
            print(f"audit log: {error}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
