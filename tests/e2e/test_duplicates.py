"""Duplicates and contamination through the commands, as a user calls them; and killed."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from benchmarks.planted import COPIES, Row, almost, build, drawn, png
from PIL import Image
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


@pytest.fixture
def turned(home: Path) -> Path:
    """The notice mirrored and turned, beside others of its template; the page's function."""
    notice, turn = drawn("notices", 0), Image.Transpose
    made = [notice.transpose(turn.FLIP_LEFT_RIGHT), notice.transpose(turn.ROTATE_270)]
    made += [almost("notices", 0), drawn("notices", 2)]
    rows = [Row((png(one),), "Which room is closed?", "7") for one in made]
    build(home / "more", rows, shard_rows=1)
    code = PAGE.read_text("utf-8").split("## Turned")[1].split("```python\n")[1].split("```")[0]
    (home / "looks.py").write_text(code, "utf-8")
    return home


def test_turned_pictures_as_the_page_says(turned: Path) -> None:
    lines = PAGE.read_text("utf-8").split("```sh\n")[4].split("```")[0].splitlines()
    for line in lines:
        done = pellucid(*line.split()[1:], cwd=turned)
        assert done.returncode == 0, done.stderr
    told = json.loads((turned / "train/labels/duplicates@2/manifest.json").read_text("utf-8"))
    known = told["params"]["image_embedding"]
    assert known["code"] == hashlib.sha256((turned / "looks.py").read_bytes()).hexdigest()
    assert (known["function"], known["alike"]) == ("colours", 0.9)
    words = ["data", "dedup", "train", "more", "--json"]
    found = json.loads(pellucid(*words, cwd=turned).stdout)
    assert (found["images"], found["image_clusters"]) == (7, 6)
    words += ["--image-embedding", "looks.py:colours"]
    found = json.loads(pellucid(*words, "--workers", 2, cwd=turned).stdout)
    assert (found["images"], found["image_clusters"]) == (7, 4)


def test_a_wrong_image_embedding_is_one_line(turned: Path) -> None:
    (turned / "bad.py").write_text("def none(images):\n    return [[0.0]] * len(images)\n")
    for name, told in (
        ("looks.py:colors", "colours"),
        ("look.py:colours", "not there"),
        ("bad.py:none", "zeros"),
    ):
        done = pellucid("data", "dedup", "train", "--image-embedding", name, cwd=turned)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        last = done.stderr.splitlines()[-1]
        assert "--image-embedding=" in last and told in last, done.stderr


@pytest.mark.parametrize("moment", [2, 5, 9, 12])
def test_vectors_killed_and_called_again(turned: Path, moment: int) -> None:
    words = ["data", "dedup", str(turned / "more"), "--image-embedding"]
    words.append(str(turned / "looks.py:colours"))
    log = str(turned / "log")
    begun = subprocess.run(
        [sys.executable, KILL, "before replace", str(moment), log, *words], capture_output=True
    )
    assert begun.returncode == -signal.SIGKILL
    ended = pellucid(*words)
    assert ended.returncode == 0, ended.stderr
    found = tree(turned / "more")
    shutil.rmtree(turned / "more/labels")
    assert pellucid(*words).returncode == 0 and tree(turned / "more") == found


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
