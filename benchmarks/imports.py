"""Import of LLaVA rows: time and memory, beside `datasets.load_dataset` and a map of its checks.

    .venv/bin/python benchmarks/imports.py --rows 100000 1000000
    .venv/bin/python benchmarks/imports.py --peer FOLDER/bin/python   peer's environment, kept
    .venv/bin/python benchmarks/imports.py --size 640 480 --pictures 2000

Rows are made from a seed: two to six turns of text, four in five with one of a few thousand
pictures. Ours is `pellucid data import` as a user calls it, to a finished store. The peer reads the
same file, maps over it what an import has to know of a row, and saves what it has to disk, as
Arrow; it keeps no picture, and knows of no split or duplicate. There are two peers:

- `checks`: that turns alternate and are not empty, that tags and pictures agree, and that the
  picture decodes, once a row, as a user writes it with `map`;
- `facts`: the same, and what a store knows of row and picture: hash of the conversation, of the
  file, and of the upright pixels, by which splits and duplicates are told.

All run in turn, so that other work on the machine slows each alike; printed are medians of wall and
processor seconds, their ratios to ours, and memory: of all processes of a run together, by their
proportional sets, looked at four times a second. Where the machine is busy, processor seconds say
more than those on the wall.
"""

import argparse
import ctypes
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

PEER = """
import hashlib, json, os, sys
from pathlib import Path
from PIL import Image, ImageOps
os.environ["HF_DATASETS_OFFLINE"] = "1"
import datasets
datasets.disable_progress_bars()
folder, processes, facts = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "facts"

def check(row):
    turns = row["conversations"]
    sound = len(turns) > 0 and len(turns) % 2 == 0
    for at, turn in enumerate(turns):
        sound &= turn["from"] == ("human", "gpt")[at % 2] and bool(turn["value"].strip())
    tags = sum(turn["value"].count("<image>") for turn in turns if turn["from"] == "human")
    images = [row["image"]] if row["image"] else []
    sound &= tags in (0, len(images))
    found = {"width": 0, "height": 0}
    if facts:
        told = json.dumps([turns, images], sort_keys=True, ensure_ascii=False)
        found |= {"content": hashlib.sha256(told.encode()).hexdigest(), "file": "", "pixels": ""}
    for name in images:
        if facts:
            found["file"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        with Image.open(folder / name) as picture:
            picture.load()
            found["width"], found["height"] = picture.size
            if facts:
                picture = ImageOps.exif_transpose(picture).convert("RGB")
                found["pixels"] = hashlib.sha256(picture.tobytes()).hexdigest()
    return {"sound": sound, **found}

rows = datasets.load_dataset(
    "json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(folder / "cache")
)
rows = rows.map(check, num_proc=processes if processes > 1 else None)
rows.save_to_disk(str(folder / "cache" / "saved"))
assert sum(rows["sound"]) == len(rows)
"""


_SUBREAPER = 36
"""`PR_SET_CHILD_SUBREAPER` of Linux."""


class Run(NamedTuple):
    """What one process, with its children, took."""

    wall: float
    """Seconds."""
    cpu: float
    """Processor seconds."""
    memory: float
    """MiB, of all at once."""


