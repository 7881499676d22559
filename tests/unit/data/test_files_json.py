"""Reading JSON: each way it can be wrong is one clear error, and pieces make no difference."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.errors import UserError
from pellucid.data import files
from pellucid.data.files import json_
from pellucid.data.llava import RowFault


def read_rows(path: Path) -> list[object]:
    return [given.value for given in files.read(path)]


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
        ("a.json", "", "is an empty file"),
        ("a.json", " ", r"is not JSON: Expecting value \(line 1, column 1\)"),
        ("a.json", '[{"a": 1},\n {"a" 2}]', r"\(line 2, column 7\)"),
        ("a.json", '[{"a": NaN}]', "NaN is no JSON value"),
        ("a.json", '{"rows": []}', "is not a list of rows"),
        ("a.json", '{"n": 1, "data": [{"a": 1}]}', "holds its rows under 'data'; write that list"),
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
    write(tmp_path, "rows.json", "[]")
    with pytest.raises(UserError, match=r"does not exist; did you mean '.*/rows\.json'"):
        read_rows(tmp_path / "row.json")


def test_a_broken_line_is_the_fault_of_its_row(tmp_path: Path) -> None:
    first, second, third = read_rows(write(tmp_path, "a.jsonl", '{"a": 1}\n{"a": \n{"a": 3}'))
    assert (first, third) == ({"a": 1}, {"a": 3})
    assert isinstance(second, RowFault) and "(line 2, column" in second.rule


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(rows=st.lists(JSON, min_size=1, max_size=6), piece=st.integers(1, 40), indent=st.booleans())
def test_where_the_file_is_cut_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, rows: list[object], piece: int, indent: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.json"
    path.write_text(json.dumps(rows, indent=1 if indent else None, ensure_ascii=not indent))
    before, json_._PIECE = json_._PIECE, piece
    try:
        assert read_rows(path) == rows
    finally:
        json_._PIECE = before


def test_a_break_far_into_a_list_is_found_at_its_place(tmp_path: Path) -> None:
    rows = ",\n".join('{"a": "%s"}' % ("x" * 900) for _ in range(3000))
    with pytest.raises(UserError, match=r"Expecting ',' delimiter \(line 3001, column 9\)"):
        read_rows(write(tmp_path, "a.json", "[" + rows + ',\n{"a": 1 2}]'))


DOUBLED = '{"id": "1", "image": "a.png", "image": "b.png", "t": [{"from": "x", "value": "y"}]}'
DEEP = '{"id": "1", "t": [{"from": "x", "value": "y", "value": "z"}]}'
SOUND = '{"id": "1", "t": [{"id": "x", "t": "\\"t\\": 1"}]}'


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_a_name_twice_is_the_fault_of_its_row_alone(tmp_path: Path, name: str) -> None:
    """Readers of JSON keep the last one: a picture would be lost in silence."""
    rows = [SOUND, DOUBLED, SOUND, DEEP, SOUND]
    listed = name.endswith(".json")
    text = f"[{','.join(rows)}]" if listed else "\n".join(rows) + "\n"
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = [given.value for given in files.read(tmp_path / name)]
    assert [one for one in found if isinstance(one, dict)] == [json.loads(SOUND)] * 3
    assert "'image' stands twice in one object" in str(found[1])
    assert "'value' stands twice in one object" in str(found[3])
