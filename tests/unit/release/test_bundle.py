"""The evidence bundle: same evidence, same bytes; one changed byte is noticed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import PellucidError, UserError
from pellucid.base.hashing import hash_file
from pellucid.release import decide, read_bundle, write_bundle
from pellucid.release.bundle import FILES, INDEX, bundle_hash


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_equal_evidence_gives_equal_bytes(make: Any, tmp_path: Path) -> None:
    bundle = make.bundle(make.checkpoint())
    first = write_bundle(tmp_path / "a", bundle)
    again = write_bundle(tmp_path / "b", bundle)
    assert first == again == hash_file(tmp_path / "a" / INDEX)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert sorted(files(tmp_path / "a")) == sorted([*FILES, INDEX])


def test_a_bundle_comes_back_and_its_verdict_can_be_decided_again(
    make: Any, tmp_path: Path
) -> None:
    bundle = make.bundle(make.checkpoint())
    write_bundle(tmp_path, bundle)
    back = read_bundle(tmp_path)
    assert list(back.metrics) == ["eval.long.charts.auto.all.accuracy"]
    assert replace(back, metrics=bundle.metrics) == bundle
    policy = back.verdict.policy_hash
    assert decide(back.options, back.metrics, back.pairs, policy, back.final) == bundle.verdict


def test_a_broken_off_bundle_is_finished_by_writing_it_again(make: Any, tmp_path: Path) -> None:
    bundle = make.bundle(make.checkpoint())
    write_bundle(tmp_path / "whole", bundle)
    for name in (*FILES, INDEX):
        (tmp_path / "part").mkdir(exist_ok=True)
        (tmp_path / "part" / name).unlink(missing_ok=True)
        write_bundle(tmp_path / "part", bundle)
        assert files(tmp_path / "part") == files(tmp_path / "whole")


@pytest.mark.parametrize("name", [*FILES, INDEX])
def test_a_changed_or_missing_file_is_refused(make: Any, tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path, make.bundle(make.checkpoint()))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole.replace(b"e", b"f", 1))
    with pytest.raises(UserError, match="is not|does not list"):
        bundle_hash(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(PellucidError):
        read_bundle(tmp_path)
