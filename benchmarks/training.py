"""A training step beside TRL's SFTTrainer and transformers' Trainer, on the same model and records.

    .venv/bin/python benchmarks/training.py
    .venv/bin/python benchmarks/training.py --peer FOLDER/bin/python   peers' environment, kept
    .venv/bin/python benchmarks/training.py --dtype bfloat16           all under autocast

A small random Qwen2.5-VL, which all three train; records with the lengths of `packing.py`'s frozen
distribution, an eighth as long; float32 (or bfloat16), AdamW, clipping, sixteen records a step, two
threads. Ours is what a stage does (`train/trial.py`): records are read, rendered, decoded and
packed. The peers get the same token ids ready-made, and pictures as they lie in the store, which
their collator decodes and gives to transformers' own image processor, which is that of PIL, as
there is no torchvision here (with it, it would be another); in rows that say "ready-made" they get
patches that lie in memory from the start, and no picture costs them anything; with "two workers"
processes of the data loader make micro-batches ahead.
They pad each micro-batch to its longest, and run in an environment of their own (`pip install trl
accelerate datasets`). "As it comes" is TRL's own choice of micro-batch (8) and of layers that
recompute, which the other rows have not. "Two processes" is the Trainer under torchrun, a thread
each. Printed are useful tokens a second (padding is not useful), how many times as many ours has
with packs of each size, what each process grew by (without a data loader's workers), and the share
of this machine's measured matrix products that is useful work as our step does it (peers do more
for the same: a head, and a last layer, for every token).

Leaves out on purpose: attention kernels of GPUs.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np
import torch
from packing import frozen
from PIL import Image

from pellucid import store
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.recipe.train import Modules, Pack, Stage
from pellucid.schema.record import (
    ImageRef,
    Part,
    Record,
    Source,
    Turn,
    assistant,
    make_record,
)
from pellucid.store import MixRow, Writer
from pellucid.train import cost
from pellucid.train.trial import trial

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.unit import stock_qwen  # noqa: E402

SCALE, RECORDS, BATCH = 8, 480, 16
SIZES = {
    "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
    "rope_scaling": {"type": "mrope", "mrope_section": [8, 12, 12]},
    "vision_config": {
        **stock_qwen.TINY["vision_config"], "hidden_size": 128, "intermediate_size": 256,
        "num_heads": 4, "out_hidden_size": 256,
    },
}  # fmt: skip
SPINNING = "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OPENBLAS_THREAD_TIMEOUT"
THEIRS = {name: value for name, value in os.environ.items() if name not in SPINNING}
"""The environment without what `import pellucid` says of waiting threads: peers have their own."""
RATES = {"vision": 1e-4, "projector": 1e-4, "decoder": 1e-4}
PACKS = 8192, 4096, 2048
"""Tokens of a pack; sixteen records have some 6,000."""


def stage_of(tokens: int) -> Stage:
    """Steps of sixteen records, in packs of so many tokens and four times as many patches."""
    return Stage(
        name="whole", mix="m", modules=Modules(**RATES), batch_records=BATCH,
        pack=Pack(max_tokens=tokens, max_patches=4 * tokens), max_steps=10_000,
    )  # fmt: skip


PEERS = (
    ("trainer", 1, ""), ("trainer", 4, ""), ("trainer", 4, "by length"), ("trainer", 8, ""),
    ("trainer", 1, "two workers"), ("trainer", 4, "two workers"),
    ("trainer", 1, "ready-made"), ("trainer", 4, "ready-made"), ("trainer", 4, "two processes"),
    ("trl", 4, ""), ("trl", 8, ""), ("trl", 8, "by length"), ("trl", 8, "as it comes"),
)  # fmt: skip
"""Who, records in a micro-batch, how."""


def png(pixels: np.ndarray) -> bytes:
    """A picture, encoded."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def record(
    dataset: str, row: int, asked: str, told: str, images: tuple[ImageRef, ...] = ()
) -> Record:
    """A question after its pictures, and a reply."""
    shown = tuple(Part("image", image=at) for at in range(len(images)))
    return make_record(
        messages=(Turn("user", (*shown, Part("text", asked))), assistant(told)),
        images=images,
        answer=None,
        task="t",
        domain="d",
        source=Source(dataset, "train", row, "CC0-1.0"),
    )


