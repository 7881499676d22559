"""Files that are broken: one clear error, or the fault of one row, and never fewer rows unsaid."""

import datetime
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pellucid.base.errors import UserError
from pellucid.data import files
from pellucid.data.check import check
from pellucid.data.llava import RowFault

TALK = json.dumps(
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
).encode()
PIXELS = 10_000


def packed(*members: tuple[str, bytes], mode: str = "w") -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode=mode) as pack:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def refused(path: Path) -> str:
    with pytest.raises(UserError) as told:
        list(files.read(path))
    assert "\n" not in str(told.value)
    return str(told.value)


def values(path: Path) -> list[Any]:
    return [given.value for given in files.read(path)]


@pytest.mark.parametrize("ending", sorted(files.FILES))
def test_an_empty_file_is_called_empty(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"")
    assert "is an empty file; fetch or write it again" in refused(path)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
    ],
)
def test_what_a_failed_download_leaves_is_recognised(
    tmp_path: Path, start: bytes, says: str
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(start)
    assert says in refused(path)


@pytest.mark.parametrize("left", range(1, 4))
def test_a_tar_that_is_cut_anywhere_is_refused(tmp_path: Path, left: int) -> None:
    """In the data of a member, in a header, and right before one."""
    whole = packed(*((f"{at}.json", TALK) for at in range(3)))
    cut = {1: 512 + 20, 2: 2 * 1024 + 100, 3: 2 * 1024}[left]
    path = tmp_path / "a.tar"
    path.write_bytes(whole)
    assert len(values(path)) == 3
    path.write_bytes(whole[:cut])
    refused(path)


def test_a_tar_with_a_damaged_header_is_refused(tmp_path: Path) -> None:
    whole = bytearray(packed(*((f"{at}.json", TALK) for at in range(3))))
    whole[1024:1034] = b"\xff" * 10
    path = tmp_path / "a.tar"
    path.write_bytes(whole)
    assert "cut off or damaged at byte 1024" in refused(path)


def test_a_packed_tar_is_read_and_refused_when_it_is_cut(tmp_path: Path) -> None:
    whole = packed(*((f"{at}.json", TALK) for at in range(3)), mode="w:gz")
    path = tmp_path / "a.tar"
    path.write_bytes(whole)
    with pytest.raises(UserError, match="is a gzip file"):
        values(path)
    path.write_bytes(packed(*((f"{at}.json", TALK) for at in range(3)), mode="w:xz"))
    assert len(values(path)) == 3
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "is no tar that can be read" in refused(path)


def test_a_sample_in_two_places_loses_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(packed(("0.json", TALK), ("1.json", TALK), ("0.png", b"x")))
    assert "has the members of sample '0' in two places" in refused(path)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (b"{bad", "is not JSON: Expecting property name"),
        (b'{"id": NaN}', "NaN is no JSON value"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"id": ' + b"9" * 5000 + b"}", "holds a number of thousands of digits"),
        (b"\xff\xfe", "has a member that is no text"),
    ],
)
def test_a_broken_member_is_the_fault_of_its_row(tmp_path: Path, member: bytes, says: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(packed(("0.json", member), ("1.json", TALK)))
    broken, sound = values(path)
    assert isinstance(broken, RowFault) and says in str(broken) and sound["id"] == "1"


@pytest.mark.parametrize(
    ("table", "line"),
    [('q,a\na,"b\nc,d\ne,f\n', 4), ('q,a\na,b\nc,"d"x\n', 3)],
)
def test_a_broken_quote_swallows_no_lines(tmp_path: Path, table: str, line: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table, encoding="utf-8")
    told = refused(path)
    assert f"(line {line})" in told and "mend the quotes" in told


def test_a_number_of_thousands_of_digits_is_the_fault_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": ' + "9" * 5000 + '}\n{"a": 1}\n', encoding="utf-8")
    broken, sound = values(path)
    assert isinstance(broken, RowFault) and sound == {"a": 1}
    path = tmp_path / "a.json"
    path.write_text('[{"a": ' + "9" * 5000 + "}]", encoding="utf-8")
    assert "holds a number of thousands of digits" in refused(path)


def test_lines_in_a_file_of_another_name_are_told_so(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert "holds one row a line; give it the ending .jsonl" in refused(path)


def test_a_number_without_an_end_is_the_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = '{"question": "a", "answer": "b", "difficulty": 1e999}\n'
    path.write_text(row + '{"question": "a", "answer": "b"}\n', encoding="utf-8")
    found = check(path, None, PIXELS)
    assert (found.rows, found.sound) == (2, 1)
    assert "is not JSON" in found.findings[0].rule


def test_a_file_without_a_readable_row_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{bad\n{worse\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no row that can be read; the first one: .*not JSON"):
        check(path, None, PIXELS)


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_nan_is_a_missing_value(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", question=["a", "b"], answer=[float("nan"), 1.5])
    assert values(path) == [{"question": "a"}, {"question": "b", "answer": 1.5}]


def test_dates_are_text_whatever_their_unit(tmp_path: Path) -> None:
    fine = pa.array([5], pa.int64()).cast(pa.timestamp("ns"))
    far = pa.array([2**62], pa.int64()).cast(pa.timestamp("us"))
    path = parquet(tmp_path / "a.parquet", a=["x"], day=[datetime.date(2020, 1, 2)], ns=fine)
    (row,) = values(path)
    assert row["day"] == "2020-01-02" and row["ns"].startswith("1970-01-01 00:00:00.000000005")
    (row,) = values(parquet(tmp_path / "b.parquet", a=["x"], far=far))
    assert row["a"] == "x"


def test_a_text_that_is_no_utf8_is_the_fault_of_its_row(tmp_path: Path) -> None:
    ends = b"".join(at.to_bytes(4, "little") for at in (0, 2, 3))
    texts = pa.StringArray.from_buffers(2, pa.py_buffer(ends), pa.py_buffer(b"\xff\xfex"))
    broken, sound = values(parquet(tmp_path / "a.parquet", a=texts))
    assert isinstance(broken, RowFault) and sound == {"a": "x"}


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([["a"], ["b"]], names=["answer", "answer"]), path)
    assert "names a column twice" in refused(path)


def test_null_pictures_are_a_fault_and_their_neighbours_are_read(tmp_path: Path) -> None:
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    lists = pa.array([[None], None, [{"bytes": None, "path": None}]], pa.list_(picture))
    path = parquet(tmp_path / "a.parquet", question=["a"] * 3, answer=["b"] * 3, images=lists)
    found = check(path, None, PIXELS)
    assert (found.rows, found.sound) == (3, 1)
    assert found.findings[0].rule == "is no picture"
