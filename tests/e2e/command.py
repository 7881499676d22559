"""The `pellucid` command as a user runs it, and what its runs leave on disk."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PELLUCID = Path(sys.executable).with_name("pellucid")


def pellucid(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, **named: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it printed; never raises on its exit code."""
    return subprocess.run(
        [PELLUCID, *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=900,
        **named,
    )


def hashes(home: Path, run: str) -> dict[str, str]:
    """Content hash of every artifact of a run, by job."""
    tree = json.loads((home / run / "run.json").read_text(encoding="utf-8"))
    return {job["name"]: job["content_hash"] for job in tree["jobs"]}


def stable_files(home: Path, run: str) -> dict[str, str]:
    """SHA-256 of every file of a run's artifacts outside `timing/`, as the manifests have them."""
    tree = json.loads((home / run / "run.json").read_text(encoding="utf-8"))
    found = {}
    for job in tree["jobs"]:
        manifest = json.loads(
            (home / "artifacts" / job["artifact"] / "manifest.json").read_text(encoding="utf-8")
        )
        for name, entry in manifest["files"].items():
            if not name.startswith("timing/"):
                found[f"{job['name']}/{name}"] = entry["sha256"]
    return found


def untimed(value: Any) -> Any:
    """A JSON value without anything below keys named `timing`, nor the commit."""
    if isinstance(value, dict):
        gone = ("timing", "commit", "dirty")
        return {key: untimed(inner) for key, inner in value.items() if key not in gone}
    return [untimed(inner) for inner in value] if isinstance(value, list) else value