def records(folder: Path) -> list[MixRow]:
    """Write the records; pictures of noise, words of one token."""
    draw = np.random.default_rng(5)
    tokens, patches = frozen()
    chosen = draw.permutation(len(tokens))[:RECORDS]
    writer, made = Writer(folder), []
    for row, at in enumerate(chosen):
        seen, length = int(patches[at]) // SCALE, int(tokens[at]) // SCALE
        images: tuple[ImageRef, ...] = ()
        if seen:
            across = max(round(seen**0.5), 1)
            size = 28 * across, 28 * max(seen // across, 1)
            pixels = draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            images = (writer.image(png(pixels)),)
        words = max(length - seen - 30, 8)
        asked, told = " red" * (3 * words // 4), " bar" * (words // 4)
        made.append(record("frozen", row, asked, told, images))
    writer.shard("a", made)
    writer.finish()
    return [MixRow(one.id, 1, "as_is") for one in made]


def hand_over(folder: Path, rows: list[MixRow]) -> tuple[float, float, int]:
    """Write what the peers get; operations of a useful token, mean length, longest."""
    loaded, held = checkpoint.load(folder / "model"), store.open(folder / "data")
    processor, arrays, works = Processor(loaded.renderer), {}, []
    for at, row in enumerate(rows):
        record = held.get(row.id)
        (rendered,) = loaded.renderer.examples(record)
        one = processor.example(rendered, [held.image(image.sha256) for image in record.images])
        arrays |= {f"ids{at}": one.ids, f"supervised{at}": one.supervised}
        arrays |= {f"grid{at}": one.grids, f"patches{at}": one.patches}
        shown = b"".join(held.image(image.sha256) for image in record.images)
        arrays[f"picture{at}"] = np.frombuffer(shown, np.uint8)
        length, seen = len(one.ids), len(one.patches)
        works.append((length, float(one.supervised.sum()), seen, length**2 / 2, float(seen) ** 2))
    np.savez(folder / "examples.npz", image=loaded.renderer.image_id, **arrays)
    total = [float(sum(column)) for column in zip(*works, strict=True)]
    flops = cost.flops(loaded.model, stage_of(PACKS[0]), cost.Work(*total))
    lengths = [work[0] for work in works]
    return flops / total[0], statistics.mean(lengths), max(lengths)


def gflops(dtype: str) -> float:
    """Best of five products of matrices as large as a pack and a layer."""
    kind = getattr(torch, dtype)
    left, right = torch.ones(2048, 768, dtype=kind), torch.ones(768, 1024, dtype=kind)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2 * 2048 * 768 * 1024 / best / 1e9


def ours(folder: Path, dtype: str, tokens: int) -> tuple[float, int]:
    """Tokens a second and bytes grown by, in a process of its own."""
    words = [sys.executable, __file__, "--ours", str(folder), "--dtype", dtype]
    done = subprocess.run(
        [*words, "--pack", str(tokens)], text=True, capture_output=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    return told["tokens_per_s"], told["bytes"]


def run_ours(folder: Path, dtype: str, tokens: int) -> None:
    """The first steps of a stage."""
    held = store.open(folder / "data")
    rows = [MixRow(id_, 1, "as_is") for id_ in json.loads((folder / "rows.json").read_text())]
    found = trial(stage_of(tokens), rows, held, folder / "model", 0, "cpu", dtype)
    print(json.dumps({"tokens_per_s": 1 / found.seconds_per_token, "bytes": found.bytes}))


def peer(
    python: Path, folder: Path, dtype: str, who: str, batch: int, how: str
) -> tuple[float, int] | str:
    """The same of a peer, or why it has none."""
    words = [Path(__file__).with_name("training_peer.py"), who, folder, batch, how, dtype]
    launcher = (
        ["-m", "torch.distributed.run", "--nproc-per-node", "2"] if "processes" in how else []
    )
    done = subprocess.run(
        [str(word) for word in (python, *launcher, *words)], capture_output=True, text=True,
        env={
            **THEIRS, "OMP_NUM_THREADS": "1" if launcher else "2", "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
        },
    )  # fmt: skip
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["?"]
        return next((line for line in lines if "Error" in line), lines[-1])[:90]
    shares = [json.loads(line) for line in done.stdout.splitlines() if line[:2] == '{"']
    return sum(one["tokens_per_s"] for one in shares), sum(one["bytes"] for one in shares)


def environment(given: str | None, folder: Path) -> Path:
    """The peers' Python, made where none is given."""
    if given:
        return Path(given)
    venv.create(folder / "peer", with_pip=True)
    python = folder / "peer/bin/python"
    constraints = ROOT / "constraints/cpu.txt"
    for words in (
        ["-c", constraints, "torch"],
        ["-c", constraints, "trl", "accelerate", "datasets", "pillow"],
    ):
        subprocess.run([python, "-m", "pip", "install", "-q", *map(str, words)], check=True)
    return python


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="Python of an environment with trl, accelerate, datasets")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--ours", help=argparse.SUPPRESS)
    parser.add_argument("--pack", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ours:
        run_ours(Path(asked.ours), asked.dtype, asked.pack)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(asked.peer, folder)
        stock_qwen.write(folder / "model", **SIZES)
        rule = folder / "model/preprocessor_config.json"
        held = json.loads(rule.read_text())
        rule.write_text(json.dumps({**held, "max_pixels": 28 * 28 * 1024}))
        rows = records(folder / "data")
        (folder / "rows.json").write_text(json.dumps([row.id for row in rows]))
        per_token, mean, longest = hand_over(folder, rows)
        print(f"{len(rows)} records of {mean:.0f} tokens in the mean, {longest} at most")
        found: dict[tuple[str, int, str], list[tuple[float, int]]] = {}
        packed: dict[int, list[tuple[float, int]]] = {tokens: [] for tokens in PACKS}
        for _ in range(asked.repeats):
            for tokens, took in packed.items():
                took.append(ours(folder, asked.dtype, tokens))
            for setting in PEERS:
                told = peer(python, folder, asked.dtype, *setting)
                print(f"  {setting}: {told}, ours {packed}", file=sys.stderr, flush=True)
                if isinstance(told, str):
                    print(f"{setting}: {told}")
                else:
                    found.setdefault(setting, []).append(told)
        peak = gflops(asked.dtype)
        print(f"{'':38}{'':>9}{'ours over it, packs of':>24}")
        sizes = "".join(f"{tokens:8,}" for tokens in PACKS)
        print(f"{'':38}{'tokens/s':>9}{sizes}{'grew by':>9}{'of peak':>8}")

        def line(title: str, told: list[tuple[float, int]]) -> None:
            median = statistics.median(one[0] for one in told)
            ratios = "".join(f"{_ratio(packed[tokens], told):7.2f}x" for tokens in PACKS)
            grown = statistics.median(one[1] for one in told) / 1e6
            share = median * per_token / peak / 1e9
            print(f"{title:38}{median:9,.0f}{ratios}{grown:6,.0f} MB{share:8.2f}")

        for tokens, took in packed.items():
            line(f"ours, packs of {tokens:,}", took)
        for (who, batch, how), told in found.items():
            line(f"{who}, micro-batches of {batch}" + (f", {how}" if how else ""), told)
        print(f"peak {peak:.0f} GFLOP/s")


def _ratio(ours: list[tuple[float, int]], theirs: list[tuple[float, int]]) -> float:
    """Median over repeats, each of which ran both."""
    return statistics.median(mine[0] / one[0] for mine, one in zip(ours, theirs, strict=False))


if __name__ == "__main__":
    main()
