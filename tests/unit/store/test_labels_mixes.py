"""Labels are added, never edited; a mix is frozen."""

from pathlib import Path

import pyarrow as pa
import pytest

from pellucid.base.errors import UserError
from pellucid.store import LedgerRow, MixRow, read_label, read_mix, write_label, write_mix


def test_labels_are_joined_from_parts_by_id(tmp_path: Path) -> None:
    write_label(tmp_path, "triage", 2, pa.table({"id": ["b", "a"], "ok": [True, False]}), "p0")
    write_label(tmp_path, "triage", 2, pa.table({"id": ["aa"], "ok": [True]}), "p1")
    assert read_label(tmp_path, "triage", 2).to_pylist() == [
        {"id": "a", "ok": False},
        {"id": "aa", "ok": True},
        {"id": "b", "ok": True},
    ]
    assert (tmp_path / "labels/triage@2/p0.parquet").exists()


def test_a_label_is_never_edited(tmp_path: Path) -> None:
    write_label(tmp_path, "triage", 1, pa.table({"id": ["a"], "ok": [True]}))
    write_label(tmp_path, "triage", 1, pa.table({"id": ["a"], "ok": [True]}))
    with pytest.raises(UserError, match="never edited"):
        write_label(tmp_path, "triage", 1, pa.table({"id": ["a"], "ok": [False]}))
    with pytest.raises(UserError, match="triage@3.* is not in this store"):
        read_label(tmp_path, "triage", 3)


def test_a_mix_reads_back_as_written(tmp_path: Path) -> None:
    rows = [MixRow("b", 2, "as_is"), MixRow("a", 1, "think"), MixRow("a", 1, "nothink")]
    ledger = [LedgerRow(0, "charts", "b", "kept", ""), LedgerRow(0, "charts", "c", "dropped", "x")]
    write_mix(tmp_path / "one", rows, ledger)
    write_mix(tmp_path / "two", rows, ledger)
    mix = read_mix(tmp_path / "one")
    assert tuple(mix.rows) == tuple(rows) and mix.ledger == tuple(ledger)
    for name in ("mix.parquet", "ledger.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_folder_without_a_mix_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a mix"):
        read_mix(tmp_path)


def test_rows_of_a_mix_are_read_as_a_tuple_is(tmp_path: Path) -> None:
    modes = ("as_is", "think", "nothink")
    rows = [MixRow("i" * (1 + at % 3) + str(at), 1 + at % 4, modes[at % 3], at % 5)
            for at in range(9000)]  # fmt: skip
    write_mix(tmp_path, rows, [])
    found, told = read_mix(tmp_path).rows, tuple(rows)
    assert len(found) == 9000 and tuple(found) == told
    for at in (0, 4095, 4096, 8999, -1, -9000):
        assert found[at] == told[at]
    assert found[4090:4100] == told[4090:4100] and found[::-1000] == told[::-1000]
    with pytest.raises(IndexError):
        found[9000]
