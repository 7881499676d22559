"""The code of the pages runs as it stands, on a finished smoke run."""

import json
import re
import shutil
from pathlib import Path

import pytest

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
