"""`kill -9` at twenty seeded moments of a smoke run, in every job: inside store, checkpoint,
rollout, row, evidence and catalog writes. Run again, and every file is what an unbroken run made.
"""

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.command import pellucid, stable_files

HARNESS = Path(__file__).with_name("kill_at.py")
SEED = 20
PLACES = [
    (r"replace .*\.partial-data-.*(records|images|ledger)", 6),
    (r"replace .*\.partial-data-", 8),
    (r"\.partial-data-.*store\.json", 2),
    (r"\.partial-mix-", 12),
    (r"\.partial-init-.*model\.safetensors", 2),
    (r"\.partial-init-", 10),
    (r"before replace .*\.partial-train-.*lengths", 1),
    (r"after replace .*\.partial-train-.*step-", 1),
    (r"before replace .*\.partial-train-.*step-", 4),
    (r"\.partial-train-.*step-", 6),
    (r"\.partial-train-.*\.checkpoint\.tmp", 6),
    (r"\.partial-rl-.*rollouts", 2),
    (r"\.partial-rl-.*step-", 4),
    (r"\.partial-rl-", 8),
    (r"\.partial-eval-.*rows", 4),
    (r"\.partial-eval-.*rows", 4),
    (r"\.partial-eval-.*report\.json", 2),
    (r"\.partial-release-", 6),
    (r"before sql 'INSERT", 1),
    (r"before sql 'COMMIT", 1),
]
"""Where to kill, in the order in which a run comes by: a pattern of the moment, and how many such
moments a fresh process is sure to meet there."""


def run(home: Path, log: Path, pattern: str, number: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, HARNESS, pattern, str(number), log, "run", "smoke", "--home", home],
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_twenty_kills_change_no_byte(smoke: Path, tmp_path: Path) -> None:
    rng, home = random.Random(SEED), tmp_path / "broken"
    for at, (pattern, most) in enumerate(PLACES):
        log = tmp_path / f"{at:02d}.log"
        done = run(home, log, pattern, rng.randint(1, most))
        assert done.returncode == -signal.SIGKILL, (pattern, done.stderr[-2000:])
        assert re.search(pattern, log.read_text(encoding="utf-8").splitlines()[-1])
    last = pellucid("run", "smoke", "--home", home)
    assert last.returncode == 0, last.stderr[-2000:]
    assert stable_files(home, "smoke") == stable_files(smoke, "smoke")
    leftovers = [path.name for path in home.rglob(".*") if ".lock-" not in path.name]
    assert leftovers == []
    listed = pellucid("catalog", "list", "--home", home, "--json")
    assert listed.returncode == 0 and '"smoke"' in listed.stdout