def make(
    folder: Path, rows: int, pictures: int, seed: int, size: tuple[int, int] = (64, 48)
) -> None:
    """Write `rows.jsonl` and `images/`: flat colours when small, else like photographs."""
    draw = random.Random(seed)
    (folder / "images").mkdir(parents=True)
    for at in range(pictures):
        file = BytesIO()
        colour = (at % 256, at // 256 % 256, draw.randrange(256))
        picture = Image.new("RGB", size, colour)
        if size[0] > 64:
            noise = Image.frombytes("RGB", (40, 30), draw.randbytes(3600)).resize(size)
            picture = Image.blend(picture, noise, 0.5)
        picture.save(file, "JPEG", quality=85)
        (folder / f"images/{at}.jpg").write_bytes(file.getvalue())
    words = [f"word{at}" for at in range(500)]
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for at in range(rows):
            turns = []
            for turn in range(2 * draw.randint(1, 3)):
                text = " ".join(draw.choices(words, k=draw.randint(5, 40)))
                turns.append({"from": ("human", "gpt")[turn % 2], "value": text})
            shown = draw.random() < 0.8
            if shown:
                turns[0]["value"] = "<image>\n" + turns[0]["value"]
            name = f"images/{draw.randrange(pictures)}.jpg" if shown else None
            row = {"id": f"{at:09d}", "image": name, "conversations": turns}
            file.write(json.dumps(row) + "\n")


def timed(words: list[str]) -> Run:
    """Run a command.

    Raises:
        AssertionError: it did not end well.
    """
    start, peak, cpu = time.perf_counter(), 0, 0.0
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        pid, status, used = os.wait4(-1, os.WNOHANG)
        if pid:
            cpu += used.ru_utime + used.ru_stime
        if pid == process.pid:
            break
        peak = max(peak, sum(map(_resident, _family(process.pid))))
        time.sleep(0.25 if time.perf_counter() - start > 2 else 0.02)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{words} ended with {process.returncode}"
    while True:  # those that it started and did not wait for
        try:
            _, _, used = os.wait4(-1, 0)
        except ChildProcessError:
            return Run(wall, cpu, peak / 1024)
        cpu += used.ru_utime + used.ru_stime


def adopt() -> None:
    """Become the parent of processes that outlive theirs, so that their time is counted too."""
    told = ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    assert told == 0, "processor seconds of all processes can be counted on Linux alone"


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        try:
            told = Path(f"/proc/{one}/task/{one}/children").read_text()
        except OSError:
            continue
        found += map(int, told.split())
    return found


def _resident(pid: int) -> int:
    """KiB that a process holds; what it shares counts in part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def peer_environment(folder: Path) -> Path:
    """An environment with the peer, made once."""
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "datasets", "pillow"], check=True)
    return python


def compare(folder: Path, given: argparse.Namespace, peer: Path | None) -> dict[str, list[Run]]:
    """All sides in turn, `repeats` times; the first of each turn changes."""
    ours = [sys.executable, "-c", "from pellucid.cli.main import main; main()", "data", "import"]
    told = [str(folder / "rows.jsonl"), "--licence", "CC0-1.0", "--to", str(folder / "store")]
    sides = {"pellucid": [*ours, *told, "--workers", str(given.workers)]}
    if peer:
        for processes in given.processes:
            for work in given.work:
                script = [str(peer), "-c", PEER, str(folder), str(processes), work]
                sides[f"datasets {work} x{processes}"] = script
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for repeat in range(given.repeats):
        names = list(sides)
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            for made in ("store", "cache"):
                shutil.rmtree(folder / made, ignore_errors=True)
            runs[name].append(timed(sides[name]))
    return runs


def tell(rows: int, runs: dict[str, list[Run]]) -> Run:
    """Print the medians of all sides; those of ours."""
    ours = runs["pellucid"]
    for name, found in runs.items():
        wall, cpu, memory = (statistics.median(one) for one in zip(*found, strict=True))
        print(f"{rows:>8} rows  {name:20} {wall:7.1f} s {rows / wall:7.0f}/s "
              f"{cpu:7.1f} cpu s {memory:6.0f} MiB", end="")  # fmt: skip
        pairs = list(zip(found, ours, strict=True))
        ratios = [statistics.median(one[at] / own[at] for one, own in pairs) for at in (0, 1)]
        print("" if found is ours else f"  ours {ratios[0]:.2f} x wall, {ratios[1]:.2f} x cpu",
              flush=True)  # fmt: skip
    return Run(*(statistics.median(one) for one in zip(*ours, strict=True)))


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--rows", type=int, nargs="+", default=[100_000])
    words.add_argument("--pictures", type=int, default=4000)
    words.add_argument("--size", type=int, nargs=2, default=(64, 48), help="of a picture")
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--workers", type=int, default=0, help="of ours; 0: one a processor")
    words.add_argument("--processes", type=int, nargs="+", default=[1], help="of the peer's map")
    words.add_argument("--work", nargs="+", default=["checks", "facts"], help="of the peer")
    words.add_argument("--seed", type=int, default=11)
    words.add_argument("--peer", type=Path, help="python of an environment with datasets")
    words.add_argument("--no-peer", action="store_true")
    given = words.parse_args()
    adopt()
    memory: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="pellucid-imports-") as scratch:
        root = Path(scratch)
        peer = None if given.no_peer else given.peer or peer_environment(root / "peer")
        for rows in given.rows:
            folder = root / str(rows)
            make(folder, rows, given.pictures, given.seed, tuple(given.size))
            memory[rows] = tell(rows, compare(folder, given, peer)).memory
            shutil.rmtree(folder)
    if len(memory) > 1:
        least, most = min(memory), max(memory)
        print(f"memory at {most} rows is {memory[most] / memory[least]:.2f} of {least} (goal 1.2)")


if __name__ == "__main__":
    main()
