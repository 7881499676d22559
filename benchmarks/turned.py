"""Turned and mirrored copies that vectors propose: what is found, and what is found wrongly.

    .venv/bin/python benchmarks/turned.py [--each 20] [--workers 2] [--no-crops]
    .venv/bin/python benchmarks/turned.py --cost 100000

Every picture of five kinds (`planted.py`) stands beside one that differs in a single value, and
three copies that were turned by quarters or mirrored: as they are, as JPEG, rescaled. Two small
embeddings that are the same however a picture is turned propose pairs: how often each of 64 colours
occurs, and means of grey by distance from the middle. Printed: the share of copies that is found,
false pairs, pairs compared, processor time. Exit code 1 for a false pair. `--cost` is the search
for neighbours alone, of random vectors of 512 numbers.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image
from planted import CLASSES, COPIES, Row, almost, build, drawn, png

from pellucid import store
from pellucid.cli.options import one_thread_each
from pellucid.data.duplicates.build import find_duplicates
from pellucid.data.duplicates.cosine import Cosine, nearest
from pellucid.data.ops.image_embedding import checked, image_embedding

CODE = """
import numpy as np


def colours(images):
    pixels = [np.asarray(one).reshape(-1, 3) for one in images]
    return [np.histogramdd(one, 4, [(0, 256)] * 3)[0].ravel() for one in pixels]


def rings(images):
    y, x = np.mgrid[:64, :64] - 31.5
    ring = np.minimum(np.hypot(x, y), 40).astype(int).ravel()
    made = []
    for one in images:
        grey = np.asarray(one.convert("L").resize((64, 64)), float).ravel()
        means = np.bincount(ring, grey) / np.bincount(ring)
        made.append([*(means - grey.mean()), 1e-3])
    return made
"""
MADE = ("turned", "turned, JPEG 40-95", "turned, rescaled 0.5-2x")


def planted(each: int, seed: int, folder: Path) -> dict[tuple[str, int, str], int]:
    """Build the store; the row of each (kind, number, what was done)."""
    rng, rows, at = Random(seed), list[Row](), dict[tuple[str, int, str], int]()
    for kind in CLASSES:
        for number in range(each):
            base = drawn(kind, number)
            turns = [base.transpose(rng.choice(list(Image.Transpose))) for _ in MADE]
            files = {
                "": png(base),
                "almost": png(almost(kind, number)),
                MADE[0]: png(turns[0]),
                MADE[1]: COPIES["JPEG 40-95"][1](turns[1], rng),
                MADE[2]: COPIES["rescaled 0.5-2x"][1](turns[2], rng),
            }
            for name, data in files.items():
                at[kind, number, name] = len(rows)
                rows.append(Row((data,), "What is shown?", "-"))
    build(folder, rows, shard_rows=200)
    return at


def measure(each: int, folder: Path, at: dict[tuple[str, int, str], int]) -> bool:
    """Print what the labels in a store say; whether no pair is false."""
    own = {
        row["id"]: row["image_cluster"]
        for row in store.read_label(folder, "duplicates", 2).to_pylist()
    }
    rows = sorted(store.open(folder).records(), key=lambda one: one.source.row)
    names = {key: own[rows[row].id] for key, row in at.items()}
    good = True
    for kind in CLASSES:
        bases = [names[kind, number, ""] for number in range(each)]
        found = [sum(names[kind, n, made] == bases[n] for n in range(each)) / each for made in MADE]
        # A photo has no value that could differ: its "almost" has equal pixels.
        near = (
            0 if kind == "photos" else sum(names[kind, n, "almost"] in bases for n in range(each))
        )
        false = near + each - len(set(bases))
        good &= not false
        print(f"  {kind:<10}" + "".join(f"{share:>8.2f}" for share in found) + f"{false:>8}")
    return good


def cost(count: int) -> None:
    """Print the processor time of the search for neighbours alone."""
    made = np.random.default_rng(0).normal(size=(count, 512)).astype(np.float32)
    rows = np.concatenate([checked(some, [""] * len(some)) for some in np.array_split(made, 64)])
    start = time.process_time()
    nearest(lambda first, end: rows[first:end].astype(np.float64), np.arange(count), 0.9)
    print(f"{count} vectors of 512 numbers: {time.process_time() - start:.0f} s of processor")


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--each", type=int, default=20, help="pictures of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-crops", action="store_true", help="look for no crops")
    parser.add_argument("--cost", type=int, help="vectors; measures nothing else")
    told = parser.parse_args()
    if told.cost:
        cost(told.cost)
        return 0
    one_thread_each()
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder, code = Path(name) / "store", Path(name) / "looks.py"
        code.write_text(CODE, "utf-8")
        at = planted(told.each, told.seed, folder)
        for function in (None, "colours", "rings"):
            by = Cosine(image_embedding(f"{code}:{function}"), 0.9) if function else None
            start = time.process_time()
            found = find_duplicates(
                [folder], workers=told.workers, crops=not told.no_crops, cosine=by
            )
            spent = time.process_time() - start
            print(
                f"{function or 'no vectors'}: {found.images} pictures, {found.looked_at} pairs "
                f"compared, {spent:.0f} s of processor in this process"
            )
            print(
                f"  {'':<10}"
                + "".join(f"{one:>8}" for one in ("turned", "JPEG", "scaled", "false"))
            )
            good &= measure(told.each, folder, at)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
