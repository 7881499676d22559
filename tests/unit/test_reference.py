"""The reference pages say what the code says."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
_SPEC = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
assert _SPEC is not None and _SPEC.loader is not None
GENERATE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(GENERATE)


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_a_page_is_what_the_code_says(name: str) -> None:
    kept = (FOLDER / name).read_text(encoding="utf-8")
    assert kept == GENERATE.PAGES[name](), "run: .venv/bin/python docs/reference/generate.py"


def test_no_field_stands_without_a_word() -> None:
    rows = [line for line in GENERATE.recipe_page().splitlines() if line.startswith("| `")]
    bare = [row for row in rows if row.endswith("|  |") and not row.startswith("| `kind`")]
    assert len(rows) > 150 and not bare
    assert not [row for row in rows if "anything" in row.split("|")[2]]
