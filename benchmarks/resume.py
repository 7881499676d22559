"""From a restart to the first step, early and late in an epoch, beside transformers' Trainer.

    .venv/bin/python benchmarks/resume.py
    .venv/bin/python benchmarks/resume.py --peer FOLDER/bin/python   peer's environment, kept

Four thousand records with a picture each, eight a step, one epoch; a tiny random Qwen2.5-VL that
both train. Each is stopped with a checkpoint after 10 % and after 90 % of the steps, and started
again in a new process, several times; clocked is the time from the start of that process to the end
of its first step. Ours is what a stage does. The peer reads its pictures from the same files, once
by index and once as a stream (as `datasets` streams sets that are too large for a disk). The time
of loading libraries is part of all of them; what counts is the difference between early and late.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from training import ROOT, environment, png, record, stock_qwen

from pellucid import store
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.recipe.train import Modules, Pack, Stage
from pellucid.store import MixRow, Writer, read_mix, write_mix
from pellucid.train.stage import train_stage
from pellucid.train.step import Stepper

RECORDS, BATCH, SIDE = 4000, 8, 140
STEPS = RECORDS // BATCH
PLACES = {"early": STEPS // 10, "late": 9 * STEPS // 10}
STAGE = Stage(
    name="whole", mix="m", modules=Modules(vision=1e-4, projector=1e-4, decoder=1e-4),
    batch_records=BATCH, pack=Pack(max_tokens=1024, max_patches=2048), checkpoint_every=10_000,
)  # fmt: skip


def make(folder: Path) -> None:
    """A model, records for us, and the same records for the peer."""
    stock_qwen.write(folder / "model")
    draw, made = np.random.default_rng(3), []
    writer = Writer(folder / "data")
    (folder / "images").mkdir()
    for row in range(RECORDS):
        coarse = draw.integers(0, 256, (20, 20, 3), dtype=np.uint8).repeat(SIDE // 20, 0)
        data = png(coarse.repeat(SIDE // 20, 1))
        (folder / f"images/{row}.png").write_bytes(data)
        made.append(record("noise", row, f"Bar {row}?", "red bar", (writer.image(data),)))
    writer.shard("a", made)
    writer.finish()
    write_mix(folder / "mix", [MixRow(one.id, 1, "as_is") for one in made], [])
    loaded, held = checkpoint.load(folder / "model"), store.open(folder / "data")
    processor, arrays = Processor(loaded.renderer), {}
    for row, one in enumerate(made):
        (rendered,) = loaded.renderer.examples(held.get(one.id))
        example = processor.example(rendered, [held.image(one.images[0].sha256)])
        arrays |= {f"ids{row}": example.ids, f"supervised{row}": example.supervised}
        grid = example.grids
    np.savez(folder / "examples.npz", image=loaded.renderer.image_id, grid=grid, **arrays)


def run_ours(folder: Path, place: str, until: int) -> None:
    """Train until a step and stop with a checkpoint, or do one more step and say when it ended."""
    real, started = Stepper.step, float(os.environ["STARTED"])

    def step(self, number, planned):  # noqa: ANN001, ANN202
        found = real(self, number, planned)
        if until and number + 1 == until:
            os.kill(os.getpid(), signal.SIGINT)
        if not until:
            print(json.dumps({"step": number, "seconds": time.time() - started}), flush=True)
            os._exit(0)  # what lies there stays as it was
        return found

    Stepper.step = step
    held = store.open(folder / "data")
    assert len(read_mix(folder / "mix").rows) == RECORDS
    given = (STAGE, folder / "mix", held, folder / "model", folder / place)
    try:
        train_stage(*given, 0, "cpu", "float32")
    except KeyboardInterrupt:
        sys.exit(0)


def timed(words: list[str]) -> dict[str, float]:
    """Run a process that says when its first step ended."""
    env = {
        **os.environ, "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1", "STARTED": str(time.time()),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    }  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"step"')]
    found: dict[str, float] = json.loads(lines[-1]) if lines else {}
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="Python of an environment with trl, accelerate, datasets")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ours", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ours:
        run_ours(Path(asked.ours[0]), asked.ours[1], int(asked.ours[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = str(environment(asked.peer, folder))
        make(folder)
        print(f"{RECORDS} records, {STEPS} steps; seconds to the end of the first step")
        print(f"{'':26}{'after 10 %':>12}{'after 90 %':>12}{'difference':>12}")
        peer = str(Path(__file__).with_name("resume_peer.py"))
        runs = {
            "ours": [sys.executable, __file__, "--ours", str(folder)],
            "Trainer, by index": [python, peer, "index", str(folder)],
            "Trainer, a stream": [python, peer, "stream", str(folder)],
        }
        for title, words in runs.items():
            found: dict[str, list[float]] = {place: [] for place in PLACES}
            for place, until in PLACES.items():
                timed([*words, place, str(until)])
            for _ in range(asked.repeats):
                for place, until in PLACES.items():
                    told = timed([*words, place, "0"])
                    assert told["step"] == until, f"{title} went on at {told}, not at {until}"
                    found[place].append(told["seconds"])
            early, late = (statistics.median(found[place]) for place in PLACES)
            print(f"{title:26}{early:12.2f}{late:12.2f}{late - early:+12.2f}", flush=True)


if __name__ == "__main__":
    main()
