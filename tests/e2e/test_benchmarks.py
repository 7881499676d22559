"""Benchmarks that need what is not here are run on something tiny, so that they are ready."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_gpu_benchmark_runs_on_a_cpu(tmp_path: Path) -> None:
    to = tmp_path / "found.jsonl"
    words = ["--shapes", "tiny", "--device", "cpu", "--steps", "1", "--to", str(to)]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/gpu/train.py", *words],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(to.read_text("utf-8"))
    assert found["shape"] == "tiny" and 0 < found["tower_share"] < 1
    assert 0 < found["mfu_of_measured"] < 1 and found["tokens"] > 1000
