"""The code of the pages runs as it stands, on a finished smoke run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.command import pellucid

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def beside(smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `runs/` is a copy of the workspace of the smoke run."""
    shutil.copytree(smoke, tmp_path / "runs", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_images_way(beside: Path) -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    exec("\n".join(blocks), {})


def test_the_notebook(beside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 6
    known: dict[str, object] = {}
    for code in cells:
        exec(code, known)
    assert "eval.rl.scenes" in capsys.readouterr().out


def test_the_page_on_stages(beside: Path) -> None:
    """Its line trains the first stage twice over, and says whether it kept the tower's features."""
    page = (DOCS / "stages.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    done = pellucid(*line.split()[1:], cwd=beside)
    assert done.returncode == 0, done.stderr
    found = list((beside / "runs/artifacts").glob("train-*/timing/features.json"))
    assert len(found) == 1 and json.loads(found[0].read_text(encoding="utf-8"))["visits"] == 2


def test_the_first_line_of_the_cluster_page(tmp_path: Path) -> None:
    """Two processes make the run; what they train is what one does, but for the last bits."""
    page = (DOCS / "cluster.md").read_text(encoding="utf-8")
    line = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].strip()
    bin_ = Path(sys.executable).parent
    words = [word.replace(".venv/bin", str(bin_)) for word in line.split()]
    # Another port than the default, which another run on this machine may hold.
    command = [words[0], "--standalone", *words[1:], "--only", "train"]
    for job in ("data", "mix", "init"):
        command += ["--only", job]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("train.long           built") == 1, "one of them speaks"
    manifests = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (tmp_path / "runs" / "artifacts").glob("train-*/manifest.json")
    ]
    assert manifests and all(one["environment"]["ranks"] == "2" for one in manifests)
