"""Duplicates and contamination through the commands, as a user calls them; and killed."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from benchmarks.planted import COPIES, Row, build, drawn, png
from tests.e2e.command import pellucid

KILL = Path(__file__).with_name("kill_at.py")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "duplicates.md"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    notice = drawn("notices", 0)
    jpeg = COPIES["JPEG 40-95"][1](notice, Random(0))
    rows = [
        Row((png(notice),), "Which room is closed?", "7"),
        Row((jpeg,), "Tell me which room is closed.", "7"),
        Row((jpeg,), "Which colour?", "red"),
        Row((png(drawn("notices", 1)),), "Which room is closed?", "7"),
    ]
    build(tmp_path / "train", rows, shard_rows=2)
    build(tmp_path / "eval", [Row((png(notice),), "Which room is closed?", "7")], split="test")
    return tmp_path


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "labels").rglob("*"))
        if path.is_file()
    }


def test_the_commands_of_the_page(home: Path) -> None:
    lines = PAGE.read_text("utf-8").split("```sh\n")[1].split("```")[0].splitlines()
    for line in lines:
        done = pellucid(*line.split()[1:], cwd=home)
        assert done.returncode == 0, done.stderr
    assert (home / "evidence.html").is_file() and (home / "train/labels/duplicates@2").is_dir()


def test_without_crops_as_the_page_says(home: Path) -> None:
    (line,) = PAGE.read_text("utf-8").split("```sh\n")[2].split("```")[0].splitlines()
    done = pellucid(*line.split()[1:], "--json", cwd=home)
    found = json.loads(done.stdout)
    assert (found["images"], found["image_clusters"], found["repeated_records"]) == (3, 2, 1)
    told = json.loads((home / "train/labels/duplicates@2/manifest.json").read_text("utf-8"))
    assert told["params"]["crops"] is False
    assert not (home / "train/labels/image_signature@2").exists()


def test_an_own_embedding_as_the_page_says(home: Path) -> None:
    lines = PAGE.read_text("utf-8").split("```sh\n")[3].split("```")[0].splitlines()
    (home / "my.py").write_text("def vectors(texts):\n    return [[1.0, 0.0] for _ in texts]\n")
    for line in lines:
        done = pellucid(*line.split()[1:], cwd=home)
        assert done.returncode == 0, done.stderr
    told = (home / "train/labels/duplicates@2/manifest.json").read_text("utf-8")
    assert json.loads(told)["params"]["embedding"]["file"] == "my.py"
    done = pellucid("data", "dedup", "train", "--embedding", "my.py:vektors", cwd=home)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "vectors" in done.stderr


def test_what_is_counted(home: Path) -> None:
    done = pellucid("data", "dedup", "train", "--json", "--workers", 2, cwd=home)
    found = json.loads(done.stdout)
    assert (found["records"], found["images"], found["image_clusters"]) == (4, 3, 2)
    assert found["repeated_records"] == 1
    done = pellucid("data", "decontaminate", "train", "--against", "eval", "--json", cwd=home)
    found = json.loads(done.stdout)
    assert found["verdicts"] == {"full": 2, "image+question": 0, "image only": 1, "text only": 1}


def test_a_wrong_path_is_one_line(home: Path) -> None:
    for words in (["dedup", "none"], ["decontaminate", "train", "--against", "none"]):
        done = pellucid("data", *words, cwd=home)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert "is no folder of a store" in done.stderr and "none" in done.stderr


def test_a_damaged_store_is_one_line(home: Path) -> None:
    next((home / "train/records").glob("*.parquet")).write_bytes(b"PAR1 cut off PAR1")
    done = pellucid("data", "dedup", "train", cwd=home)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "is damaged" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("moment", [1, 4, 9, 14])
def test_killed_and_called_again(home: Path, moment: int) -> None:
    words = ["data", "decontaminate", str(home / "train"), "--against", str(home / "eval")]
    log = str(home / "log")
    begun = subprocess.run(
        [sys.executable, KILL, "before replace", str(moment), log, *words], capture_output=True
    )
    ended = pellucid(*words)
    assert ended.returncode == 0, ended.stderr
    found = tree(home / "train")
    for path in (home / "train/labels").rglob("*.*"):
        path.unlink()
    assert pellucid(*words).returncode == 0 and tree(home / "train") == found
    assert begun.returncode == -signal.SIGKILL or moment > 5
