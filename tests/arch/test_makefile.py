"""`make` says what it does before minutes of silence, and is quiet where nobody reads it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """\
#!/bin/sh
case "$*" in "-m venv .venv")
  mkdir -p .venv/bin
  for name in pip pellucid pytest; do
    printf '#!/bin/sh\\necho "$(basename $0) works"\\n' > .venv/bin/$name
    chmod +x .venv/bin/$name
  done
esac
"""
"""Stands for Python: its environment has commands that only say their names."""


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("ci", [True, False])
@pytest.mark.parametrize("target", ["run", "test"])
def test_an_install_is_told_before_it_begins_and_once(
    target: str, ci: bool, tmp_path: Path
) -> None:
    (tmp_path / "constraints").mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints/cpu.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "python").write_text(PYTHON, encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    kept = {name: text for name, text in os.environ.items() if name not in ("CI", "MAKEFLAGS")}

    def make() -> list[str]:
        done = subprocess.run(
            ["make", "PYTHON=./python", target], cwd=tmp_path, text=True, check=True,
            stdout=subprocess.PIPE, env={**kept, **({"CI": "true"} if ci else {})},
        )  # fmt: skip
        return [line for line in done.stdout.splitlines() if "works" in line or " GB " in line]

    first, second = make(), make()
    told = [] if ci else [first.pop(0)]
    assert all("torch" in line and "minutes" in line for line in told)
    does = {"run": "pellucid works", "test": "pytest works"}[target]
    assert first == ["pip works", "pip works", does] and second == [does]
