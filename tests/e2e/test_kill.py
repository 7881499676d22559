"""`kill -9` at twenty seeded moments of a smoke run: in every job, inside checkpoint, store and
catalog writes. Run again, and every file is what an unbroken run made.
"""

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.command import pellucid, stable_files

HARNESS = Path(__file__).with_name("kill_at.py")
KILLS = 20
SEED = 20
MUST = {
    "store": r"before replace .*\.partial-data-.*/(records|images|ledger|store\.json)",
    "checkpoint": r"before (replace|rename) .*\.partial-train-.*step-",
    "catalog": r"before sql '(INSERT|COMMIT)",
    "rollouts": r"before replace .*\.partial-rl-.*rollouts",
    "rows": r"before replace .*\.partial-eval-.*rows",
}
"""Places that must be hit, by a pattern of the moment's log line."""
JOBS = ("data", "mix", "init", "train", "rl", "eval", "release")


def moments(log: Path) -> list[str]:
    return [line.split(" ", 1)[1] for line in log.read_text(encoding="utf-8").splitlines()]


def run(home: Path, log: Path, last: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, HARNESS, str(last), log, "run", "smoke", "--home", home],
        capture_output=True,
        text=True,
        timeout=900,
    )


def choose(told: list[str], rng: random.Random) -> list[int]:
    """Distinct moments (from 1): one per place and job type that must be hit, the rest anywhere."""
    patterns = [*MUST.values(), *(rf"\.partial-{job}-" for job in JOBS)]
    chosen: list[int] = []
    for pattern in patterns:
        fitting = [at for at, line in enumerate(told, 1) if re.search(pattern, line)]
        assert fitting, f"no moment fits {pattern}"
        chosen.append(rng.choice(fitting))
    while len(set(chosen)) < KILLS:
        chosen.append(rng.randint(1, len(told)))
    return sorted(set(chosen))


def test_twenty_kills_change_no_byte(smoke: Path, tmp_path: Path) -> None:
    count = tmp_path / "count.log"
    whole = run(tmp_path / "counted", count, 0)
    assert whole.returncode == 0, whole.stderr[-2000:]
    told = moments(count)
    home, kills, passed = tmp_path / "broken", 0, 0
    for number, moment in enumerate(choose(told, random.Random(SEED))):
        # What is done is skipped after a kill, so the moment is counted from the last one.
        log = tmp_path / f"{number}.log"
        done = run(home, log, max(1, moment - passed))
        passed = moment
        if done.returncode == -signal.SIGKILL:
            kills += 1
        else:
            assert done.returncode == 0, done.stderr[-2000:]
    assert kills >= KILLS - 3, f"only {kills} of the processes were killed"
    last = pellucid("run", "smoke", "--home", home)
    assert last.returncode == 0, last.stderr[-2000:]
    assert stable_files(home, "smoke") == stable_files(smoke, "smoke")
    leftovers = [path.name for path in home.rglob(".*") if ".lock-" not in path.name]
    assert leftovers == []
    listed = pellucid("catalog", "list", "--home", home, "--json")
    assert listed.returncode == 0 and '"smoke"' in listed.stdout
