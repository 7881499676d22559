"""From nothing to the first training step: Pellucid beside TRL and LLaMA-Factory.

    .venv/bin/python benchmarks/startup.py                 all three
    .venv/bin/python benchmarks/startup.py --only trl      one of them
    .venv/bin/python benchmarks/startup.py --keep FOLDER   environments stay, and are used again

Each gets an empty virtual environment with the pinned CPU build of torch, then its own install
(seconds, megabytes and packages beyond torch's), then trains a tiny random model on a few rows on
the CPU (seconds from the start of the command to the end of the first optimizer step, median of
three). Downloads are part of the install; pip's cache is off. The work differs as the tools do:
ours starts from a recipe and draws and stores its data first, theirs read text from a file. No
model or data hub is asked; what a peer needs is made by `startup_peer.py` in its own environment.
LLaMA-Factory needs torchvision and torchaudio, whose builds from PyPI do not load beside a CPU
build of torch; they count in its install and make way for an empty module before its first step,
which works on text.

Leaves out on purpose: training speed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PEER = Path(__file__).with_name("startup_peer.py")
CONSTRAINTS = ROOT / "constraints" / "cpu.txt"
REPEATS = 3
LIMIT_S = 300
ENVIRON = {
    **os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled", "PYTHONWARNINGS": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "USE_MODELSCOPE_HUB": "0", "DISABLE_VERSION_CHECK": "1",
}  # fmt: skip


class Tool(NamedTuple):
    """What is installed, and the command whose first step is timed."""

    requirement: str
    command: tuple[str, ...]


TOOLS = {
    "pellucid": Tool(str(ROOT), ("{bin}/pellucid", "run", "smoke", "--home", "{folder}/runs")),
    "trl": Tool("trl", ("{bin}/python", str(PEER), "trl", "{folder}")),
    "llamafactory": Tool(
        "llamafactory", ("{bin}/llamafactory-cli", "train", "{folder}/train.yaml")
    ),
}


class Found(NamedTuple):
    """One line of the table."""

    name: str
    install_s: float
    megabytes: float
    packages: int
    first_step_s: list[float]
    fault: str = ""


def megabytes(folder: Path) -> float:
    """Bytes of the files below a folder, in 10^6."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def packages(environment: Path) -> int:
    """Installed distributions, pip and setuptools apart."""
    names = {path.name.split("-")[0].lower() for path in site(environment).glob("*.dist-info")}
    return len(names - {"pip", "setuptools"})


def site(environment: Path) -> Path:
    """The environment's site-packages."""
    return next(environment.glob("lib/python3*/site-packages"))


def pip(environment: Path, *words: str) -> str:
    """Install, without a cache; the last line of what pip said when it failed."""
    command = [environment / "bin" / "pip", "install", "-q", "--no-cache-dir", *words]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
    return "" if done.returncode == 0 else (lines or ["pip failed"])[-1]


def first_step(tool: Tool, environment: Path) -> float:
    """Seconds from the start of the command to the end of its first optimizer step.

    Raises:
        RuntimeError: it ended without one.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = {"bin": str(environment / "bin"), "folder": folder}
        if tool.command[0] != "{bin}/pellucid":
            prepare = [environment / "bin" / "python", PEER, "prepare", folder]
            subprocess.run(prepare, check=True, env=ENVIRON, capture_output=True)
        command = [word.format(**words) for word in tool.command]
        with (Path(folder) / "said.txt").open("w+") as said:
            start = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=folder, env=ENVIRON, stdout=said, stderr=subprocess.STDOUT
            )
            while not stepped(Path(folder)):
                if time.perf_counter() - start > LIMIT_S:
                    process.kill()
                    raise RuntimeError(f"none within {LIMIT_S} s")
                if process.poll() is not None and not stepped(Path(folder)):
                    said.seek(0)
                    raise RuntimeError(said.read().strip().splitlines()[-1][:200])
                time.sleep(0.02)
            seconds = time.perf_counter() - start
            process.kill()
            process.wait()
    return seconds


def stepped(folder: Path) -> bool:
    """Whether a log says that a step was done: ours, or the Trainer's of both peers."""
    ours = folder.glob("runs/artifacts/.partial-train-*/log.jsonl")
    theirs = folder.glob("out/trainer_log.jsonl")
    return any(path.stat().st_size > 0 for path in (*ours, *theirs))


def measure(name: str, environment: Path) -> Found:
    """Install a tool and time its first steps."""
    noted = environment / "install.json"
    if not noted.is_file():
        if environment.exists():
            shutil.rmtree(environment)  # of an install that did not end
        found = _install(name, environment)
        if found.fault:
            return found
        noted.write_text(json.dumps(found._asdict()), encoding="utf-8")
    found = Found(**json.loads(noted.read_text(encoding="utf-8")))
    try:
        steps = [first_step(TOOLS[name], environment) for _ in range(REPEATS)]
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return found._replace(fault=f"no first step: {error}")
    return found._replace(first_step_s=steps)


def _install(name: str, environment: Path) -> Found:
    """Time the install of a tool beside a torch that is there."""
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    fault = pip(environment, "-c", str(CONSTRAINTS), "torch")
    if fault:
        return Found(name, 0.0, 0.0, 0, [], f"torch: {fault}")
    size, count = megabytes(site(environment)), packages(environment)
    start = time.perf_counter()
    fault = pip(environment, "-c", str(CONSTRAINTS), TOOLS[name].requirement)
    seconds = time.perf_counter() - start
    size, count = megabytes(site(environment)) - size, packages(environment) - count
    if name == "llamafactory" and not fault:
        _without_cuda_builds(environment)
    return Found(name, seconds, size, count, [], fault)


def _without_cuda_builds(environment: Path) -> None:
    command = [environment / "bin" / "pip", "uninstall", "-q", "-y", "torchvision", "torchaudio"]
    subprocess.run(command, check=True, env=ENVIRON, capture_output=True)
    (site(environment) / "torchaudio.py").write_text("", encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=sorted(TOOLS), help="these tools")
    parser.add_argument("--keep", type=Path, help="where environments stay")
    told = parser.parse_args()
    names = told.only or list(TOOLS)
    home = told.keep or Path(tempfile.mkdtemp())
    print(f"{'':<14}{'install':>9}{'size':>10}{'packages':>10}{'first step':>24}", flush=True)
    ours: Found | None = None
    for name in names:
        one = measure(name, home.resolve() / name)
        ours = one if name == "pellucid" else ours
        line = f"{name:<14}{one.install_s:>7.0f} s{one.megabytes:>7.0f} MB{one.packages:>10}"
        if one.first_step_s:
            median = statistics.median(one.first_step_s)
            line += f"{median:>8.1f} s ({min(one.first_step_s):.1f} to {max(one.first_step_s):.1f})"
            if ours and ours.first_step_s and one is not ours:
                line += f"  {median / statistics.median(ours.first_step_s):.2f} x ours"
        print(f"{line}  {one.fault}".rstrip(), flush=True)
    if told.keep is None:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
