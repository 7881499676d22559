"""The figures of the laptop recipe: what a finished run reached beside what is asked of it.

    .venv/bin/python benchmarks/laptop.py                   figures of runs/laptop
    .venv/bin/python benchmarks/laptop.py --fresh 417000000  on scenes of this seed
    .venv/bin/python benchmarks/laptop.py --run             of a fresh run, with time and memory
    .venv/bin/python benchmarks/laptop.py --run --set dtype=bfloat16

    .venv/bin/python benchmarks/laptop.py --within 0.05     as CI does

Reads report.json. Another kind of machine trains another model, and a run has 300 items, so CI
lets accuracies be short by 0.05. `--fresh` evaluates the checkpoints of runs/laptop again, on 200
items a family of scenes that no tuning has seen (RL's own figures stay those of the report). Exit
code 1 when a figure is missed. Memory is the summed PSS of the process tree, sampled twice a
second.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PELLUCID = Path(sys.executable).with_name("pellucid")
FAMILIES = ("charts", "documents", "geometry", "screens", "shapes")
POOL = "eval.rl.scenes"


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    found: str
    asked: str
    reached: bool


def figures(metrics: dict[str, Any], within: float = 0.0) -> Iterator[Figure]:
    """What the recipe is asked for, from numbers by id; accuracies may be short by `within`."""

    def value(id: str, field: str = "value") -> float:
        return float(metrics[id][field])

    def shown(id: str) -> str:
        one = metrics[id]
        return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}] n={one['n']}"

    mean, least = f"{POOL}.auto.all.mean_accuracy", f"{POOL}.auto.all.min_accuracy"
    yield Figure("auto, mean of families", shown(mean), ">= 0.70", value(mean) >= 0.70 - within)
    yield Figure("auto, lowest family", shown(least), ">= 0.40", value(least) >= 0.40 - within)
    for family in FAMILIES:
        final, align = (
            value(f"eval.{checkpoint}.{family}.auto.all.accuracy") for checkpoint in ("rl", "align")
        )
        found = f"{align:.3f} -> {final:.3f}"
        yield Figure(f"{family}: align -> final", found, "+0.10", final - align >= 0.10)
    gain = f"{POOL}.think.domain-arithmetic.gain"
    reached = value(gain) >= 0.10 - within and value(gain, "low") > -within
    yield Figure("arithmetic: think - nothink", shown(gain), ">= 0.10, low > 0", reached)
    gain = f"{POOL}.think.domain-perception.gain"
    reached = value(gain, "high") < 0.02 + within
    yield Figure("perception: think - nothink", shown(gain), "high < 0.02", reached)
    ratio = f"{POOL}.nothink.domain-perception.token_ratio"
    yield Figure("  tokens, nothink / think", shown(ratio), "< 0.333", value(ratio) < 1 / 3)
    for domain, least_share in (("perception", 0.0), ("arithmetic", 0.95)):
        chose = f"{POOL}.auto.domain-{domain}.chose_think"
        share = value(chose)
        reached = share >= least_share if least_share else share <= 0.05
        asked = ">= 0.95" if least_share else "<= 0.05"
        yield Figure(f"auto thinks about {domain}", shown(chose), asked, reached)
    gain, ratio = f"{POOL}.auto.all.auto_gain", f"{POOL}.auto.all.token_ratio"
    reached = value(gain) >= -0.01 - within
    yield Figure("auto - better forced mode", shown(gain), ">= -0.01", reached)
    yield Figure("  tokens, auto / think", shown(ratio), "< 0.5", value(ratio) < 0.5 + within)
    yield from _reinforcement(metrics, shown, value, within)


def _reinforcement(
    metrics: dict[str, Any], shown: Any, value: Any, within: float
) -> Iterator[Figure]:
    gain = "rl.probe.gain"
    reached = value(gain, "low") > -within
    yield Figure("RL: accuracy on fresh samples", shown(gain), "low > 0", reached)
    clipped, truncated = value("rl.clipped.mean"), value("rl.truncated.mean")
    yield Figure("  clipped fraction", f"{clipped:.4f}", "0.001 to 0.5", 0.001 <= clipped <= 0.5)
    yield Figure("  truncated rollouts", f"{truncated:.4f}", "< 0.02", truncated < 0.02)


def pss_bytes(root: int) -> int:
    """Summed PSS of a process and its descendants; what has just ended counts nothing."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def run(home: Path, overrides: list[str]) -> None:
    """A fresh run; prints its time and its memory."""
    told = [part for override in overrides for part in ("--set", override)]
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen([str(PELLUCID), "run", "laptop", "--home", str(home), *told])
    while process.poll() is None:
        peak = max(peak, pss_bytes(process.pid))
        time.sleep(0.5)
    seconds = time.perf_counter() - start
    print(
        f"run: {seconds / 60:.1f} minutes, peak PSS {peak / 2**30:.2f} GiB, {' '.join(overrides)}"
    )


