"""Training checkpoints: exact, whole or absent, two kept, the disk's refusals as they are."""

import errno
import resource

import pytest
import torch

from pellucid.train.checkpoint import FOLDER, State, newest, remove_all, save


def state(step: int, run: str = "run") -> State:
    return State(run, step, epoch=1, window=2, pack=3, log_bytes=40, timing_bytes=50)


def names(folder) -> list[str]:
    return sorted(path.name for path in (folder / FOLDER).iterdir())


def test_what_is_saved_comes_back_exactly(tmp_path) -> None:
    weights = {"decoder.a": torch.randn(3, 4).T, "decoder.b": torch.tensor([float("inf")])}
    optimizer = {"adamw/step/decoder.a": torch.tensor(7.0), "x": torch.randn(2).bfloat16()}
    save(tmp_path, state(100), weights, optimizer)
    saved = newest(tmp_path, "run")
    assert saved is not None and saved.state == state(100)
    for before, after in ((weights, saved.weights), (optimizer, saved.optimizer)):
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert all(before[name].dtype == after[name].dtype for name in before)


def test_only_the_newest_two_stay(tmp_path) -> None:
    for step in (9, 90, 100, 1_000_000):
        save(tmp_path, state(step), {"a": torch.zeros(1)}, {})
    assert names(tmp_path) == ["step-000100", "step-1000000"]
    saved = newest(tmp_path, "run")
    assert saved is not None and saved.state.step == 1_000_000
    remove_all(tmp_path)
    assert newest(tmp_path, "run") is None and not (tmp_path / FOLDER).exists()


def test_an_unfinished_folder_is_never_read(tmp_path) -> None:
    save(tmp_path, state(1), {"a": torch.ones(1)}, {})
    unfinished = tmp_path / FOLDER / ".step-000002.tmp"
    unfinished.mkdir()
    (unfinished / "model.safetensors").write_bytes(b"half")
    saved = newest(tmp_path, "run")
    assert saved is not None and saved.state.step == 1
    save(tmp_path, state(2), {"a": torch.ones(1)}, {})
    assert names(tmp_path) == ["step-000001", "step-000002"]


def test_another_run_is_not_resumed(tmp_path) -> None:
    save(tmp_path, state(3, "theirs"), {"a": torch.ones(1)}, {})
    assert newest(tmp_path, "ours") is None
    assert names(tmp_path) == []


def test_a_refusal_of_the_disk_is_an_os_error(tmp_path) -> None:
    """A file-size limit stands in for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match=r"step-000001\.tmp/model\.safetensors") as caught:
            save(tmp_path, state(1), {"a": torch.zeros(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert newest(tmp_path, "run") is None


def test_a_name_that_is_a_bug_stays_a_bug(tmp_path) -> None:
    """Tensors that share memory are our mistake, not the disk's."""
    whole = torch.zeros(4)
    with pytest.raises(RuntimeError, match="share memory"):
        save(tmp_path, state(1), {"a": whole, "b": whole}, {})
