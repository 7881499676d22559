"""Reading the file: each way it can be wrong is one clear error."""

from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.data.jsonrows import read_rows
from pellucid.data.llava import RowFault


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_list_and_lines_give_the_same_rows(tmp_path: Path) -> None:
    rows = [{"a": 1}, {"b": "ü\u2028"}]
    assert read_rows(write(tmp_path, "a.json", '\ufeff[{"a": 1},\n {"b": "ü\u2028"}]')) == rows
    assert read_rows(write(tmp_path, "a.jsonl", '{"a": 1}\r\n\n{"b": "ü\u2028"}')) == rows


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.json", "[]", "holds no rows"),
        ("a.jsonl", "\n \n", "holds no rows"),
        ("a.json", "", r"is not JSON: Expecting value \(line 1, column 1\)"),
        ("a.json", '[{"a": 1},\n {"a" 2}]', r"\(line 2, column 7\)"),
        ("a.json", '[{"a": NaN}]', "NaN is no JSON value"),
        ("a.json", '{"rows": []}', "is not a list of rows"),
        ("a.json", b'["\xff"]', r"is not UTF-8 \(byte 2\)"),
        ("a.json", "[" * 200_000, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_rows(write(tmp_path, name, data))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gone.json.* does not exist"):
        read_rows(tmp_path / "gone.json")


def test_a_broken_line_is_the_fault_of_its_row(tmp_path: Path) -> None:
    first, second, third = read_rows(write(tmp_path, "a.jsonl", '{"a": 1}\n{"a": \n{"a": 3}'))
    assert (first, third) == ({"a": 1}, {"a": 3})
    assert isinstance(second, RowFault) and "(line 2, column" in second.rule
