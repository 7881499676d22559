"""Sizes that keep the house readable: functions and files, the training loop included."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "pellucid"
FILES = sorted(SOURCE.rglob("*.py"))


def function_sizes() -> dict[str, int]:
    sizes = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
                sizes[name] = (node.end_lineno or node.lineno) - node.lineno + 1
    return sizes


def test_no_function_is_over_80_lines() -> None:
    assert {name: size for name, size in function_sizes().items() if size > 80} == {}


def test_nine_functions_in_ten_are_within_45_lines() -> None:
    sizes = sorted(function_sizes().values())
    assert sizes[int(len(sizes) * 0.9)] <= 45


def test_no_file_is_over_500_lines() -> None:
    counts = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: count for path, count in counts.items() if count > 500} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_room_is_called_utils() -> None:
    forbidden = {"utils", "util", "helpers", "common", "misc"}
    assert [path for path in FILES if path.stem in forbidden or path.parent.name in forbidden] == []


def test_no_hasattr() -> None:
    """A value either has an attribute by its type or it does not (equinox's abstract-or-final)."""
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "hasattr"
    ]
    assert found == []
