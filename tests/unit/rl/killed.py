"""Run the RL job in children that are killed at random instants, then let the last one finish.

A program, not a module of tests: it imports everything once and forks, so that each of many kills
costs milliseconds. Usage: killed.py <world> <folder> <options as JSON> <kills>
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from pellucid import store
from pellucid.recipe.rl import RlOptions
from pellucid.rl.loop import train_rl


def work(root: Path, folder: Path, options: RlOptions) -> None:
    torch.set_num_threads(1)
    opened = store.open(root / "data")
    probe = root / "probe" if options.probe else None
    start = root / "model"
    train_rl(options, root / "mix", opened, start, folder, 3, "cpu", "float32", probe_folder=probe)


def child(*arguments: object) -> int:
    pid = os.fork()
    if pid == 0:
        work(*arguments)
        os._exit(0)
    return pid


def marks(folder: Path) -> int:
    """How far a run has come: chunks of answers, rollout batches and lines of the log."""
    log = folder / "log.jsonl"
    lines = log.read_bytes().count(b"\n") if log.exists() else 0
    found = ("rollouts/batch-*.jsonl", "pass_rates.parquet", "probe/*/*.jsonl", "probe.parquet")
    return lines + sum(len(list(folder.glob(pattern))) for pattern in found)


def main() -> int:
    root, folder = Path(sys.argv[1]), Path(sys.argv[2])
    options = RlOptions.model_validate(json.loads(sys.argv[3]))
    chance = random.Random(0)
    for kill in range(int(sys.argv[4])):
        pid = child(root, folder, options)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and marks(folder) < 1 + 2 * kill:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.1)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended", flush=True)
    _, status = os.waitpid(child(root, folder, options), 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
