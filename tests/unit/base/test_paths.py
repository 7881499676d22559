"""Files are whole or absent."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.hashing import canonical_json, hash_json
from pellucid.base.paths import (
    ASSETS,
    atomic,
    publish,
    resolve,
    sweep_temporaries,
    write_bytes,
    write_json,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_bytes(target, b"old")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_sweep_removes_what_a_kill_left(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".a.txt.77.tmp").write_bytes(b"half")
    (tmp_path / ".b.77.tmp").mkdir()
    (tmp_path / "kept.txt").write_bytes(b"whole")
    sweep_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "kept.txt"]


def test_what_a_kill_left_of_the_same_file_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.tmp").write_bytes(b"half of something longer")
    write_bytes(tmp_path / "a.txt", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"whole"


def test_two_that_write_one_file_do_not_mix_and_a_sweep_leaves_them(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic(target) as one:
        one.write_bytes(b"one")
        write_bytes(target, b"two")
        sweep_temporaries(tmp_path)
        assert target.read_bytes() == b"two" and one.read_bytes() == b"one"
    assert target.read_bytes() == b"one" and len(list(tmp_path.iterdir())) == 1


def test_publish_moves_a_whole_folder(tmp_path: Path) -> None:
    (tmp_path / "partial" / "sub").mkdir(parents=True)
    (tmp_path / "partial" / "sub" / "x").write_bytes(b"1")
    publish(tmp_path / "partial", tmp_path / "final")
    assert (tmp_path / "final" / "sub" / "x").read_bytes() == b"1"
    assert not (tmp_path / "partial").exists()


def test_resolve_knows_assets_and_relative_paths(tmp_path: Path) -> None:
    assert resolve("asset:recipes/smoke.yaml") == ASSETS / "recipes" / "smoke.yaml"
    assert resolve("a.json", tmp_path) == tmp_path / "a.json"
    assert resolve("/a.json", tmp_path) == Path("/a.json")


def test_json_files_refuse_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


@given(JSON)
def test_canonical_json_says_the_same_and_hashes_the_same(value: object) -> None:
    again = json.loads(canonical_json(value))
    assert again == value
    assert hash_json(again) == hash_json(value)
