"""Planted faults and repairs may not see each other: the wall stands, and it does fall when broken.

Linted in a copy, so that an import can be written into it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The package and its contracts, without the files that take long to copy."""
    leave = shutil.ignore_patterns("__pycache__", "assets")
    shutil.copytree(ROOT / "src" / "pellucid", tmp_path / "pellucid", ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "pellucid" / "data" / "repair").mkdir(exist_ok=True)
    (tmp_path / "pellucid" / "data" / "repair" / "__init__.py").touch()
    return tmp_path


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).with_name("lint-imports")
    words = ["--contract", "faults-and-repair", "--no-cache"]
    return subprocess.run(
        [linter, *words], cwd=house, capture_output=True, text=True, timeout=300,
        env={"PYTHONPATH": str(house), "PATH": "", "LC_ALL": "C.UTF-8"}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("room", "other"), [("faults", "repair"), ("repair", "faults")], ids=["faults", "repair"]
)
def test_an_import_across_the_wall_is_refused(house: Path, room: str, other: str) -> None:
    whole = lint(house)
    assert whole.returncode == 0 and "1 kept, 0 broken" in whole.stdout, whole.stdout[-2000:]
    opened = house / "pellucid" / "data" / room / "__init__.py"
    opened.write_text(opened.read_text("utf-8") + f"\nimport pellucid.data.{other}\n", "utf-8")
    broken = lint(house)
    assert broken.returncode == 1 and "0 kept, 1 broken" in broken.stdout, broken.stdout[-2000:]


def test_a_way_round_the_wall_is_refused(house: Path) -> None:
    data = house / "pellucid" / "data"
    (data / "between.py").write_text('"""Between."""\nimport pellucid.data.repair\n', "utf-8")
    opened = data / "faults" / "base.py"
    opened.write_text(opened.read_text("utf-8") + "\nimport pellucid.data.between\n", "utf-8")
    assert lint(house).returncode == 1