def show(home: Path, seed: int | None = None, within: float = 0.0) -> bool:
    """Print the table of a finished run; whether everything was reached."""
    report = json.loads((home / "laptop" / "report" / "report.json").read_text("utf-8"))
    numbers = report["numbers"] | (fresh(home, seed) if seed is not None else {})
    found = list(figures(numbers, within))
    for one in found:
        mark = "reached" if one.reached else "MISSED"
        print(f"{one.name:<31} {one.found:<32} {one.asked:<18} {mark}")
    return all(one.reached for one in found)


def fresh(home: Path, seed: int) -> dict[str, Any]:
    """Numbers of the checkpoints `align` and `rl` on scenes from `seed` on."""
    found = {}
    told = ["release=null", *(f"eval.tasks.{name}=null" for name in ("safety", "real"))]
    for family in FAMILIES:
        at, task = f"data.sources.{family}", f"eval.tasks.{family}"
        told += [f"{at}.seed={seed}", f"{at}.scenes=120", f"{at}.split.test=0.9"]
        told += [f"{task}.limit=200", f"{task}_blank=null", f"{task}_withheld=null"]
    for checkpoint, modes in {"align": ["eval.modes=[auto]"], "rl": []}.items():
        sets = [part for override in (*told, *modes) for part in ("--set", override)]
        with tempfile.TemporaryDirectory() as folder:
            target = f"{folder}/{checkpoint}"
            options = ["--home", str(home)]
            export = ["export", "laptop", "--to", target, "--checkpoint", checkpoint, *options]
            subprocess.run([str(PELLUCID), *export], check=True, stdout=subprocess.DEVNULL)
            evaluate = [str(PELLUCID), "eval", target, "laptop", "--json", *options, *sets]
            done = subprocess.run(evaluate, check=True, stdout=subprocess.PIPE, text=True)
        for metric in json.loads(done.stdout)["report"]["metrics"]:
            kind, _, rest = metric["id"].split(".", 2)
            found[f"{kind}.{checkpoint}.{rest}"] = metric
    return found


def main() -> None:
    """Run if asked, then print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path("runs"), help="workspace of the run")
    parser.add_argument("--run", action="store_true", help="run the recipe in a fresh workspace")
    parser.add_argument("--set", action="append", default=[], help="override of the recipe")
    parser.add_argument("--fresh", type=int, help="evaluate on scenes of this seed")
    parser.add_argument(
        "--within", type=float, default=0.0, help="how far short of what is asked is accepted"
    )
    told = parser.parse_args()
    if not told.run:
        sys.exit(0 if show(told.home, told.fresh, told.within) else 1)
    with tempfile.TemporaryDirectory() as home:
        run(Path(home), told.set)
        sys.exit(0 if show(Path(home), None, told.within) else 1)


if __name__ == "__main__":
    main()
