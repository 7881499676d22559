"""The whole job: it learns what it is paid for, repeats, survives kills, stops on nonsense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pellucid.base.errors import UserError
from pellucid.recipe.rl import RlOptions
from pellucid.rl.loop import train_rl
from pellucid.store import MixRow, write_mix

from .conftest import World, make_options

KILLED = Path(__file__).with_name("killed.py")


def train(world: World, folder: Path, options: RlOptions, dtype: str = "float32") -> None:
    probe = world.probe if options.probe else None
    train_rl(
        options, world.mix, world.stores, world.model, folder, 3, "cpu", dtype, probe_folder=probe
    )


def files(folder: Path) -> dict[str, bytes]:
    """Everything that must not differ between runs."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "timing"
    }


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_reward_that_never_says_anything_is_refused(world: World, tmp_path: Path) -> None:
    """Nothing would be learnt, and the run would end as if all were well."""
    (tmp_path / "mine.py").write_text("def silent(rollout, evidence):\n    return None\n")
    own = {"mine": {"path": f"{tmp_path}/mine.py:silent", "weight": 0.5}}
    options = make_options(rewards={"accuracy": 0.5, "own": own})
    says = r"rl\.rewards=\['mine'\] can say nothing of any of the first 16 rollouts"
    with pytest.raises(UserError, match=says):
        train(world, tmp_path / "job", options)
    assert not list((tmp_path / "job" / "rollouts").glob("*.jsonl")), "it can be tried again"


def test_an_update_in_which_nothing_counts_is_gone_over(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second update of each batch has no reward; a batch in which another has one goes on."""
    (tmp_path / "mine.py").write_text(
        "def half(rollout, evidence):\n"
        "    return 1.0 if int(rollout.request_id.split('-')[0]) % 4 < 2 else None\n"
    )
    own = {"mine": {"path": f"{tmp_path}/mine.py:half", "weight": 0.5}}
    options = make_options(rewards={"accuracy": 0.5, "own": own}, batches=2)
    train(world, tmp_path / "job", options)
    rewards = [line["reward"] for line in log(tmp_path / "job")]
    assert None in rewards and any(rewards)


def test_killed_and_resumed_equals_unbroken(world: World, tmp_path: Path) -> None:
    options = make_options(
        rewards={"accuracy": 0.5, "format": 0.1, "length": 0.4},
        batches=3,
        pass_rate={"prompts": 6, "samples": 4, "low": 0, "high": 0.8},
        probe={"mix": "probe", "samples": 2},
    )
    train(world, tmp_path / "whole", options)
    told = json.dumps(options.model_dump(mode="json"))
    command = [sys.executable, str(KILLED), str(world.root), str(tmp_path / "killed"), told, "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "killed" in done.stdout, "every child ended before its kill"
    assert "resumed after rollout batch" in done.stderr
    assert "resumed" in done.stderr and done.stdout.count("killed") >= 4
    whole, killed = files(tmp_path / "whole"), files(tmp_path / "killed")
    assert whole.keys() == killed.keys()
    assert [name for name in whole if whole[name] != killed[name]] == []
    timing = (tmp_path / "killed/timing/steps.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in timing] == list(range(6))


def test_two_runs_agree_and_leave_only_what_is_promised(world: World, tmp_path: Path) -> None:
    for name in ("a", "b"):
        options = make_options(rewards={"accuracy": 0.5, "length": 0.5}, batches=2)
        train(world, tmp_path / name, options)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    names = {name.split("/")[0] for name in files(tmp_path / "a")}
    assert names == {
        "checkpoint", "rollouts", "log.jsonl", "dropped.jsonl", "parameters.json", "run.json",
    }  # fmt: skip
    assert [path.name for path in sorted((tmp_path / "a/rollouts").iterdir())] == [
        f"batch-{number:05d}.jsonl" for number in range(2)
    ]
    rows = log(tmp_path / "a")
    assert [(row["step"], row["batch"]) for row in rows] == [(n, n // 2) for n in range(4)]
    assert ["logprob_gap" in row for row in rows] == [True, False] * 2
    assert all(row["logprob_gap"] < 1e-5 for row in rows[::2])
    assert sum(row["groups"] for row in rows) == 8


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_mean_reward_rises(world: World, tmp_path: Path, sign: float) -> None:
    """Paid for length the answers grow; made to pay for it they shrink."""
    options = make_options(
        rewards={"accuracy": 0, "format": 0, "length": sign},
        modules={"decoder": 3e-3},
        mode="nothink",
        batches=10,
        prompts_per_batch=4,
        group_size=6,
        pack_tokens=1000,
    )
    train(world, tmp_path, options)
    rows = log(tmp_path)
    assert len(rows) == 20
    early, late = (sum(row["reward"] for row in part) / 4 for part in (rows[:4], rows[-4:]))
    assert late > early + 0.15, (early, late)
    assert all(row["clipped"] == 0 for row in rows[::2])
    assert any(row["clipped"] > 0 for row in rows[1::2])


def test_a_finished_job_is_left_alone(world: World, tmp_path: Path) -> None:
    train(world, tmp_path, make_options(batches=1))
    before = files(tmp_path)
    (tmp_path / "checkpoints/step-000002").mkdir(parents=True)
    train(world, tmp_path, make_options(batches=1))
    assert files(tmp_path) == before
    assert not (tmp_path / "checkpoints").exists()


def test_rollouts_of_another_run_are_not_learnt_from(world: World, tmp_path: Path) -> None:
    train(world, tmp_path / "expected", make_options(batches=1, seed=5))
    train(world, tmp_path / "found", make_options(batches=2))
    for leftover in (tmp_path / "found/checkpoint").iterdir():
        leftover.unlink()
    (tmp_path / "found/checkpoint").rmdir()
    train(world, tmp_path / "found", make_options(batches=1, seed=5))
    assert files(tmp_path / "found") == files(tmp_path / "expected")


def test_frozen_parts_keep_every_bit(world: World, tmp_path: Path) -> None:
    options = make_options(
        modules={"projector": 1e-3}, rewards={"accuracy": 0.5, "length": 0.5}, batches=2
    )
    train(world, tmp_path, options)
    before = load_file(world.model / "model.safetensors")
    after = load_file(tmp_path / "checkpoint/model.safetensors")
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"projector"}


def test_bfloat16_runs_and_its_gap_is_only_told(world: World, tmp_path: Path) -> None:
    train(world, tmp_path, make_options(batches=1, rewards={"length": 1.0}), dtype="bfloat16")
    assert 0 < log(tmp_path)[0]["logprob_gap"] < 0.5


def test_a_mix_without_gold_answers_is_refused(world: World, tmp_path: Path) -> None:
    write_mix(tmp_path / "mix", [MixRow(world.records[6].id, 1, "as_is")], [])
    with pytest.raises(UserError, match="no gold answer"):
        train_rl(
            make_options(), tmp_path / "mix", world.stores, world.model, tmp_path / "out", 3,
            "cpu", "float32",
        )  # fmt: skip
    assert not (tmp_path / "out/checkpoint").exists()
