"""A log that is cut back to its checkpoint."""

import json

import pytest

from pellucid.train.log import JsonLines


def test_resume_drops_what_came_after_the_checkpoint(tmp_path) -> None:
    path = tmp_path / "timing" / "log.jsonl"
    with JsonLines(path, 0) as log:
        log.write({"step": 0})
        size = log.sync()
        log.write({"step": 1})
    with path.open("ab") as file:
        file.write(b'{"ste')  # killed in the middle of a line
    with JsonLines(path, size) as log:
        log.write({"step": 1, "again": True})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"step": 0}, {"step": 1, "again": True}]


def test_a_log_shorter_than_its_checkpoint_is_an_invariant(tmp_path) -> None:
    with pytest.raises(AssertionError, match="its checkpoint recorded 9"):
        JsonLines(tmp_path / "log.jsonl", 9)


def test_no_nan_reaches_the_log(tmp_path) -> None:
    with JsonLines(tmp_path / "log.jsonl", 0) as log, pytest.raises(ValueError):
        log.write({"loss": float("nan")})
    assert (tmp_path / "log.jsonl").read_bytes() == b""
