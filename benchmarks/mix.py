"""A mix over many records: time, and memory beside what the opened store holds.

    .venv/bin/python benchmarks/mix.py --out FOLDER

Writes stores of 100,000 and 1,000,000 generated records (text, three tasks, a third of them able
to think, a tenth held out), then makes a mix of each in a process of its own: shares of two domains
with a share of thinking, and the same with a cap per question. Leaves out: making the stores, and
opening them, whose memory is told apart.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from pellucid import store
from pellucid.recipe.mix import Mix, Take
from pellucid.schema.record import Answer, Record, Source, assistant, make_record, user
from pellucid.store import Writer

SIZES = (100_000, 1_000_000)
SHARD = 10_000


def record(number: int) -> Record:
    """A record of about 200 characters; every third can think."""
    question = f"Of {number} apples {number % 97} are red. How many are not, in basket {number}?"
    reasoning = f"{number} - {number % 97} = {number - number % 97}." if number % 3 == 0 else None
    split = ("test", "validation")[number % 20 == 0] if number % 10 == 0 else "train"
    return make_record(
        messages=(user(question), assistant(str(number - number % 97), reasoning)),
        images=(),
        answer=Answer("number", str(number - number % 97)),
        task="abc"[number % 3],
        domain=("sums", "words")[number % 4 == 0],
        source=Source("apples", split, number, "CC0-1.0"),  # type: ignore[arg-type]
    )


def write(folder: Path, count: int) -> None:
    """A store of so many records."""
    writer = Writer(folder)
    for start in range(0, count, SHARD):
        made = [record(number) for number in range(start, start + SHARD)]
        writer.shard(f"{start // SHARD:05d}", made)
    writer.finish()


def status(field: str) -> float:
    """A line of /proc/self/status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise SystemExit("needs /proc")


def measure(folder: Path, capped: bool) -> dict[str, float]:
    """Open a store, make a mix, and say what each took."""
    from pellucid.data.mix import build_mix

    bare, start = status("VmRSS"), time.perf_counter()
    opened = store.open(folder)
    told = {"bare_mb": bare, "open_s": time.perf_counter() - start, "open_mb": status("VmRSS")}
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    takes = (
        Take(source="x", domains=("sums",), share=0.7),
        Take(source="x", domains=("words",), share=0.3),
    )
    query = Mix(take=takes, think_share=0.2, per_question=2 if capped else None)
    start = time.perf_counter()
    build_mix("m", query, {"x": opened}, 0, folder.parent / f"mix-{folder.name}-{capped}")
    told |= {"mix_s": time.perf_counter() - start, "peak_mb": status("VmHWM")}
    return told | {"after_mb": status("VmRSS")}


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--measure", type=Path)
    parser.add_argument("--capped", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.capped)))
        return
    for size in options.sizes:
        folder = options.out / str(size)
        if not (folder / "store.json").is_file():
            write(folder, size)
        for capped in (False, True):
            command = [sys.executable, __file__, "--out", options.out, "--measure", folder]
            command += ["--capped"] if capped else []
            done = subprocess.run(
                [str(one) for one in command], capture_output=True, text=True, check=True
            )
            told = {name: round(value, 1) for name, value in json.loads(done.stdout).items()}
            print(f"{size:>9,} records, {'capped' if capped else 'plain'}: {told}", flush=True)


if __name__ == "__main__":
    main()
