"""Train stages in children that are killed at random instants, then let the last one finish.

A program, not a module of tests: it imports everything once and forks, so that each of many kills
costs milliseconds. Usage: killed.py '[{"stage": ..., "world": ..., "folder": ..., ...}, ...]'
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
from pellucid.recipe.train import Stage
from pellucid.train.folder import LOG, MODEL
from pellucid.train.stage import train_stage


def train(told: dict) -> None:
    torch.set_num_threads(1)
    root = Path(told["world"])
    stage = Stage.model_validate(told["stage"])
    opened = store.open(root / "data")
    folder = Path(told["folder"])
    train_stage(stage, root / "mix", opened, root / "model", folder, 3, "cpu", told["dtype"])


def child(told: dict) -> int:
    pid = os.fork()
    if pid == 0:
        train(told)
        os._exit(0)
    return pid


def finish(told: dict) -> int:
    """Exit status of the last child."""
    chance = random.Random(told["seed"])
    folder = Path(told["folder"])
    for _ in range(told["kills"]):
        log = folder / LOG
        lines = log.read_bytes().count(b"\n") if log.exists() else 0
        wanted = lines + chance.randint(0, 4)
        pid = child(told)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (folder / MODEL).exists():
            if log.exists() and log.read_bytes().count(b"\n") >= wanted:
                break
            time.sleep(0.002)
        time.sleep(chance.random() * 0.12)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended", told["folder"], flush=True)
    _, status = os.waitpid(child(told), 0)
    return status


if __name__ == "__main__":
    sys.exit(any([finish(told) for told in json.loads(sys.argv[1])]))
