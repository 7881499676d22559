"""The list of seen pictures: sorted, small, refused when it is something else."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.errors import UserError
from pellucid.store import prefix, read_digest, write_digest


def pixels(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


@given(st.sets(st.integers(0, 999)))
def test_what_was_written_is_found_and_nothing_else(tmp_path_factory, seen: set[int]) -> None:
    path = tmp_path_factory.mktemp("digest") / "trained_on.bin"
    write_digest(path, [*map(pixels, seen), *map(pixels, seen)])
    assert path.stat().st_size == 6 * len(seen)
    found = read_digest(path)
    assert {n for n in range(1000) if prefix(pixels(n)) in found} == seen
    data = path.read_bytes()
    write_digest(path, found)
    assert path.read_bytes() == data, "what was read can be written again"


def test_the_bytes_are_the_sorted_first_six_of_each_hash(tmp_path: Path) -> None:
    path = tmp_path / "trained_on.bin"
    write_digest(path, ["ff" * 32, "00" * 31 + "01"])
    assert path.read_bytes() == bytes(6) + b"\xff" * 6


@pytest.mark.parametrize("data", [b"seven b", b"\xff" * 6 + bytes(6), bytes(12)])
def test_another_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UserError, match="no sorted list"):
        read_digest(tmp_path / "x")
