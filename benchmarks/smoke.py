"""Start-up and smoke times, each as a whole process: median and range of several runs.

    .venv/bin/python benchmarks/smoke.py            help and import
    .venv/bin/python benchmarks/smoke.py --run 3    and three fresh smoke runs

Leaves out on purpose: peers. These are our own bounds (help and import under 0.3 s without
torch, the smoke recipe under 90 s); nothing is asserted, since machines are noisy.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PELLUCID = Path(sys.executable).with_name("pellucid")


def seconds(command: list[str]) -> float:
    """Wall-clock of one process that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def smoke() -> float:
    """A fresh smoke run in an empty workspace."""
    with tempfile.TemporaryDirectory() as home:
        return seconds([str(PELLUCID), "run", "smoke", "--home", f"{home}/runs"])


def show(name: str, times: list[float]) -> None:
    """One line a figure."""
    median = statistics.median(times)
    print(
        f"{name:<18} median {median:.2f} s  ({min(times):.2f} to {max(times):.2f}, n={len(times)})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=int, default=0, help="how many fresh smoke runs")
    runs = parser.parse_args().run
    show("pellucid --help", [seconds([str(PELLUCID), "--help"]) for _ in range(7)])
    show("import pellucid", [seconds([sys.executable, "-c", "import pellucid"]) for _ in range(7)])
    if runs:
        show("run smoke", [smoke() for _ in range(runs)])


if __name__ == "__main__":
    main()
